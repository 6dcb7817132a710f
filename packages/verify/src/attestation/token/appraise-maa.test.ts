import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import type { ErrorCode } from '../../errors.ts'
import { readPlacePolicy } from '../place-policy.ts'
import { MAA_CHECKS } from './appraise-maa.ts'
import { checksThat, keySet, signToken } from './token.testing.ts'
import {
  appraiseScene,
  ISSUED_MS,
  MAA_POLICY,
  MAA_VM_POLICY,
  OTHER_KEY,
  type SceneKind,
  TOKEN_KEY,
  type TokenScene,
  vmHardware,
} from './token-scenes.testing.ts'

const ISSUER = MAA_POLICY.signers.issuer[0] ?? ''
const withPolicy = (changes: { readonly [name: string]: Json }) => ({ policy: { ...MAA_POLICY, ...changes } })

test('a token of a container group holds', () => {
  const appraised = appraiseScene('maa')
  assert.deepEqual(checksThat(appraised, 'pass'), [...MAA_CHECKS])
  assert.ok(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce)
  assert.equal(appraised.tier, 'affirming')
  assert.deepEqual(appraised.measurements, { measurement: '3c'.repeat(48), hostdata: '4d'.repeat(32) })
  assert.deepEqual(appraised.boundData, parseHex('6f'.repeat(64)))
  assert.deepEqual(appraised.deviceIds, ['5e'.repeat(64)])
  assert.equal(appraised.madeAtMs, ISSUED_MS)
  assert.equal(appraised.claims['x-ms-sevsnpvm-launchmeasurement'], '3c'.repeat(48))
})

test('a token of a VM holds, by the PCR values of its guest', () => {
  const appraised = appraiseScene('maa-vm')
  assert.deepEqual(checksThat(appraised, 'fail'), [])
  assert.deepEqual(checksThat(appraised, 'not-checked'), ['tcb-minimum', 'policy-hash'])
  assert.ok(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce)
  assert.equal(appraised.measurements.pcr4, '07'.repeat(32))
  assert.equal(appraised.measurements.mrtd, '3c'.repeat(48))
  // The report data of a VM is the firmware's; the guest chose its payload.
  assert.deepEqual(
    appraised.boundData,
    utf8(Buffer.from('0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20').toString('base64')),
  )
})

const CHEATS: readonly (readonly [what: string, kind: SceneKind, check: string, code: ErrorCode, scene: TokenScene])[] =
  [
    ['bytes that are no text', 'maa', 'format', 'bytes/bad-base64', { token: 'é.é.é' }],
    [
      'an instance of somebody else',
      'maa',
      'issuer',
      'evidence/refused',
      { claims: { iss: 'https://mine.eus2.attest.azure.net' } },
    ],
    ['no instance', 'maa', 'issuer', 'shape/missing-field', { claims: { iss: undefined } }],
    [
      'a key that is not pinned',
      'maa',
      'token-key',
      'signature/unknown-key',
      { token: signToken(OTHER_KEY, { iss: ISSUER }) },
    ],
    ['an expired token', 'maa', 'validity', 'collateral/not-current', { input: { atMs: ISSUED_MS + 28_800_000 } }],
    ['another challenge', 'maa', 'nonce', 'evidence/mismatch', { input: { nonce: new Uint8Array(32) } }],
    ['another challenge', 'maa-vm', 'nonce', 'evidence/mismatch', { input: { nonce: new Uint8Array(32) } }],
    ['no nonce', 'maa', 'nonce', 'evidence/mismatch', { claims: { nonce: undefined } }],
    ['SGX', 'maa', 'tee', 'evidence/unsupported', { claims: { 'x-ms-attestation-type': 'sgx' } }],
    [
      'a VM within a VM',
      'maa-vm',
      'tee',
      'evidence/unsupported',
      { claims: vmHardware({ 'x-ms-attestation-type': 'azurevm' }) },
    ],
    ['a VM without hardware', 'maa-vm', 'tee', 'shape/missing-field', { claims: { 'x-ms-isolation-tee': undefined } }],
    [
      'a machine that Azure does not run',
      'maa',
      'compliance',
      'evidence/unsupported',
      { claims: { 'x-ms-compliance-status': 'other' } },
    ],
    [
      'no status of the hardware',
      'maa-vm',
      'compliance',
      'shape/missing-field',
      {
        claims: {
          ...vmHardware({ 'x-ms-compliance-status': undefined }),
          'x-ms-compliance-status': 'azure-compliant-cvm',
        },
      },
    ],
    ['a debuggable guest', 'maa', 'debug', 'evidence/refused', { claims: { 'x-ms-sevsnpvm-is-debuggable': true } }],
    [
      'no word of debugging',
      'maa',
      'debug',
      'shape/missing-field',
      { claims: { 'x-ms-sevsnpvm-is-debuggable': undefined } },
    ],
    [
      'a debuggable trust domain',
      'maa-vm',
      'debug',
      'evidence/refused',
      { claims: vmHardware({ tdx_td_attributes_debug: true }) },
    ],
    [
      'debugging by another word',
      'maa-vm',
      'debug',
      'evidence/refused',
      { claims: vmHardware({ dbgstat: 'enabled' }) },
    ],
    [
      'a debugger in the guest',
      'maa-vm',
      'debug',
      'evidence/refused',
      { claims: { 'x-ms-azurevm-kerneldebug-enabled': true } },
    ],
    [
      'a guest that may be moved',
      'maa',
      'migration',
      'evidence/refused',
      { claims: { 'x-ms-sevsnpvm-migration-allowed': true } },
    ],
    [
      'a trust domain that may be moved',
      'maa-vm',
      'migration',
      'evidence/refused',
      { claims: vmHardware({ tdx_td_attributes: '0000003000000000' }) },
    ],
    [
      'a platform out of date',
      'maa-vm',
      'tcb-status',
      'evidence/refused',
      { claims: vmHardware({ attester_tcb_status: 'OutOfDate' }) },
    ],
    [
      'no state of the platform',
      'maa-vm',
      'tcb-status',
      'shape/missing-field',
      { claims: vmHardware({ attester_tcb_status: undefined }) },
    ],
    ['old firmware', 'maa', 'tcb-minimum', 'evidence/refused', { claims: { 'x-ms-sevsnpvm-snpfw-svn': 23 } }],
    [
      'a minimum of another kind',
      'maa-vm',
      'tcb-minimum',
      'evidence/refused',
      { policy: { ...MAA_VM_POLICY, minimum: { snp: 1 } } },
    ],
    [
      'other host data',
      'maa',
      'measurements',
      'evidence/refused',
      { claims: { 'x-ms-sevsnpvm-hostdata': '00'.repeat(32) } },
    ],
    [
      'host data cut short',
      'maa',
      'measurements',
      'shape/bad-value',
      { claims: { 'x-ms-sevsnpvm-hostdata': '4d'.repeat(31) } },
    ],
    [
      'no measurement',
      'maa',
      'measurements',
      'evidence/refused',
      { claims: { 'x-ms-sevsnpvm-launchmeasurement': undefined } },
    ],
    [
      'other PCR values',
      'maa-vm',
      'measurements',
      'evidence/refused',
      { claims: { 'x-ms-azurevm-attested-pcr-values': { pcr4: 'AAAA' } } },
    ],
    [
      'no PCR values',
      'maa-vm',
      'measurements',
      'evidence/refused',
      { claims: { 'x-ms-azurevm-attested-pcr-values': undefined } },
    ],
    [
      'the policy of another instance',
      'maa',
      'policy-hash',
      'evidence/refused',
      { claims: { 'x-ms-policy-hash': 'policy-2' } },
    ],
  ]

for (const [what, kind, check, code, scene] of CHEATS) {
  test(`${kind}, ${what}: the check ${check} fails, and no other`, () => {
    const appraised = appraiseScene(kind, scene)
    assert.deepEqual(checksThat(appraised, 'fail'), [check])
    assert.equal(appraised.checks.find(({ result }) => result === 'fail')?.code, code)
    assert.equal(appraised.tier, 'contraindicated')
    assert.ok(!(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce))
    assert.equal(appraised.checks.length, MAA_CHECKS.length)
  })
}

test('a policy that names no instance or no key makes nothing genuine', () => {
  const { issuer, token_key } = MAA_POLICY.signers
  for (const [signers, missing] of [
    [{ token_key }, ['issuer', 'policy-hash']],
    [{ issuer }, ['token-key', 'policy-hash']],
  ] as const) {
    const appraised = appraiseScene('maa', withPolicy({ signers }))
    assert.deepEqual(checksThat(appraised, 'not-checked'), missing)
    assert.ok(!appraised.isGenuine && !appraised.isKnownCode)
    assert.deepEqual([appraised.claims, appraised.measurements], [{}, {}])
  }
})

test('without a policy only what needs none is checked', () => {
  const appraised = appraiseScene('maa', { policy: undefined })
  assert.deepEqual(checksThat(appraised, 'pass'), [
    ...['format', 'signature', 'validity', 'nonce', 'tee', 'compliance', 'debug'],
  ])
  assert.deepEqual(checksThat(appraised, 'fail'), [])
  assert.ok(!appraised.isGenuine)
})

test('a policy by the launch measurement alone is refused: it is that of Azure, not of the program', () => {
  const policy = { tee: 'maa', measurements: { measurement: ['3c'.repeat(48)] } }
  assert.throws(() => readPlacePolicy(policy, 'policy'), { code: 'place-policy/empty' })
})

test('what a token leaves out is not looked at, and names no chip', () => {
  const silent = appraiseScene('maa-vm', { claims: vmHardware({ tdx_td_attributes: undefined }) })
  assert.deepEqual([checksThat(silent, 'fail'), silent.isKnownCode], [[], true])
  assert.ok(checksThat(silent, 'not-checked').includes('migration'))
  const masked = appraiseScene('maa', { claims: { 'x-ms-sevsnpvm-chipid': '00'.repeat(64) } })
  assert.deepEqual([masked.isGenuine, masked.deviceIds], [true, []])
})

test('migration, where the policy allows it; secure boot, where it was off', () => {
  const moved = { claims: { 'x-ms-sevsnpvm-migration-allowed': true }, ...withPolicy({ allow: ['migration'] }) }
  assert.ok(appraiseScene('maa', moved).isKnownCode)
  const appraised = appraiseScene('maa-vm', { claims: { secureboot: false } })
  assert.ok(appraised.isKnownCode)
  assert.equal(appraised.notes.length, 1)
})

test('odd values of claims that are only shown do no harm', () => {
  for (const odd of [null, 7, 'text', [], {}, { 'client-payload': 7 }, { 'client-payload': { nonce: 'é' } }]) {
    const claims = { 'x-ms-runtime': odd, 'x-ms-sevsnpvm-chipid': odd, 'x-ms-sevsnpvm-reportdata': odd }
    for (const kind of ['maa', 'maa-vm'] as const) appraiseScene(kind, { claims })
  }
})

test('a token is tried with few keys of its name, however many are given', () => {
  const other = keySet({ ...OTHER_KEY, jwk: { ...OTHER_KEY.jwk, kid: TOKEN_KEY.jwk.kid ?? '' } }).items
  for (const [before, result] of [
    [7, 'pass'],
    [8, 'fail'],
  ] as const) {
    const items = [...Array.from({ length: before }, () => other).flat(), ...keySet(TOKEN_KEY).items]
    const { checks } = appraiseScene('maa', { input: { collateral: { items } } })
    assert.equal(checks.find(({ name }) => name === 'maa/signature')?.result, result)
  }
})
