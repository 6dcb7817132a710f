import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createClock, MAX_STEP_BACK_MS } from './clock.ts'

function clockOver(times: readonly number[], lastMs = 0) {
  const rest = [...times]
  return createClock(() => rest.shift() ?? 0, lastMs)
}

test('goes with the machine', () => {
  const clock = clockOver([1000, 1000, 2000])
  assert.deepEqual(clock.read(), { timeMs: 1000, clamped: false })
  assert.deepEqual(clock.read(), { timeMs: 1000, clamped: false })
  assert.deepEqual(clock.read(), { timeMs: 2000, clamped: false })
})

test('a step back of five seconds is clamped and noted', () => {
  const clock = clockOver([10_000, 10_000 - MAX_STEP_BACK_MS, 10_001])
  clock.read()
  assert.deepEqual(clock.read(), { timeMs: 10_000, clamped: true })
  assert.deepEqual(clock.read(), { timeMs: 10_001, clamped: false })
})

test('a longer step back is refused, and the clock works again when it is corrected', () => {
  const clock = clockOver([10_000, 10_000 - MAX_STEP_BACK_MS - 1, 10_002])
  clock.read()
  assert.throws(() => clock.read(), { code: 'clock/went-backwards' })
  assert.deepEqual(clock.read(), { timeMs: 10_002, clamped: false })
})

test('starts no earlier than what was recorded', () => {
  assert.deepEqual(clockOver([9000], 10_000).read(), { timeMs: 10_000, clamped: true })
  assert.throws(() => clockOver([4999], 10_000).read(), { code: 'clock/went-backwards' })
})

test('many small steps back add up to no way back', () => {
  const clock = clockOver([10_000, 6000, 4999])
  clock.read()
  clock.read()
  assert.throws(() => clock.read(), { code: 'clock/went-backwards' })
})

test('never goes back, whatever the machine does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 50 }), (times) => {
      const clock = clockOver(times)
      let last = 0
      for (const time of times) {
        if (time < last - MAX_STEP_BACK_MS) {
          assert.throws(() => clock.read(), { code: 'clock/went-backwards' })
          continue
        }
        const { timeMs, clamped } = clock.read()
        assert.equal(timeMs, Math.max(last, time))
        assert.equal(clamped, time < last)
        last = timeMs
      }
    }),
  )
})

test('what has begun is given a time whatever the clock does, and never one before the last', () => {
  const clock = clockOver([100_000, 1, 100_001, 2])
  clock.read()
  assert.deepEqual(clock.readClamped(), { timeMs: 100_000, clamped: true })
  assert.deepEqual(clock.readClamped(), { timeMs: 100_001, clamped: false })
  assert.throws(() => clock.read(), { code: 'clock/went-backwards' })
})
