import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ApiKey } from './api-key.ts'
import { MAX_KEYS } from './api-keys.ts'
import { createRateLimits } from './rate-limits.ts'

const KEY: ApiKey = { id: 'key_a', name: 'a', deployments: 'all', rights: ['infer'], createdAtMs: 0 }

test('a key without limits is always let in, and nothing is remembered of it', () => {
  const limits = createRateLimits()
  for (let i = 0; i < 1000; i++) assert.deepEqual(limits.admit(KEY, 1e9, 0), { admitted: true })
  limits.settle(KEY, 1, 2)
})

test('requests of a minute run out, and come back as time passes', () => {
  const limits = createRateLimits()
  const key = { ...KEY, requestsPerMinute: 3 }
  const at = (timeMs: number) => limits.admit(key, 0, timeMs)
  for (let i = 0; i < 3; i++) assert.equal(at(0).admitted, true)
  assert.deepEqual(at(0), { admitted: false, limit: 'requests', retryAfterSeconds: 20 })
  assert.deepEqual(at(19_001), { admitted: false, limit: 'requests', retryAfterSeconds: 1 })
  assert.equal(at(20_000).admitted, true)
  assert.equal(at(20_000).admitted, false)
})

test('tokens run out too, whoever refuses takes nothing', () => {
  const limits = createRateLimits()
  const key = { ...KEY, requestsPerMinute: 2, tokensPerMinute: 1000 }
  assert.equal(limits.admit(key, 600, 0).admitted, true)
  const refused = limits.admit(key, 700, 0)
  assert.deepEqual(refused, { admitted: false, limit: 'tokens', retryAfterSeconds: 18 })
  assert.equal(limits.admit(key, 400, 0).admitted, true, 'the refused one took neither request nor tokens')
  assert.deepEqual(limits.admit(key, 0, 0), { admitted: false, limit: 'requests', retryAfterSeconds: 30 })
})

test('after as long as was said, the request is let in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 6000 })), { maxLength: 40 }),
      (requestsPerMinute, tokensPerMinute, asks) => {
        const limits = createRateLimits()
        const key = { ...KEY, requestsPerMinute, tokensPerMinute }
        let nowMs = 0
        for (const [passedMs, tokens] of asks) {
          nowMs += passedMs
          const decision = limits.admit(key, tokens, nowMs)
          if (decision.admitted) continue
          // Once for each bucket: waiting for one may not be enough for the other. A hair for sums of fractions.
          nowMs += decision.retryAfterSeconds * 1000 + 1
          assert.equal(limits.admit(key, tokens, nowMs).admitted, true)
        }
      },
    ),
  )
})

test('in no minute more than twice the allowance: what had gathered, and what came in', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 120 }), (steps) => {
      const limits = createRateLimits()
      const key = { ...KEY, requestsPerMinute: 6 }
      let nowMs = 0
      const admitted: number[] = []
      for (const step of steps) {
        nowMs += step
        if (limits.admit(key, 0, nowMs).admitted) admitted.push(nowMs)
      }
      for (const from of admitted) {
        assert.ok(admitted.filter((at) => at >= from && at < from + 60_000).length <= 12)
      }
    }),
  )
})

test('what gathers is never more than one minute’s allowance', () => {
  const limits = createRateLimits()
  const key = { ...KEY, requestsPerMinute: 2, tokensPerMinute: 100 }
  assert.equal(limits.admit(key, 100, 0).admitted, true)
  limits.settle(key, 100, 0)
  const hourLaterMs = 3_600_000
  assert.equal(limits.admit(key, 100, hourLaterMs).admitted, true)
  assert.equal(limits.admit(key, 1, hourLaterMs).admitted, false)
  assert.equal(limits.admit(key, 0, hourLaterMs).admitted, true)
  assert.equal(limits.admit(key, 0, hourLaterMs).admitted, false)
})

test('an answer that was longer than expected is paid back before the next request', () => {
  const limits = createRateLimits()
  const key = { ...KEY, tokensPerMinute: 600 }
  limits.admit(key, 100, 0)
  limits.settle(key, 100, 1100)
  assert.deepEqual(limits.admit(key, 100, 0), { admitted: false, limit: 'tokens', retryAfterSeconds: 60 })
  assert.equal(limits.admit(key, 100, 60_000).admitted, true)
})

test('one that was shorter gives back what it did not need', () => {
  const limits = createRateLimits()
  const key = { ...KEY, tokensPerMinute: 600 }
  limits.admit(key, 600, 0)
  limits.settle(key, 600, 10)
  assert.equal(limits.admit(key, 590, 0).admitted, true)
  assert.equal(limits.admit(key, 1, 0).admitted, false)
})

test('a request for more than a minute’s tokens waits for a full minute, and leaves a debt', () => {
  const limits = createRateLimits()
  const key = { ...KEY, tokensPerMinute: 600 }
  assert.equal(limits.admit(key, 1200, 0).admitted, true)
  assert.deepEqual(limits.admit(key, 1, 0), { admitted: false, limit: 'tokens', retryAfterSeconds: 61 })
})

test('a clock that steps back gives nothing, and starves nobody', () => {
  const limits = createRateLimits()
  const key = { ...KEY, requestsPerMinute: 1 }
  assert.equal(limits.admit(key, 0, 10_000_000).admitted, true)
  assert.equal(limits.admit(key, 0, 0).admitted, false)
  assert.equal(limits.admit(key, 0, 59_999).admitted, false)
  assert.equal(limits.admit(key, 0, 60_000).admitted, true)
})

test('each key has its own, and the one that asked longest ago is forgotten first', () => {
  const limits = createRateLimits()
  const key = (i: number) => ({ ...KEY, id: `key_${i}`, requestsPerMinute: 1 })
  for (let i = 0; i < MAX_KEYS; i++) assert.equal(limits.admit(key(i), 0, 0).admitted, true)
  assert.equal(limits.admit(key(0), 0, 0).admitted, false)
  assert.equal(limits.admit(key(MAX_KEYS), 0, 0).admitted, true)
  assert.equal(limits.admit(key(0), 0, 0).admitted, false, 'asked lately')
  assert.equal(limits.admit(key(1), 0, 0).admitted, true, 'forgotten')
})
