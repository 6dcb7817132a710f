import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  MAX_OBSERVATIONS,
  NEW_QUORUM_CLOCK,
  observeMet,
  observeSize,
  type QuorumClock,
  unmetForMs,
} from './quorum-clock.ts'

test('time runs from the oldest entry that is not confirmed', () => {
  let clock = observeSize(NEW_QUORUM_CLOCK, 5, 1000)
  assert.equal(unmetForMs(clock, 4000), 3000)
  clock = observeSize(clock, 5, 2000)
  clock = observeSize(clock, 8, 3000)
  assert.equal(unmetForMs(clock, 4000), 3000)
  clock = observeMet(clock, 6)
  assert.equal(unmetForMs(clock, 4000), 1000)
  clock = observeMet(clock, 8)
  assert.equal(unmetForMs(clock, 10 ** 9), 0)
  assert.equal(unmetForMs(NEW_QUORUM_CLOCK, 10 ** 9), 0)
})

test('a log that rests is never overdue, and an older head changes nothing', () => {
  let clock = observeMet(observeSize(NEW_QUORUM_CLOCK, 5, 0), 5)
  clock = observeSize(clock, 5, 10 ** 6)
  clock = observeMet(clock, 3)
  assert.deepEqual(clock, { metSize: 5, beyond: [] })
})

test('a quorum that is never met is timed from the first entry, in bounded memory', () => {
  let clock: QuorumClock = NEW_QUORUM_CLOCK
  for (let i = 1; i < 10_000; i++) clock = observeSize(clock, i, i * 1000)
  assert.ok(clock.beyond.length <= MAX_OBSERVATIONS)
  assert.equal(unmetForMs(clock, 10_000_000), 9_999_000)
})

test('it never says longer than it is', () => {
  const event = fc.record({ isMet: fc.boolean(), size: fc.nat(50), passedMs: fc.nat(1000) })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 300 }), (events) => {
      let clock: QuorumClock = NEW_QUORUM_CLOCK
      let [nowMs, size, met] = [0, 0, 0]
      /** When each size was there first. */
      const seen = new Map<number, number>()
      for (const each of events) {
        nowMs += each.passedMs
        if (each.isMet) {
          met = Math.max(met, Math.min(each.size, size))
          clock = observeMet(clock, met)
        } else {
          size = Math.max(size, each.size)
          for (let i = 1; i <= size; i++) if (!seen.has(i)) seen.set(i, nowMs)
          clock = observeSize(clock, size, nowMs)
        }
        const longest = met < size ? nowMs - (seen.get(met + 1) ?? 0) : 0
        assert.ok(unmetForMs(clock, nowMs) <= longest)
        assert.equal(unmetForMs(clock, nowMs + 1) > 0, met < size)
      }
    }),
  )
})
