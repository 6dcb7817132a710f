import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { withValueAt } from '../../bytes/json-edit.testing.ts'
import type { CollateralItem, CollateralKind } from '../collateral.ts'
import { issueCrl, type TestKey } from '../x509/pki.testing.ts'
import { appraiseTdx } from './appraise-tdx.ts'
import { added, OTHER, qe, tcb, without } from './plan-changes.testing.ts'
import { buildTdx, planTdx, type TdxPlan } from './tdx-evidence.testing.ts'

function appraise(change: (plan: TdxPlan) => void) {
  const plan = planTdx()
  change(plan)
  const { item, input } = buildTdx(plan)
  return appraiseTdx(item, input)
}

type Appraised = ReturnType<typeof appraiseTdx>

function failures({ checks }: Appraised) {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

function detailOf({ checks }: Appraised, name: string) {
  const check = checks.find((each) => each.name === `tdx/${name}`)
  assert.equal(check?.result, 'not-checked')
  return check?.detail
}

/** Collateral that is not there leaves evidence unproven, and refutes nothing. */
const MISSING: readonly (readonly [what: string, change: (plan: TdxPlan) => void, check: string, detail: RegExp])[] = [
  ['the root list', without('crl', (i) => i === 0), 'root-crl', /no revocation list of Intel SGX Root CA/],
  ['the PCK list', without('crl', (i) => i === 1), 'pck-crl', /no revocation list of Intel SGX PCK Platform CA/],
  [
    'the signer',
    without('certificate', (i) => i === 0),
    'tcb-signing-chain',
    /no certificate of Intel SGX TCB Signing/,
  ],
  ['TCB information', without('intel-tcb-info', () => true), 'tcb-info', /for FMSPC 50806f000000/],
  ['TCB information for TDX', (plan) => tcb(plan, ['id'], 'SGX'), 'tcb-info', /no TDX TCB information/],
  ['TCB information of the platform', (plan) => tcb(plan, ['fmspc'], '90c06f000000'), 'tcb-info', /for FMSPC 5080/],
  ['the identity', without('intel-qe-identity', () => true), 'qe-identity', /no identity of the quoting enclave/],
  ['the identity for trust domains', (plan) => qe(plan, ['id'], 'QE'), 'qe-identity', /for trust domains/],
]

for (const [what, change, check, detail] of MISSING) {
  test(`without ${what} nothing is refuted, and nothing genuine`, () => {
    const appraised = appraise(change)
    assert.deepEqual(failures(appraised), [])
    assert.match(detailOf(appraised, check) ?? '', detail)
    assert.ok(!appraised.isGenuine)
    assert.equal(appraised.tier, 'none')
  })
}

test('the platform itself cannot sign lists about itself', () => {
  const signed = appraise((plan) => {
    plan.keys.listSigner = plan.keys.pck
  })
  assert.deepEqual(failures(signed), ['tdx/tcb-info', 'tdx/qe-identity'])
  const replaced = appraise((plan) => {
    plan.keys.listSigner = plan.keys.pck
    const { certificates } = buildTdx(plan)
    plan.editCollateral = (items) =>
      items.map((item, i) => (i === 0 ? { kind: 'certificate', content: certificates.pck } : item))
  })
  assert.match(detailOf(replaced, 'tcb-signing-chain') ?? '', /no certificate of Intel SGX TCB Signing/)
  assert.ok(!replaced.isGenuine)
})

function answer(member: 'tcbInfo' | 'enclaveIdentity', value: Json, key: TestKey): CollateralItem {
  const kind: CollateralKind = member === 'tcbInfo' ? 'intel-tcb-info' : 'intel-qe-identity'
  const text = JSON.stringify(value)
  return { kind, content: utf8(`{"${member}":${text},"signature":"${toHex(key.signRaw(utf8(text)))}"}`) }
}

test('of several lists for one platform the newest that verifies is taken', () => {
  const { tcbInfo, qeIdentity, keys } = planTdx()
  const newer = (value: Json) => withValueAt(value, ['issueDate'], '2026-06-10T00:00:00Z')
  const revoked = withValueAt(newer(tcbInfo), ['tcbLevels', 0, 'tcbStatus'], 'Revoked')
  for (const where of ['before', 'behind'] as const) {
    const replaced = appraise(added([answer('tcbInfo', revoked, keys.listSigner)], where))
    assert.deepEqual(failures(replaced), ['tdx/tcb-not-revoked', 'tdx/tcb-state'])
    const forged = appraise(
      added([answer('tcbInfo', revoked, OTHER), answer('enclaveIdentity', newer(qeIdentity), OTHER)], where),
    )
    assert.ok(forged.isGenuine && forged.isKnownCode)
    const elsewhere = withValueAt(revoked, ['fmspc'], 'b0c06f000000')
    assert.ok(appraise(added([answer('tcbInfo', elsewhere, keys.listSigner)], where)).isGenuine)
  }
})

test('of several revocation lists the newest that verifies is taken', () => {
  const { keys } = planTdx()
  const list = (signer: TestKey, thisUpdateMs: number) => ({
    kind: 'crl' as const,
    content: issueCrl({ issuer: 'Intel SGX PCK Platform CA', signer, thisUpdateMs, revoked: [{ serial: '0c' }] }),
  })
  const [newer, older] = [Date.UTC(2026, 0, 1), Date.UTC(2019, 0, 1)]
  assert.deepEqual(failures(appraise(added([list(keys.pckCa, newer)], 'behind'))), ['tdx/pck-revocation'])
  assert.ok(appraise(added([list(keys.pckCa, older)], 'before')).isGenuine)
  assert.ok(appraise(added([list(OTHER, newer)], 'before')).isGenuine)
})

test('what other makers put into the bundle is in nobody’s way', () => {
  const garbage = (['certificate', 'crl', 'intel-tcb-info', 'intel-qe-identity', 'jwks'] as const).map((kind) => ({
    ...{ kind, content: utf8('not what it says') },
  }))
  assert.ok(appraise(added(garbage, 'before')).isGenuine)
})
