import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../../bytes/bytes.ts'
import { createNobleCrypto } from '../../crypto/noble-provider.ts'
import { TEST_AT_MS } from '../x509/pki.testing.ts'
import { appraiseTdx } from './appraise-tdx.ts'
import { CHEATS } from './tdx-cheats.testing.ts'
import { TDX_CHECKS } from './tdx-checks.ts'
import { buildTdx, planTdx, type TdxPlan } from './tdx-evidence.testing.ts'

function appraise(change: (plan: TdxPlan) => void, version: 4 | 5 = 5) {
  const plan = planTdx(version)
  change(plan)
  const { item, input } = buildTdx(plan)
  return appraiseTdx(item, input)
}

function resultsOf(appraised: ReturnType<typeof appraiseTdx>, wanted: string) {
  return appraised.checks.filter(({ result }) => result === wanted).map(({ name }) => name)
}

test('sound evidence of both versions is genuine, known code, affirming', () => {
  for (const version of [4, 5] as const) {
    const appraised = appraise(() => undefined, version)
    assert.deepEqual(resultsOf(appraised, 'fail'), [])
    const open = version === 4 ? ['tdx/event-log', 'tdx/service-td'] : ['tdx/event-log']
    assert.deepEqual(resultsOf(appraised, 'not-checked'), open)
    assert.ok(appraised.isGenuine && appraised.isKnownCode)
    assert.equal(appraised.tier, 'affirming')
    assert.deepEqual(appraised.notes, [])
    assert.equal(appraised.measurements.mrtd, '31'.repeat(48))
    assert.equal(appraised.measurements.mrservicetd, version === 4 ? undefined : '00'.repeat(48))
    assert.equal(appraised.boundData?.length, 64)
    assert.deepEqual(appraised.deviceIds, ['71'.repeat(16)])
    assert.equal(appraised.currentUntilMs, Date.UTC(2026, 6, 1))
    assert.equal(appraised.claims.tdx_tcb_status, 'UpToDate')
    assert.equal(appraised.claims.tdx_tcb_date, '2026-02-11T00:00:00.000Z')
    assert.equal(appraised.checks.length, TDX_CHECKS.length)
  }
})

test('without a policy evidence is genuine, and no code is known', () => {
  const appraised = appraise((plan) => {
    plan.policy = undefined
  })
  assert.ok(appraised.isGenuine && !appraised.isKnownCode)
  assert.equal(appraised.tier, 'none')
})

for (const { what, change, check, code } of CHEATS) {
  test(`${check}: ${what}`, () => {
    const appraised = appraise(change)
    const failed = appraised.checks.filter(({ result }) => result === 'fail')
    // No policy can accept what is revoked.
    const wanted = check === 'tcb-not-revoked' ? ['tcb-not-revoked', 'tcb-state'] : [check]
    assert.deepEqual(
      failed.map(({ name }) => name),
      wanted.map((name) => `tdx/${name}`),
    )
    assert.equal(failed[0]?.code, code)
    assert.equal(appraised.isGenuine && appraised.isKnownCode, false)
    assert.equal(appraised.tier, 'contraindicated')
  })
}

test('every check has a cheat that it alone catches', () => {
  const caught = new Set(CHEATS.map(({ check }) => check))
  // Event logs have tests of their own.
  assert.deepEqual(
    TDX_CHECKS.filter((check) => !caught.has(check)),
    ['event-log'],
  )
})

test('what is not signed by the platform is not shown', () => {
  const signedBy = ['pck-chain', 'qe-report-signature', 'qe-report-binding', 'qe-identity-match', 'quote-signature']
  for (const { what, change } of CHEATS.filter(({ check }) => signedBy.includes(check))) {
    const { measurements, boundData, claims, deviceIds } = appraise(change)
    assert.deepEqual(
      { measurements, boundData, claims, deviceIds },
      { measurements: {}, boundData: undefined, claims: {}, deviceIds: [] },
      what,
    )
  }
})

test('nothing that rests on a failed check is looked at', () => {
  const unreached: readonly (readonly [check: string, dependents: readonly string[]])[] = [
    ['tcb-signing-chain', ['tcb-signing-revocation', 'tcb-info', 'qe-identity']],
    ['qe-report-signature', ['qe-report-binding', 'qe-identity-match', 'quote-signature']],
    ['qe-report-binding', ['quote-signature', 'debug']],
    ['quote-signature', ['debug', 'td-attributes', 'tdx-module', 'tcb-level', 'sept-ve', 'measurements']],
    ['platform-match', ['tdx-module', 'tcb-level']],
  ]
  for (const [check, dependents] of unreached) {
    const open = resultsOf(
      appraise(CHEATS.find((each) => each.check === check)?.change ?? assert.fail()),
      'not-checked',
    )
    for (const name of dependents) assert.ok(open.includes(`tdx/${name}`), `${name} after ${check}`)
  }
})

test('a root that nobody pinned proves nothing', () => {
  const { item, input } = buildTdx(planTdx())
  const { roots: _, ...pinned } = input
  const appraised = appraiseTdx(item, pinned)
  assert.deepEqual(resultsOf(appraised, 'fail'), ['tdx/pck-chain'])
  assert.deepEqual(resultsOf(appraised, 'pass'), ['tdx/format'])
  assert.deepEqual(appraised.measurements, {})
})

test('bytes after the signature are passed by, and noted', () => {
  const appraised = appraise((plan) => {
    plan.trailing = utf8('anything')
  })
  assert.ok(appraised.isGenuine && appraised.isKnownCode)
  assert.deepEqual(appraised.notes, [
    '8 bytes follow the signature of the quote; nobody signed them, and they were not looked at.',
  ])
})

test('version 5 may carry a report of TD 1.0, and either authority may issue the PCK', () => {
  const appraised = appraise((plan) => {
    plan.isTd15 = false
    plan.report = planTdx(4).report
    for (const name of ['subject', 'issuer'] as const) {
      plan.certificates[name === 'subject' ? 'pckCa' : 'pck'][name] = 'Intel SGX PCK Processor CA'
    }
    plan.crls.pck.issuer = 'Intel SGX PCK Processor CA'
  })
  assert.deepEqual(resultsOf(appraised, 'fail'), [])
  assert.ok(appraised.isGenuine && appraised.isKnownCode)
  assert.equal(appraised.claims.tdx_report_version, '1.0')
})

test('a body of another size than its type is refused', () => {
  for (const isTd15 of [true, false]) {
    const appraised = appraise((plan) => {
      plan.isTd15 = isTd15
      plan.report = planTdx(isTd15 ? 4 : 5).report
    })
    assert.deepEqual(resultsOf(appraised, 'fail'), ['tdx/format'])
  }
})

test('both crypto providers come to the same result', () => {
  const noble = createNobleCrypto()
  for (const { change } of [
    { change: () => undefined },
    ...CHEATS.filter(({ code }) => code === 'signature/invalid'),
  ]) {
    const plan = planTdx()
    change(plan)
    const { item, input } = buildTdx(plan)
    assert.deepEqual(appraiseTdx(item, { ...input, crypto: noble, memory: undefined }), appraiseTdx(item, input))
  }
})

test('what a memory holds changes no result', () => {
  const { item, input } = buildTdx(planTdx())
  const first = appraiseTdx(item, input)
  assert.deepEqual(appraiseTdx(item, input), first)
  assert.deepEqual(appraiseTdx(item, { ...input, memory: undefined }), first)
  const later = appraiseTdx(item, { ...input, atMs: TEST_AT_MS + 30 * 86_400_000 })
  assert.deepEqual(resultsOf(later, 'fail'), ['tdx/tcb-info', 'tdx/qe-identity'])
  const unpinned = appraiseTdx(item, { ...input, roots: { ...input.roots, intel: [] } as never })
  assert.ok(!unpinned.isGenuine)
})
