import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../../bytes/bytes.ts'
import { createMemory } from '../../bytes/memory.ts'
import type { ErrorCode } from '../../errors.ts'
import { type ChainLink, createTestKey, issueChain, pinOf } from '../x509/pki.testing.ts'
import { CONFIDENTIAL_SPACE_CHECKS } from './appraise-confidential-space.ts'
import { type ClaimChanges, checksThat, keySet, signText, signToken, testTokenKey, x5cOf } from './token.testing.ts'
import {
  appraiseScene,
  CONFIDENTIAL_SPACE_CLAIMS,
  CONFIDENTIAL_SPACE_POLICY,
  containerClaims,
  ISSUED_MS,
  OTHER_KEY,
  submoduleClaims,
  TOKEN_KEY,
  type TokenScene,
} from './token-scenes.testing.ts'

const appraise = (scene: TokenScene = {}) => appraiseScene('confidential-space', scene)
const POLICY = CONFIDENTIAL_SPACE_POLICY
const signers = (changes: { readonly [name: string]: readonly string[] }) => ({
  policy: { ...POLICY, signers: { ...POLICY.signers, ...changes } },
})

test('an honest token of a known image holds', () => {
  const appraised = appraise()
  assert.deepEqual(checksThat(appraised, 'pass'), [...CONFIDENTIAL_SPACE_CHECKS])
  assert.ok(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce)
  assert.equal(appraised.tier, 'affirming')
  assert.deepEqual(appraised.measurements, { image_digest: '1a'.repeat(32) })
  assert.equal(appraised.madeAtMs, ISSUED_MS)
  assert.equal(appraised.currentUntilMs, ISSUED_MS + 3_600_000 - 1)
  assert.deepEqual(appraised.claims.eat_nonce, ['0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20'])
  assert.deepEqual(appraised.boundData, utf8(String(appraised.claims.eat_nonce)))
  assert.equal(appraised.claims.hwmodel, 'GCP_INTEL_TDX')
  assert.equal(appraised.claims.project_id, 'answers')
})

/** What is planted, and the one check that finds it. */
const CHEATS: readonly (readonly [what: string, check: string, code: ErrorCode, scene: TokenScene])[] = [
  ['a token of two parts', 'format', 'evidence/malformed', { token: 'e30.e30' }],
  ['another issuer', 'issuer', 'evidence/unsupported', { claims: { iss: 'https://portal.trustauthority.intel.com' } }],
  ['no issuer', 'issuer', 'shape/missing-field', { claims: { iss: undefined } }],
  [
    'a key that is not pinned',
    'token-key',
    'signature/unknown-key',
    { token: signToken(OTHER_KEY, { iss: 'https://confidentialcomputing.googleapis.com' }) },
  ],
  ['a second before it is valid', 'validity', 'collateral/not-current', { input: { atMs: ISSUED_MS - 1 } }],
  ['the second at which it expires', 'validity', 'collateral/not-current', { input: { atMs: ISSUED_MS + 3_600_000 } }],
  ['no end', 'validity', 'shape/missing-field', { claims: { exp: undefined } }],
  ['an end that is a text', 'validity', 'shape/wrong-type', { claims: { exp: '2000000000' } }],
  ['an end beyond all times', 'validity', 'shape/bad-value', { claims: { exp: 2 ** 41 } }],
  ['valid only later', 'validity', 'collateral/not-current', { claims: { nbf: ISSUED_MS / 1000 + 600 } }],
  ['issued in the future', 'validity', 'collateral/not-current', { claims: { iat: ISSUED_MS / 1000 + 600 } }],
  ['another challenge', 'nonce', 'evidence/mismatch', { input: { nonce: new Uint8Array(32) } }],
  ['an empty challenge', 'nonce', 'evidence/mismatch', { input: { nonce: new Uint8Array(0) } }],
  ['no nonce', 'nonce', 'evidence/mismatch', { claims: { eat_nonce: undefined } }],
  ['nonces of another type', 'nonce', 'shape/wrong-type', { claims: { eat_nonce: [7] } }],
  ['a debug image', 'debug', 'evidence/refused', { claims: { dbgstat: 'enabled' } }],
  ['no word of debugging', 'debug', 'shape/missing-field', { claims: { dbgstat: undefined } }],
  ['no secure boot', 'secure-boot', 'evidence/refused', { claims: { secboot: false } }],
  ['secure boot as a text', 'secure-boot', 'evidence/refused', { claims: { secboot: 'true' } }],
  ['another operating system', 'software', 'evidence/refused', { claims: { swname: 'GCE' } }],
  ['a shielded VM', 'hardware', 'evidence/unsupported', { claims: { hwmodel: 'GCP_SHIELDED_VM' } }],
  ['a name of every object', 'hardware', 'evidence/unsupported', { claims: { hwmodel: 'constructor' } }],
  ['another maker', 'hardware', 'evidence/refused', { claims: { oemid: 1 } }],
  ['SEV', 'memory-integrity', 'evidence/refused', { claims: { hwmodel: 'GCP_AMD_SEV' } }],
  [
    'an unsupported image',
    'support',
    'evidence/refused',
    { claims: submoduleClaims({ confidential_space: { support_attributes: ['USABLE'] } }) },
  ],
  ['no word of support', 'support', 'evidence/refused', { claims: submoduleClaims({ confidential_space: undefined }) }],
  ['an old image', 'software-version', 'evidence/refused', { claims: { swversion: ['240900'] } }],
  ['two versions', 'software-version', 'evidence/malformed', { claims: { swversion: ['250300', '250300'] } }],
  ['a version in words', 'software-version', 'evidence/malformed', { claims: { swversion: ['new'] } }],
  [
    'another image',
    'image-digest',
    'evidence/refused',
    { claims: containerClaims({ image_digest: `sha256:${'00'.repeat(32)}` }) },
  ],
  ['no image', 'image-digest', 'shape/missing-field', { claims: containerClaims({ image_digest: undefined }) }],
  [
    'another signer',
    'image-signature',
    'evidence/refused',
    { claims: containerClaims({ image_signatures: [{ key_id: 'bb22' }] }) },
  ],
  [
    'no signature',
    'image-signature',
    'shape/missing-field',
    { claims: containerClaims({ image_signatures: undefined }) },
  ],
  ['another command line', 'overrides', 'evidence/refused', { claims: containerClaims({ cmd_override: ['/debug'] }) }],
  [
    'another environment',
    'overrides',
    'evidence/refused',
    { claims: containerClaims({ env_override: { LOG: 'all' } }) },
  ],
  ['another project', 'project', 'evidence/refused', { claims: submoduleClaims({ gce: { project_id: 'other' } }) }],
  [
    'a second account',
    'service-account',
    'evidence/refused',
    { claims: { google_service_accounts: ['serve@answers.iam.gserviceaccount.com', 'x@y'] } },
  ],
  ['no account', 'service-account', 'evidence/refused', { claims: { google_service_accounts: [] } }],
  ['another audience', 'audience', 'evidence/refused', { claims: { aud: 'https://sts.googleapis.com' } }],
]

for (const [what, check, code, scene] of CHEATS) {
  test(`${what}: the check ${check} fails, and no other`, () => {
    const appraised = appraise(scene)
    assert.deepEqual(checksThat(appraised, 'fail'), [check])
    assert.equal(appraised.checks.find(({ result }) => result === 'fail')?.code, code)
    assert.equal(appraised.tier, 'contraindicated')
    assert.ok(!(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce))
    assert.equal(appraised.checks.length, CONFIDENTIAL_SPACE_CHECKS.length)
  })
}

test('after another issuer or a key that is not pinned, nothing else is looked at', () => {
  const issuer = { iss: 'https://confidentialcomputing.googleapis.com' }
  assert.deepEqual(checksThat(appraise({ claims: { iss: 'https://other.example' } }), 'pass'), ['format'])
  const other = appraise({ token: signToken(OTHER_KEY, issuer) })
  assert.deepEqual(checksThat(other, 'pass'), ['format', 'issuer', 'signature'])
})

test('a changed claim breaks the signature, and nothing of the token is shown', () => {
  const [header, , signature] = signToken(TOKEN_KEY, {}).split('.')
  const [, payload] = signToken(TOKEN_KEY, { iss: 'https://confidentialcomputing.googleapis.com' }).split('.')
  const appraised = appraise({ token: [header, payload, signature].join('.') })
  assert.deepEqual(checksThat(appraised, 'fail'), ['signature'])
  assert.deepEqual(checksThat(appraised, 'pass'), ['format', 'issuer'])
  assert.deepEqual([appraised.claims, appraised.measurements, appraised.boundData], [{}, {}, undefined])
})

test('a key in the header counts for nothing', () => {
  const impostor = testTokenKey('RS256', 'impostor-2')
  const claims = { iss: 'https://confidentialcomputing.googleapis.com' }
  const header = { kid: TOKEN_KEY.keyId, jwk: impostor.jwk, jku: 'https://impostor.example/keys' }
  assert.deepEqual(checksThat(appraise({ token: signToken(impostor, claims, header) }), 'fail'), ['signature'])
})

test('a key set of the impostor, with the name of the pinned key, counts for nothing', () => {
  const impostor = testTokenKey('RS256', 'impostor-2')
  const renamed = { ...impostor, jwk: { ...impostor.jwk, kid: TOKEN_KEY.keyId } }
  const token = signToken(impostor, { iss: 'https://confidentialcomputing.googleapis.com' }, { kid: TOKEN_KEY.keyId })
  const items = [...keySet(renamed).items, ...keySet(TOKEN_KEY).items]
  assert.deepEqual(checksThat(appraise({ token, input: { collateral: { items } } }), 'fail'), ['token-key'])
  assert.deepEqual(checksThat(appraise({ input: { collateral: { items } } }), 'fail'), [])
})

test('without a policy the signature is checked, and nobody vouches for the key', () => {
  const appraised = appraise({ policy: undefined })
  assert.deepEqual(checksThat(appraised, 'fail'), [])
  assert.ok(checksThat(appraised, 'pass').includes('signature'))
  assert.ok(checksThat(appraised, 'pass').includes('debug'))
  assert.ok(checksThat(appraised, 'not-checked').includes('token-key'))
  assert.ok(!appraised.isGenuine && !appraised.isKnownCode)
  assert.equal(appraised.tier, 'none')
  assert.deepEqual([appraised.claims, appraised.madeAtMs], [{}, undefined])
  const detail = appraised.checks.find(({ name }) => name === 'confidential-space/token-key')?.detail
  assert.ok(detail?.includes(TOKEN_KEY.thumbprint), 'a reader is told which key to ask about')
})

test('without a policy a debug image is refused all the same', () => {
  assert.deepEqual(checksThat(appraise({ policy: undefined, claims: { dbgstat: 'enabled' } }), 'fail'), ['debug'])
})

test('a policy that pins no key makes nothing genuine', () => {
  const { token_key: _, ...others } = POLICY.signers
  const appraised = appraise({ policy: { ...POLICY, signers: others } })
  assert.ok(!appraised.isGenuine && !appraised.isKnownCode)
  assert.deepEqual(checksThat(appraised, 'not-checked'), ['token-key'])
})

test('without the key set the signature is not checked, and nothing after it', () => {
  for (const collateral of [
    { items: [] },
    keySet(OTHER_KEY),
    { items: [{ kind: 'jwks' as const, content: utf8('{') }] },
  ]) {
    const appraised = appraise({ input: { collateral } })
    assert.deepEqual(checksThat(appraised, 'pass'), ['format', 'issuer'])
    assert.deepEqual(checksThat(appraised, 'fail'), [])
    assert.ok(!appraised.isGenuine)
  }
})

test('weaknesses that a policy allows lower the tier, and are told', () => {
  const cases: readonly (readonly [string, TokenScene['claims']])[] = [
    ['sev', { hwmodel: 'GCP_AMD_SEV' }],
    ['sev-es', { hwmodel: 'GCP_AMD_SEV_ES' }],
    ['cmd-override', containerClaims({ cmd_override: ['/serve', '--quiet'] })],
    ['env-override', containerClaims({ env_override: { LOG: 'a\nb' } })],
  ]
  for (const [word, claims = {}] of cases) {
    const appraised = appraise({ claims, policy: { ...POLICY, allow: [word] } })
    assert.deepEqual(checksThat(appraised, 'fail'), [], word)
    assert.ok(appraised.isKnownCode)
    assert.deepEqual([appraised.tier, appraised.notes.length], ['warning', 1])
  }
  const nothing = containerClaims({ cmd_override: [], env_override: {} })
  assert.equal(appraise({ claims: nothing }).tier, 'affirming')
})

test('a signed image is enough where the policy names no digest', () => {
  const { image_digest: _, ...others } = POLICY.signers
  assert.ok(appraise({ policy: { ...POLICY, signers: others } }).isKnownCode)
})

test('challenges are found in each spelling, and among several nonces', () => {
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => 250 - i)
  for (const spelling of ['hex', 'base64', 'base64url'] as const) {
    const text = Buffer.from(bytes).toString(spelling)
    const appraised = appraise({ claims: { eat_nonce: ['ab'.repeat(32), text] }, input: { nonce: bytes } })
    assert.ok(appraised.answersNonce, spelling)
    assert.equal(appraised.boundData, undefined)
  }
})

test('no challenge, no freshness', () => {
  const appraised = appraise({ input: { nonce: undefined } })
  assert.deepEqual(checksThat(appraised, 'not-checked'), ['nonce'])
  assert.ok(appraised.isGenuine && appraised.isKnownCode && !appraised.answersNonce)
})

test('a memory spares the signature, never the time', () => {
  const memory = createMemory()
  assert.ok(appraise({ input: { memory } }).isGenuine)
  assert.ok(appraise({ input: { memory } }).isGenuine)
  assert.deepEqual(checksThat(appraise({ input: { memory, atMs: ISSUED_MS + 3_600_000 } }), 'fail'), ['validity'])
  assert.deepEqual(
    checksThat(appraise({ input: { memory }, ...signers({ token_key: [OTHER_KEY.thumbprint] }) }), 'fail'),
    ['token-key'],
  )
})

test('odd values of claims that are only shown do no harm', () => {
  for (const odd of [null, 7, 'text', [], [[]], {}, { container: 7 }]) {
    appraise({ claims: { submods: odd, eat_nonce: odd, aud: odd, swversion: odd, google_service_accounts: odd } })
  }
})

test('a claim that comes twice is refused', () => {
  const header = JSON.stringify({ alg: 'RS256', kid: TOKEN_KEY.keyId })
  const token = signText(TOKEN_KEY, header, '{"dbgstat":"enabled","dbgstat":"disabled-since-boot"}')
  const appraised = appraise({ token })
  assert.equal(appraised.checks.find(({ result }) => result === 'fail')?.code, 'json/duplicate-key')
})

/** A token that brings its certificates along, as Google's tokens for offline checking do. */
function certifiedScene(changes: {
  readonly root?: Partial<ChainLink>
  readonly middle?: Partial<ChainLink>
  readonly leaf?: Partial<ChainLink>
  readonly pin?: number
  readonly length?: number
  readonly header?: ClaimChanges
}): TokenScene {
  const chain = issueChain(
    { subject: 'test root', key: createTestKey('rsa4096'), ...changes.root },
    { subject: 'test intermediate', key: createTestKey('p384', 'intermediate'), ...changes.middle },
    { subject: 'test leaf', key: TOKEN_KEY.key, ...changes.leaf },
  )
  const header = { ...changes.header, x5c: x5cOf(chain.slice(0, changes.length ?? 3)) }
  const { token_key: _, ...others } = POLICY.signers
  const pin = pinOf(chain[changes.pin ?? 2] ?? new Uint8Array(0))
  return {
    token: signToken(TOKEN_KEY, CONFIDENTIAL_SPACE_CLAIMS, header),
    policy: { ...POLICY, signers: { ...others, token_ca: [pin] } },
    input: { collateral: { items: [] } },
  }
}

test('a token that brings its certificates holds by the pinned root, or by one below it, without a key set', () => {
  for (const pin of [1, 2]) {
    const appraised = appraise(certifiedScene({ pin }))
    assert.deepEqual(checksThat(appraised, 'pass'), [...CONFIDENTIAL_SPACE_CHECKS])
    assert.ok(appraised.isGenuine && appraised.isKnownCode)
  }
  assert.ok(appraise(certifiedScene({ header: { kid: undefined } })).isGenuine)
  const soon = ISSUED_MS + 120_000
  assert.equal(appraise(certifiedScene({ leaf: { notAfterMs: soon } })).currentUntilMs, soon)
})

const BAD_CERTIFICATES: readonly (readonly [string, string, ErrorCode, Parameters<typeof certifiedScene>[0]])[] = [
  ['the pinned root left out', 'token-key', 'signature/unknown-key', { length: 2 }],
  ['the leaf alone, pinned as if it were an issuer', 'token-key', 'signature/unknown-key', { pin: 0, length: 1 }],
  ['an intermediate that may not issue', 'token-key', 'certificate/wrong-chain', { middle: { isCa: false } }],
  ['a leaf of another issuer', 'token-key', 'certificate/wrong-chain', { leaf: { issuer: 'other' } }],
  [
    'a leaf that another key signed',
    'token-key',
    'certificate/wrong-chain',
    { leaf: { signer: createTestKey('p384', 'impostor') } },
  ],
  ['a leaf that expired', 'token-key', 'certificate/not-current', { leaf: { notAfterMs: ISSUED_MS } }],
  ['a root that expired', 'token-key', 'certificate/not-current', { root: { notAfterMs: ISSUED_MS } }],
  [
    'a leaf with an extension that is not understood',
    'token-key',
    'certificate/wrong-chain',
    { leaf: { extensions: [{ oid: '1.2.3', critical: true, value: utf8('x') }] } },
  ],
  ['the certificate of another key', 'signature', 'signature/invalid', { leaf: { key: OTHER_KEY.key } }],
  ['a leaf of another kind of key', 'signature', 'signature/invalid', { leaf: { key: createTestKey('p256') } }],
]

for (const [what, check, code, changes] of BAD_CERTIFICATES) {
  test(`a token that brings its certificates, ${what}: the check ${check} fails, and no other`, () => {
    const appraised = appraise(certifiedScene(changes))
    assert.deepEqual(checksThat(appraised, 'fail'), [check])
    assert.equal(appraised.checks.find(({ result }) => result === 'fail')?.code, code)
  })
}

test('certificates that a token brings count for nothing where the policy pins no issuer', () => {
  const { policy: _, ...scene } = certifiedScene({})
  const { token_key, ...others } = POLICY.signers
  assert.deepEqual(checksThat(appraise({ ...scene, policy: undefined }), 'fail'), [])
  assert.ok(!appraise({ ...scene, policy: undefined }).isGenuine)
  assert.ok(!appraise({ ...scene, policy: { ...POLICY, signers: others } }).isGenuine)
  // The key itself may be pinned as well, wherever it comes from.
  assert.ok(appraise({ ...scene, policy: { ...POLICY, signers: { ...others, token_key } } }).isGenuine)
})
