import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type BreakerEvent, type BreakerState, CLOSED_CIRCUIT, decideBreaker, maySend } from './breaker.ts'

const LIMITS = { failures: 3, openMs: 1000 }

function after(state: BreakerState, ...events: readonly BreakerEvent[]): BreakerState {
  return events.reduce((each, event) => decideBreaker(each, event, LIMITS), state)
}

const failed = (nowMs: number): BreakerEvent => ({ type: 'failed', nowMs })

test('opens after failures in a row, and not before', () => {
  const two = after(CLOSED_CIRCUIT, failed(1), failed(2))
  assert.equal(maySend(two, 3), true)
  const open = after(two, failed(3))
  assert.deepEqual(open, { circuit: 'open', untilMs: 1003 })
  assert.equal(maySend(open, 1002), false)
  assert.equal(maySend(open, 1003), true)
  assert.deepEqual(after(open, failed(500)), open, 'a late failure keeps it open no longer')
})

test('a whole answer makes failures forgotten, a begun one does not', () => {
  const two = after(CLOSED_CIRCUIT, failed(1), failed(2))
  assert.equal(after(two, { type: 'answered' }, failed(3)).circuit, 'open')
  assert.equal(after(two, { type: 'completed' }, failed(3)).circuit, 'closed')
})

test('half open lets one through, whose fate decides', () => {
  const open = after(CLOSED_CIRCUIT, failed(1), failed(2), failed(3))
  const trial = after(open, { type: 'sent' })
  assert.deepEqual(trial, { circuit: 'half-open' })
  assert.equal(maySend(trial, 1e9), false)
  assert.deepEqual(after(trial, { type: 'answered' }), CLOSED_CIRCUIT)
  assert.deepEqual(after(trial, failed(5000)), { circuit: 'open', untilMs: 6000 })
  const left = after(trial, { type: 'abandoned', isTrial: true, nowMs: 5000 })
  assert.equal(maySend(left, 5000), true, 'an abandoned trial says nothing, and leaves its place to another')
  assert.deepEqual(after(trial, { type: 'abandoned', isTrial: false, nowMs: 5000 }), trial)
})

test('never more than one trial is under way, and nothing is sent before the time', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('send', 'answered', 'completed', 'failed', 'abandoned'), fc.nat(400)))
  fc.assert(
    fc.property(steps, (moves) => {
      let state = CLOSED_CIRCUIT
      let nowMs = 0
      let openUntilMs = 0
      const underWay: { readonly isTrial: boolean }[] = []
      for (const [move, passedMs] of moves) {
        nowMs += passedMs
        if (move === 'send') {
          if (!maySend(state, nowMs)) continue
          assert.ok(state.circuit === 'closed' || nowMs >= openUntilMs)
          const isTrial = state.circuit !== 'closed'
          assert.ok(!isTrial || state.circuit === 'open')
          underWay.push({ isTrial })
          state = after(state, { type: 'sent' })
        } else {
          const one = move === 'answered' ? underWay[0] : underWay.shift()
          if (one === undefined) continue
          const events: { readonly [move: string]: BreakerEvent } = {
            answered: { type: 'answered' },
            completed: { type: 'completed' },
            failed: failed(nowMs),
            abandoned: { type: 'abandoned', isTrial: one.isTrial, nowMs },
          }
          state = after(state, events[move] as BreakerEvent)
        }
        if (state.circuit === 'open') openUntilMs = state.untilMs
      }
    }),
  )
})
