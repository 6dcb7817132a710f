import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createMemory } from '../../bytes/memory.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { ErrorCode } from '../../errors.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { sweepEvidence } from '../sweep.testing.ts'
import { parseJwks } from '../token/jwks.ts'
import { parseJws } from '../token/jws.ts'
import { checksThat, signToken, testInput, testPolicy } from '../token/token.testing.ts'
import { appraiseNvidiaNras, NRAS_CHECKS, NRAS_STAGING_ISSUER } from './appraise-nvidia-nras.ts'
import { parseDetachedEat, unsignedRegions } from './detached-eat.ts'
import {
  appraiseNras,
  certifiedNras,
  chainClaims,
  NRAS_ISSUED_MS,
  NRAS_KEY,
  NRAS_NONCE,
  NRAS_POLICY,
  type NrasScene,
  nrasEvidence,
  OTHER_NRAS_KEY,
  sweepCases,
  VERSION_2,
} from './nras-scene.testing.ts'

test('an honest answer about two GPUs holds', () => {
  const appraised = appraiseNras()
  assert.deepEqual(checksThat(appraised, 'pass'), [...NRAS_CHECKS])
  assert.ok(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce)
  assert.equal(appraised.tier, 'affirming')
  assert.deepEqual(appraised.boundData, NRAS_NONCE)
  assert.deepEqual(appraised.deviceIds, [
    '53c22ba15e5d68088282da074ed9fb37aa585771',
    '53c22ba15e5d68088282da074ed9fb37aa585772',
  ])
  assert.deepEqual([appraised.madeAtMs, appraised.currentUntilMs], [NRAS_ISSUED_MS, NRAS_ISSUED_MS + 3_600_000 - 1])
  assert.deepEqual(Object.keys(appraised.claims.submods as object), ['GPU-0', 'GPU-1'])
})

test('version 2 of the claims holds as well, and devices in a list', () => {
  assert.ok(appraiseNras({ device: VERSION_2 }).isGenuine)
  const split = ([first, devices]: readonly Json[]) => [
    first ?? null,
    ...Object.entries(devices as object).map(([name, token]) => ({ [name]: token })),
  ]
  assert.ok(appraiseNras({ change: split }).isGenuine)
  assert.ok(appraiseNras({ change: (bundle) => [bundle[0] ?? null, split(bundle).slice(1)] }).isGenuine)
})

const STEP = 'x-nvidia-gpu-attestation-report-signature-verified'
const CHAIN = 'x-nvidia-gpu-driver-rim-cert-chain'

const CHEATS: readonly (readonly [what: string, check: string, code: ErrorCode, scene: NrasScene])[] = [
  ['no list', 'format', 'evidence/malformed', { change: () => ({}) }],
  ['no devices', 'format', 'evidence/malformed', { devices: 0 }],
  ['no first token', 'format', 'evidence/malformed', { change: ([, devices]) => [devices ?? null, devices ?? null] }],
  ['a token that is no text', 'format', 'shape/wrong-type', { change: ([first]) => [first ?? null, { 'GPU-0': 7 }] }],
  [
    'a name that is none',
    'format',
    'evidence/malformed',
    { change: ([first, devices]) => [first ?? null, { 'GPU 0': Object.values(devices as object)[0] }] },
  ],
  [
    'two devices of one name',
    'format',
    'evidence/malformed',
    { change: ([first, devices]) => [first ?? null, devices ?? null, devices ?? null] },
  ],
  ['the staging service', 'staging-issuer', 'evidence/unsupported', { all: { iss: NRAS_STAGING_ISSUER } }],
  [
    'a device of the staging service',
    'staging-issuer',
    'evidence/unsupported',
    { device: { iss: NRAS_STAGING_ISSUER } },
  ],
  ['another issuer', 'issuer', 'evidence/unsupported', { all: { iss: 'https://nras.example' } }],
  ['a device of another issuer', 'issuer', 'evidence/unsupported', { device: { iss: undefined } }],
  ['a key that is not pinned', 'token-key', 'signature/unknown-key', { key: OTHER_NRAS_KEY }],
  ['devices by a key that is not pinned', 'token-key', 'signature/unknown-key', { deviceKey: OTHER_NRAS_KEY }],
  ['a second before', 'validity', 'collateral/not-current', { input: { atMs: NRAS_ISSUED_MS - 1 } }],
  ['at its end', 'validity', 'collateral/not-current', { input: { atMs: NRAS_ISSUED_MS + 3_600_000 } }],
  ['a device that expired', 'validity', 'collateral/not-current', { device: { exp: NRAS_ISSUED_MS / 1000 + 1 } }],
  ['a device without an end', 'validity', 'shape/missing-field', { device: { exp: undefined } }],
  ['a device of another challenge', 'same-nonce', 'evidence/mismatch', { device: { eat_nonce: '00'.repeat(32) } }],
  ['a nonce cut short', 'same-nonce', 'shape/bad-value', { all: { eat_nonce: '00' } }],
  [
    'a device of which the first token does not know',
    'device-digests',
    'evidence/mismatch',
    { overall: { submods: {} } },
  ],
  [
    'the digest of another token',
    'device-digests',
    'evidence/mismatch',
    {
      overall: {
        submods: {
          'GPU-0': ['DIGEST', ['SHA-256', '00'.repeat(32)]],
          'GPU-1': ['DIGEST', ['SHA-256', '00'.repeat(32)]],
        },
      },
    },
  ],
  [
    'a digest by another algorithm',
    'device-digests',
    'evidence/mismatch',
    { overall: { submods: { 'GPU-0': ['DIGEST', ['SHA-1', '00'.repeat(20)]], 'GPU-1': 7 } } },
  ],
  [
    'a device left out',
    'device-digests',
    'evidence/mismatch',
    {
      change: ([first, devices]) => [
        first ?? null,
        { 'GPU-0': (devices as { readonly [name: string]: Json })['GPU-0'] ?? null },
      ],
    },
  ],
  [
    'one GPU shown twice',
    'distinct-devices',
    'evidence/mismatch',
    { device: { ueid: '478176379286082186618948445787393647364802107249' } },
  ],
  [
    'one GPU shown twice, with a zero before it',
    'distinct-devices',
    'shape/bad-value',
    { device: { ueid: '0478176379286082186618948445787393647364802107249' } },
  ],
  ['a GPU without a number', 'distinct-devices', 'shape/missing-field', { device: { ueid: undefined } }],
  ['no success over all', 'overall-result', 'evidence/refused', { overall: { 'x-nvidia-overall-att-result': false } }],
  ['success as a text', 'overall-result', 'evidence/refused', { overall: { 'x-nvidia-overall-att-result': 'true' } }],
  ['measurements that differ', 'measurements', 'evidence/refused', { device: { measres: 'fail' } }],
  ['no word of measurements', 'measurements', 'shape/missing-field', { device: { measres: undefined } }],
  ['a GPU for debugging', 'debug', 'evidence/refused', { device: { dbgstat: 'enabled' } }],
  ['no secure boot', 'secure-boot', 'evidence/refused', { device: { secboot: false } }],
  ['a step that failed', 'device-checks', 'evidence/refused', { device: { [STEP]: false } }],
  ['a switch', 'device-checks', 'evidence/unsupported', { device: { 'x-nvidia-switch-arch-check': true } }],
  ['a step left out', 'device-checks', 'shape/missing-field', { device: { [STEP]: undefined } }],
  [
    'a step that is not known here, and failed',
    'device-checks',
    'evidence/refused',
    { device: { 'x-nvidia-gpu-new': false } },
  ],
  [
    'a revoked certificate',
    'device-checks',
    'evidence/refused',
    { device: chainClaims({ 'x-nvidia-cert-ocsp-status': 'revoked' }) },
  ],
  [
    'an expired certificate',
    'device-checks',
    'evidence/refused',
    { device: chainClaims({ 'x-nvidia-cert-status': 'expired' }) },
  ],
  ['no word of a chain', 'device-checks', 'shape/missing-field', { device: { [CHAIN]: undefined } }],
  [
    'a chain not validated',
    'device-checks',
    'evidence/refused',
    { device: { ...VERSION_2, 'x-nvidia-gpu-driver-rim-cert-validated': false } },
  ],
  ['another maker', 'device-checks', 'evidence/refused', { device: { oemid: '1' } }],
  ['another challenge', 'nonce', 'evidence/mismatch', { input: { nonce: new Uint8Array(32) } }],
]

for (const [what, check, code, scene] of CHEATS) {
  test(`${what}: the check ${check} fails, and no other`, () => {
    const appraised = appraiseNras(scene)
    assert.deepEqual(checksThat(appraised, 'fail'), [check])
    assert.equal(appraised.checks.find(({ result }) => result === 'fail')?.code, code)
    assert.equal(appraised.tier, 'contraindicated')
    assert.ok(!(appraised.isGenuine && appraised.answersNonce))
    assert.equal(appraised.checks.length, NRAS_CHECKS.length)
  })
}

test('a right digest by the name of another algorithm is none', () => {
  const [first] = JSON.parse(Buffer.from(nrasEvidence().item.content).toString()) as readonly (readonly string[])[]
  const { submods } = parseJws(first?.[1] ?? '', ['ES384']).claims as { readonly submods: Json }
  const renamed = JSON.parse(JSON.stringify(submods).replaceAll('SHA-256', 'SHA-512')) as Json
  assert.deepEqual(checksThat(appraiseNras({ overall: { submods: renamed } }), 'fail'), ['device-digests'])
  assert.deepEqual(checksThat(appraiseNras({ overall: { submods } }), 'fail'), [])
})

test('after a key that is not pinned, nothing else is looked at', () => {
  assert.deepEqual(checksThat(appraiseNras({ key: OTHER_NRAS_KEY }), 'pass'), [
    ...['format', 'staging-issuer', 'issuer', 'signature'],
  ])
})

test('a token of a device with a changed signature is refused, whatever the first says of it', () => {
  const swap = ([first, devices]: readonly Json[]) => {
    const tokens = devices as { readonly [name: string]: string }
    const [header, payload] = (tokens['GPU-1'] ?? '').split('.')
    const [, , signature] = (tokens['GPU-0'] ?? '').split('.')
    return [first ?? null, { ...tokens, 'GPU-1': [header, payload, signature].join('.') }]
  }
  assert.deepEqual(checksThat(appraiseNras({ change: swap }), 'fail'), ['signature'])
})

test('a token of RSA is of no format that this service has', () => {
  const token = signToken({ ...NRAS_KEY, algorithm: 'RS256' }, {})
  const appraised = appraiseNras({ change: ([, devices]) => [['JWT', token], devices ?? null] })
  assert.deepEqual(checksThat(appraised, 'fail'), ['format'])
})

test('without a policy signatures are checked, and nobody vouches for the key', () => {
  const appraised = appraiseNras({ policy: undefined })
  assert.deepEqual(checksThat(appraised, 'not-checked'), ['token-key'])
  assert.deepEqual(checksThat(appraised, 'fail'), [])
  assert.ok(!appraised.isGenuine && !appraised.isKnownCode && !appraised.answersNonce)
  assert.deepEqual([appraised.boundData, appraised.deviceIds, appraised.claims], [undefined, [], {}])
  assert.equal(appraised.tier, 'none')
})

test('a policy that pins no key of the service makes no GPU genuine', () => {
  const { signers: _, ...others } = NRAS_POLICY
  assert.deepEqual(checksThat(appraiseNras({ policy: others }), 'not-checked'), ['token-key'])
})

test('without the key set the signatures are not checked, and nothing after them', () => {
  const appraised = appraiseNras({ input: { collateral: { items: [] } } })
  assert.deepEqual(checksThat(appraised, 'pass'), ['format', 'staging-issuer', 'issuer'])
  assert.deepEqual(checksThat(appraised, 'fail'), [])
})

test('keys hold by the pinned certificate that issued theirs', () => {
  assert.ok(appraiseNras(certifiedNras()).isGenuine)
  assert.deepEqual(checksThat(appraiseNras(certifiedNras({ pin: 0 })), 'fail'), ['token-key'])
  assert.deepEqual(checksThat(appraiseNras(certifiedNras({ jwk: { x5c: [] } })), 'fail'), ['token-key'])
  // A key of somebody else beside a certificate that is not its own.
  const { jwk, ...other } = OTHER_NRAS_KEY
  const stolen = certifiedNras({ jwk: { x: jwk.x, y: jwk.y } })
  assert.deepEqual(checksThat(appraiseNras({ ...stolen, key: { ...other, jwk, keyId: NRAS_KEY.keyId } }), 'fail'), [
    'token-key',
  ])
})

test('a warning of NVIDIA is passed on, and lowers the tier', () => {
  const appraised = appraiseNras({ device: { 'x-nvidia-attestation-warning': 'certificate expires soon' } })
  assert.equal(appraised.tier, 'warning')
  assert.deepEqual(appraised.notes, ['GPU-1: NVIDIA warns: "certificate expires soon"'])
})

test('a memory spares the signatures, never the time', () => {
  const memory = createMemory()
  for (let round = 0; round < 2; round++) assert.ok(appraiseNras({ input: { memory } }).isGenuine)
  assert.deepEqual(checksThat(appraiseNras({ input: { memory, atMs: 0 } }), 'fail'), ['validity'])
})

test('no changed bundle is accepted, but for its white space', () => {
  for (const swept of sweepCases()) {
    assert.ok(swept.unsigned.length > 5)
    assert.deepEqual(sweepEvidence(swept, { step: 17 }).problems, [])
  }
})

test('any bytes are a bundle or refused', (t) => {
  const bundle = fc.array(fc.oneof(fc.jsonValue(), fc.constant(['JWT', 'e30.e30.e30'])), { maxLength: 3 })
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    bundle.map((value) => utf8(JSON.stringify(value))),
  )
  checkProperty(t, [bytes], 300, (content) => {
    expectTyped(() => parseDetachedEat(content))
    expectTyped(() => unsignedRegions(content))
  })
})

const DATA = join(process.env.COUNTERSIGN_TEST_DATA ?? '', 'attestation/nvidia')
const noData = existsSync(join(DATA, 'nras-recovered-jwks.json')) ? false : 'the test data is not there'

test('a real answer of NVIDIA holds at its time', { skip: noData }, () => {
  const crypto = createNodeCrypto()
  const content = new Uint8Array(readFileSync(join(DATA, 'hopperClaimsv3_detached_eat.json')))
  const set = new Uint8Array(readFileSync(join(DATA, 'nras-recovered-jwks.json')))
  const pins = parseJwks(crypto, set).map(({ thumbprint }) => thumbprint)
  const nonce = parseHex('931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb')
  const input = testInput({
    atMs: Date.parse('2025-06-11T00:31:08Z'),
    collateral: { items: [{ kind: 'jwks', content: set }] },
    policy: testPolicy({ ...NRAS_POLICY, signers: { nras_key: pins } }),
    nonce,
  })
  const appraised = appraiseNvidiaNras({ kind: 'nvidia-nras', content }, input)
  assert.deepEqual(checksThat(appraised, 'pass'), [...NRAS_CHECKS])
  assert.ok(appraised.isGenuine && appraised.answersNonce)
  assert.deepEqual(appraised.boundData, nonce)
  const later = appraiseNvidiaNras(
    { kind: 'nvidia-nras', content },
    { ...input, atMs: Date.parse('2025-06-12T00:00:00Z') },
  )
  assert.deepEqual(checksThat(later, 'fail'), ['validity'])
  const unpinned = appraiseNvidiaNras({ kind: 'nvidia-nras', content }, { ...input, policy: testPolicy(NRAS_POLICY) })
  assert.deepEqual(checksThat(unpinned, 'fail'), ['token-key'])
})
