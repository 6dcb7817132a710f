import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPOSE_HASH, dstackLog, guestEvents, registersOf } from '../event-log/event-log.testing.ts'
import { appraiseTdx } from './appraise-tdx.ts'
import { OTHER, report } from './plan-changes.testing.ts'
import { buildTdx, planTdx, type TdxPlan } from './tdx-evidence.testing.ts'

function appraise(change: (plan: TdxPlan) => void = () => undefined) {
  const plan = planTdx()
  const events = guestEvents()
  for (const [i, value] of registersOf(events).entries()) report(plan, `rtmr${i}`, value)
  plan.eventLog = { format: 'dstack', content: dstackLog(events) }
  plan.policy = { tee: 'tdx', measurements: { mrtd: ['31'.repeat(48)], 'compose-hash': [COMPOSE_HASH] } }
  change(plan)
  const { item, input } = buildTdx(plan)
  return appraiseTdx(item, input)
}

function failures({ checks }: ReturnType<typeof appraiseTdx>) {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

test('a log that replays shows what the guest measured of itself', () => {
  const appraised = appraise()
  assert.deepEqual(failures(appraised), [])
  assert.ok(appraised.isGenuine && appraised.isKnownCode)
  assert.equal(appraised.measurements['compose-hash'], COMPOSE_HASH)
  assert.deepEqual(appraised.notes, ['The policy leaves open what was booted: it does not name rtmr1, rtmr2.'])
})

test('event-log: a log that does not replay shows nothing, and known code no longer', () => {
  const appraised = appraise((plan) => {
    plan.eventLog = { format: 'dstack', content: dstackLog(guestEvents().slice(1)) }
  })
  assert.deepEqual(failures(appraised), ['tdx/event-log', 'tdx/measurements'])
  assert.ok(appraised.isGenuine && !appraised.isKnownCode)
  assert.equal(appraised.measurements['compose-hash'], undefined)
  const unneeded = appraise((plan) => {
    plan.eventLog = { format: 'dstack', content: dstackLog(guestEvents().slice(1)) }
    plan.policy = { tee: 'tdx', measurements: { mrtd: ['31'.repeat(48)] } }
  })
  assert.deepEqual(failures(unneeded), ['tdx/event-log'])
  assert.ok(!unneeded.isKnownCode)
  assert.equal(unneeded.tier, 'contraindicated')
})

test('event-log: of a quote that nobody signed a log that replays shows nothing', () => {
  const appraised = appraise((plan) => {
    plan.keys.quoteSigner = OTHER
  })
  assert.deepEqual(failures(appraised), ['tdx/quote-signature'])
  assert.deepEqual(appraised.measurements, {})
})

test('event-log: a log that explains some registers alone is noted', () => {
  const appraised = appraise((plan) => {
    plan.eventLog = { format: 'dstack', content: dstackLog(guestEvents().filter(({ imr }) => imr === 3)) }
  })
  assert.ok(appraised.isKnownCode)
  assert.equal(appraised.notes[0], 'The event log has events of RTMR3 alone.')
})
