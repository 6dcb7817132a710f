import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRateLimit } from './rate-limit.ts'

test('lets a burst through, then as much as flows in', () => {
  const limit = createRateLimit(10, 3)
  const at = (timeMs: number) => limit.admit('a', timeMs)
  assert.deepEqual([at(0), at(0), at(0), at(0)], [true, true, true, false])
  assert.deepEqual([at(99), at(100), at(100)], [false, true, false])
  assert.deepEqual([at(10_000), at(10_000), at(10_000), at(10_000)], [true, true, true, false])
})

test('each address has its own', () => {
  const limit = createRateLimit(1, 1)
  assert.equal(limit.admit('a', 0), true)
  assert.equal(limit.admit('b', 0), true)
  assert.equal(limit.admit('a', 0), false)
})

test('a clock that steps back gives nothing away', () => {
  const limit = createRateLimit(1, 1)
  assert.equal(limit.admit('a', 10_000), true)
  assert.equal(limit.admit('a', 5000), false)
  assert.equal(limit.admit('a', 5500), false)
  assert.equal(limit.admit('a', 6000), true)
})

test('in no span of time more than burst and rate allow', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 100 }), (steps) => {
      const limit = createRateLimit(5, 4)
      let now = 0
      const admitted: number[] = []
      for (const step of steps) {
        now += step
        if (limit.admit('a', now)) admitted.push(now)
      }
      for (const [i, from] of admitted.entries()) {
        for (const [j, to] of admitted.entries()) {
          if (j >= i) assert.ok(j - i + 1 <= 4 + ((to - from) / 1000) * 5 + 1e-9)
        }
      }
    }),
  )
})

test('remembers at most ten thousand addresses, and forgets the one that asked longest ago', () => {
  const limit = createRateLimit(0.001, 1)
  for (let i = 0; i < 10_000; i++) limit.admit(`address ${i}`, 0)
  assert.equal(limit.admit('address 0', 0), false)
  assert.equal(limit.admit('one more', 0), true)
  assert.equal(limit.admit('address 0', 0), false, 'asked lately')
  assert.equal(limit.admit('address 1', 0), true, 'forgotten')
})
