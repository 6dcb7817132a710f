import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ErrorCode } from '@countersign/verify'
import fc from 'fast-check'
import {
  BASE_DELAY_MS,
  decideRetry,
  MAX_DELAY_MS,
  MAX_RETRY_AFTER_MS,
  type RetryOutcome,
  startRetries,
} from './retry.ts'

const LIMITS = { attempts: 3, totalMs: 30_000 }
const half = () => 0.5

const status = (code: number, retryAfter?: string): RetryOutcome => ({ kind: 'status', status: code, retryAfter })
const error = (code: ErrorCode): RetryOutcome => ({ kind: 'error', code })

/** The actions that follow one another when each try, at the given times, comes to that. */
function actionsAfter(targets: number, outcomes: readonly RetryOutcome[], limits = LIMITS): readonly string[] {
  let state = startRetries(limits, 0, targets)
  return outcomes.map((outcome, i) => {
    const decision = decideRetry(state, outcome, i, half)
    state = decision.state
    return decision.action
  })
}

test('what is no fault of the upstream is delivered as it is', () => {
  for (const code of [200, 206, 302, 400, 401, 403, 404, 413, 422]) {
    assert.deepEqual(actionsAfter(3, [status(code)]), ['deliver'], String(code))
  }
})

test('faults are tried elsewhere, or here when there is nowhere else', () => {
  for (const outcome of [status(429), status(500), status(502), status(503), status(529)]) {
    assert.deepEqual(actionsAfter(2, [outcome, outcome, status(200)]), ['next-target', 'retry-same', 'deliver'])
  }
  for (const code of ['upstream/unreachable', 'upstream/timeout', 'upstream/busy', 'upstream/malformed'] as const) {
    assert.deepEqual(actionsAfter(2, [error(code), error(code), error(code)]), ['next-target', 'retry-same', 'give-up'])
  }
})

test('what may have been chance is tried once more at the same place', () => {
  for (const outcome of [status(408), status(409), error('upstream/reset')]) {
    assert.deepEqual(actionsAfter(2, [outcome, outcome, status(200)]), ['retry-same', 'next-target', 'deliver'])
  }
})

test('a fault of the request, or of the gateway, is not tried again', () => {
  for (const code of ['request/malformed', 'request/not-found', 'execution/failed', 'upstream/too-large'] as const) {
    assert.deepEqual(actionsAfter(3, [error(code)]), ['give-up'])
    assert.deepEqual(actionsAfter(3, [status(503), error(code)]), ['next-target', 'give-up'])
  }
})

test('when everything failed, the last real answer is delivered', () => {
  assert.deepEqual(actionsAfter(3, [status(503), status(500), status(429)]).at(-1), 'deliver')
  assert.deepEqual(actionsAfter(3, [status(503), error('upstream/timeout'), error('upstream/busy')]).at(-1), 'deliver')
  assert.deepEqual(
    actionsAfter(3, [error('upstream/reset'), error('upstream/busy'), error('upstream/busy')]).at(-1),
    'give-up',
  )
})

test('one attempt is one attempt', () => {
  assert.deepEqual(actionsAfter(5, [status(503)], { attempts: 1, totalMs: 1000 }), ['deliver'])
})

test('an upstream is waited for as long as it asks, up to a bound', () => {
  const after = (retryAfter: string, targets = 1, date?: string) =>
    decideRetry(startRetries(LIMITS, 0, targets), { ...status(429, retryAfter), date } as RetryOutcome, 0, half)
  assert.equal(after('3').delayMs, 3000)
  assert.equal(after('0').delayMs, BASE_DELAY_MS / 2)
  assert.equal(after('soon').delayMs, BASE_DELAY_MS / 2)
  assert.equal(after('-5').delayMs, BASE_DELAY_MS / 2)
  assert.equal(after('Thu, 01 Jan 2026 00:00:05 GMT', 1, 'Thu, 01 Jan 2026 00:00:01 GMT').delayMs, 4000)
  assert.equal(after('Thu, 01 Jan 2026 00:00:05 GMT').delayMs, BASE_DELAY_MS / 2, 'a date without another says nothing')
  const long = String(MAX_RETRY_AFTER_MS / 1000 + 1)
  assert.equal(after(long).action, 'deliver')
  assert.deepEqual([after(long, 2).action, after(long, 2).delayMs], ['next-target', 0])
  assert.equal(decideRetry(startRetries(LIMITS, 0, 2), status(409, long), 0, half).action, 'next-target')
})

test('no try begins after the time is over', () => {
  const state = startRetries(LIMITS, 1000, 2)
  assert.equal(decideRetry(state, status(503), 31_001, half).action, 'deliver')
  assert.equal(decideRetry(state, status(503), 31_000, half).action, 'next-target')
  const alone = startRetries(LIMITS, 1000, 1)
  assert.equal(decideRetry(alone, status(503, '10'), 20_999, half).action, 'retry-same')
  assert.equal(decideRetry(alone, status(503, '10'), 21_001, half).action, 'deliver')
})

test('whatever happens: attempts, places, time and waits stay within their bounds', () => {
  const outcome: fc.Arbitrary<RetryOutcome> = fc.oneof(
    fc.record({
      kind: fc.constant('status' as const),
      status: fc.constantFrom(408, 409, 429, 500, 503),
      retryAfter: fc.option(fc.oneof(fc.nat(40).map(String), fc.string()), { nil: undefined }),
    }),
    fc.constantFrom<ErrorCode>('upstream/reset', 'upstream/timeout', 'upstream/busy').map(error),
  )
  const limits = fc.record({ attempts: fc.integer({ min: 1, max: 10 }), totalMs: fc.nat(60_000) })
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const steps = fc.array(fc.tuple(outcome, fc.nat(5000), unit), { minLength: 11, maxLength: 11 })
  fc.assert(
    fc.property(limits, fc.integer({ min: 1, max: 5 }), steps, (bounds, targets, moves) => {
      let state = startRetries(bounds, 500, targets)
      let nowMs = 500
      let tries = 0
      let places = 1
      let hasAnswer = false
      for (const [what, tookMs, drawn] of moves) {
        tries++
        nowMs += tookMs
        hasAnswer ||= what.kind === 'status'
        const decision = decideRetry(state, what, nowMs, () => drawn)
        if (decision.action === 'deliver' || decision.action === 'give-up') {
          assert.equal(decision.action, hasAnswer ? 'deliver' : 'give-up')
          assert.equal(decision.delayMs, 0)
          break
        }
        assert.ok(decision.delayMs >= 0 && decision.delayMs <= Math.max(MAX_DELAY_MS, MAX_RETRY_AFTER_MS))
        if (decision.action === 'next-target') places++
        nowMs += decision.delayMs
        assert.ok(nowMs <= 500 + bounds.totalMs, 'begins in time')
        state = decision.state
      }
      assert.ok(tries <= bounds.attempts && places <= targets)
    }),
  )
})

test('the bound of the wait doubles up to its most', () => {
  let state = startRetries({ attempts: 20, totalMs: 1e9 }, 0, 1)
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    const decision = decideRetry(state, status(500), 0, () => 1 - Number.EPSILON)
    waits.push(Math.round(decision.delayMs))
    state = decision.state
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000])
})
