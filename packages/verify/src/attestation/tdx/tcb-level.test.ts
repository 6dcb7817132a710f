import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../bytes/json.ts'
import { appraiseTdx } from './appraise-tdx.ts'
import { attributes, policy, qe, report, svn, tcb } from './plan-changes.testing.ts'
import { buildTdx, componentLevel, planTdx, platformLevel, type TdxPlan } from './tdx-evidence.testing.ts'

function appraise(change: (plan: TdxPlan) => void, version: 4 | 5 = 5) {
  const plan = planTdx(version)
  change(plan)
  const { item, input } = buildTdx(plan)
  return appraiseTdx(item, input)
}

function statusOf(change: (plan: TdxPlan) => void, version: 4 | 5 = 5): Json | undefined {
  return appraise(change, version).claims.tdx_tcb_status
}

const level = (plan: TdxPlan, status: string) => tcb(plan, ['tcbLevels', 0, 'tcbStatus'], status)
const oldModule = (plan: TdxPlan) => report(plan, 'teeTcbSvn', svn(4, 1, 8))
const oldQe = (plan: TdxPlan) => {
  plan.qeReport.svn = 3
}

test('the first level that is reached decides', () => {
  assert.equal(
    statusOf(() => undefined),
    'UpToDate',
  )
  const old = appraise((plan) => {
    plan.pckExtension.components[1] = 7
  })
  assert.equal(old.claims.tdx_tcb_status, 'OutOfDate')
  assert.deepEqual(old.claims.tdx_advisory_ids, ['INTEL-SA-01036'])
  assert.equal(old.claims.tdx_tcb_date, '2025-02-11T00:00:00.000Z')
})

test('with a major version, the module is graded by its identity and not by the level', () => {
  // The level asks for 5 at index 0, and the module of major version 1 has another count.
  const graded = (plan: TdxPlan) => {
    report(plan, 'teeTcbSvn', svn(4, 1, 8))
    report(plan, 'teeTcbSvn2', svn(4, 1, 8))
    tcb(plan, ['tdxModuleIdentities', 1, 'tcbLevels'], [componentLevel(4)])
  }
  assert.equal(statusOf(graded), 'UpToDate')
  const unversioned = (plan: TdxPlan) => {
    report(plan, 'teeTcbSvn', svn(4, 0, 8))
    tcb(plan, ['tcbLevels', 1], platformLevel(7, [3, 0, 7], 11, { tcbStatus: 'OutOfDate' }))
  }
  assert.equal(statusOf(unversioned), 'OutOfDate')
  assert.equal(
    statusOf((plan) => report(plan, 'teeTcbSvn', svn(5, 0, 8))),
    'UpToDate',
  )
})

test('an old part makes the whole old, and a revoked part revokes it', () => {
  for (const part of [oldModule, oldQe]) {
    const with4 = (status: string) =>
      statusOf((plan) => {
        level(plan, status)
        part(plan)
      }, 4)
    assert.equal(with4('UpToDate'), 'OutOfDate')
    assert.equal(with4('SWHardeningNeeded'), 'OutOfDate')
    assert.equal(with4('ConfigurationNeeded'), 'OutOfDateConfigurationNeeded')
    assert.equal(with4('ConfigurationAndSWHardeningNeeded'), 'OutOfDateConfigurationNeeded')
    assert.equal(with4('OutOfDate'), 'OutOfDate')
    assert.equal(with4('OutOfDateConfigurationNeeded'), 'OutOfDateConfigurationNeeded')
    assert.equal(with4('Revoked'), 'Revoked')
  }
})

test('a domain under an old module, where the latest runs now, is to be started again', () => {
  assert.equal(statusOf(oldModule), 'TDRelaunchAdvised')
  const configured = (plan: TdxPlan) => {
    level(plan, 'ConfigurationNeeded')
    oldModule(plan)
  }
  assert.equal(statusOf(configured), 'TDRelaunchAdvisedConfigurationNeeded')
  const others: readonly ((plan: TdxPlan) => void)[] = [
    (plan) => report(plan, 'teeTcbSvn2', svn(5, 1, 8)),
    (plan) => report(plan, 'teeTcbSvn2', svn(6, 1, 7)),
    (plan) => report(plan, 'teeTcbSvn2', svn(4, 0, 8)),
    (plan) => oldQe(plan),
    (plan) => level(plan, 'OutOfDate'),
  ]
  for (const other of others) {
    const status = statusOf((plan) => {
      oldModule(plan)
      other(plan)
    })
    assert.equal(status, 'OutOfDate')
  }
  const unversioned = (plan: TdxPlan) => {
    oldModule(plan)
    report(plan, 'teeTcbSvn2', svn(5, 0, 8))
  }
  assert.equal(statusOf(unversioned), 'TDRelaunchAdvised')
})

test('a module that runs now and is not listed refuses the platform', () => {
  const appraised = appraise((plan) => {
    oldModule(plan)
    report(plan, 'teeTcbSvn2', svn(9, 9, 9))
  })
  const failed = appraised.checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
  assert.deepEqual(failed, ['tdx/tcb-level'])
})

test('what a policy accepts besides UpToDate is a warning', () => {
  const accepted = appraise((plan) => {
    oldModule(plan)
    policy(plan, { states: ['TDRelaunchAdvised'], advisories: ['INTEL-SA-01036'] })
  })
  assert.ok(accepted.isGenuine && accepted.isKnownCode)
  assert.equal(accepted.tier, 'warning')
  assert.deepEqual(accepted.notes, [
    'The platform is TDRelaunchAdvised.',
    "Intel's advisories that apply: INTEL-SA-01036.",
  ])
  for (const more of [{ allow: ['sept-ve'] }, { preset: 'azure' }]) {
    const azure = appraise((plan) => {
      attributes(plan, '0000000000000000')
      policy(plan, more)
    })
    assert.ok(azure.isKnownCode)
    assert.equal(azure.tier, 'warning')
  }
  const moved = appraise((plan) => {
    attributes(plan, '0000003000000000')
    report(plan, 'mrServiceTd', new Uint8Array(48).fill(1))
    policy(plan, { allow: ['migration'] })
  })
  assert.ok(moved.isKnownCode)
  assert.equal(moved.tier, 'warning')
})

test('a policy may name the service domain', () => {
  const named = appraise((plan) => {
    report(plan, 'mrServiceTd', new Uint8Array(48).fill(1))
    const booted = { mrtd: ['31'.repeat(48)], rtmr1: ['41'.repeat(48)], rtmr2: ['42'.repeat(48)] }
    policy(plan, { measurements: { ...booted, mrservicetd: ['01'.repeat(48)] } })
  })
  assert.ok(named.isKnownCode)
  assert.equal(named.tier, 'affirming')
})

test('a policy that leaves open what was booted is met, with a warning', () => {
  const appraised = appraise((plan) => policy(plan, { measurements: { mrtd: ['31'.repeat(48)] } }))
  assert.ok(appraised.isKnownCode)
  assert.equal(appraised.tier, 'warning')
  assert.deepEqual(appraised.notes, ['The policy leaves open what was booted: it does not name rtmr1, rtmr2.'])
})

test('versions of the list that are older stay graded by their own levels', () => {
  assert.equal(
    statusOf((plan) => qe(plan, ['tcbLevels'], [componentLevel(7), componentLevel(1, { tcbStatus: 'OutOfDate' })])),
    'OutOfDate',
  )
})
