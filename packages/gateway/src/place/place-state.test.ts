import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Acceptance,
  decidePlace,
  isShown,
  LEAST_WAIT_MS,
  LOG_AGAIN_MS,
  LOG_FAILURES_MS,
  MOST_WAIT_MS,
  NOTHING_SHOWN,
  type PlaceEvent,
  type PlaceState,
} from './place-state.ts'

const NOW_MS = 1_800_000_000_000
const ACCEPTANCE: Acceptance = {
  appraisal: 'aa',
  evidence: ['bb', 'cc'],
  tls: undefined,
  validUntilMs: NOW_MS + 60_000,
}
const ACCEPTED: PlaceState = {
  accepted: ACCEPTANCE,
  failures: 0,
  logged: { outcome: 'accepted', failed: '', atMs: NOW_MS },
}

function appraised(
  outcome: 'accepted' | 'refused' | 'unproven' | 'unavailable',
  failed: string[] = [],
  nowMs = NOW_MS,
) {
  return { type: 'appraised', nowMs, round: { outcome, failed } } as const satisfies PlaceEvent
}

test('what was accepted counts once it is in the log, and is renewed when half of its time is over', () => {
  const first = decidePlace(NOTHING_SHOWN, appraised('accepted'))
  assert.deepEqual(first.effects, [{ type: 'log' }])
  assert.equal(isShown(first.state, NOW_MS), false)
  const second = decidePlace(first.state, { type: 'logged', nowMs: NOW_MS, acceptance: ACCEPTANCE })
  assert.deepEqual(second.effects, [{ type: 'wait', ms: 30_000 }])
  assert.ok(isShown(second.state, NOW_MS + 59_999))
  assert.equal(isShown(second.state, NOW_MS + 60_000), false)
})

test('an acceptance that the log did not take counts for nothing; an older one stands', () => {
  const { state } = decidePlace(NOTHING_SHOWN, appraised('accepted'))
  const failed = decidePlace(state, { type: 'not-logged', nowMs: NOW_MS })
  assert.equal(isShown(failed.state, NOW_MS), false)
  assert.deepEqual(failed.effects, [{ type: 'wait', ms: LEAST_WAIT_MS }])
  const renewing = decidePlace(ACCEPTED, appraised('accepted'))
  assert.ok(isShown(decidePlace(renewing.state, { type: 'not-logged', nowMs: NOW_MS }).state, NOW_MS))
})

test('refused evidence ends an acceptance at once; a place that is away or unproven keeps it for its time', () => {
  const after = (outcome: 'refused' | 'unproven' | 'unavailable') => decidePlace(ACCEPTED, appraised(outcome)).state
  assert.equal(isShown(after('refused'), NOW_MS), false)
  assert.ok(isShown(after('unavailable'), NOW_MS))
  assert.ok(isShown(after('unproven'), NOW_MS))
  assert.equal(isShown(after('unavailable'), ACCEPTANCE.validUntilMs), false)
})

test('the same failure again is logged once an hour, another one once in ten minutes, the first at once', () => {
  const first = decidePlace(NOTHING_SHOWN, appraised('refused', ['a/b']))
  assert.deepEqual(first.effects, [{ type: 'log' }])
  const same = decidePlace(first.state, appraised('refused', ['a/b'], NOW_MS + 1000))
  assert.deepEqual(
    same.effects.map(({ type }) => type),
    ['wait'],
  )
  const later = NOW_MS + LOG_FAILURES_MS
  for (const [atMs, effect] of [
    [later - 1, 'wait'],
    [later, 'log'],
  ] as const) {
    for (const other of [appraised('refused', ['a/c'], atMs), appraised('unavailable', [], atMs)]) {
      assert.equal(decidePlace(same.state, other).effects[0]?.type, effect)
    }
  }
  assert.deepEqual(decidePlace(ACCEPTED, appraised('refused', ['a/b'])).effects, [{ type: 'log' }])
  assert.deepEqual(decidePlace(same.state, appraised('refused', ['a/b'], NOW_MS + LOG_AGAIN_MS)).effects, [
    { type: 'log' },
  ])
})

test('waits double up to a most, and an acceptance begins anew', () => {
  let state = decidePlace(NOTHING_SHOWN, appraised('unavailable')).state
  const waits: number[] = []
  for (let i = 0; i < 12; i++) {
    const step = decidePlace(state, appraised('unavailable', [], NOW_MS + 1))
    state = step.state
    for (const effect of step.effects) if (effect.type === 'wait') waits.push(effect.ms)
  }
  assert.deepEqual(waits.slice(0, 3), [2 * LEAST_WAIT_MS, 4 * LEAST_WAIT_MS, 8 * LEAST_WAIT_MS])
  assert.equal(waits.at(-1), MOST_WAIT_MS)
  const { state: again } = decidePlace(state, { type: 'logged', nowMs: NOW_MS, acceptance: ACCEPTANCE })
  assert.equal(again.failures, 0)
})
