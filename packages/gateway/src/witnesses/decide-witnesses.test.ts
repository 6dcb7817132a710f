import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatNoteKey, NOTE_COSIGNATURE, NOTE_ED25519, noteKey, parseTlogPolicy } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import fc from 'fast-check'
import type { SignedHead } from '../log/sequencer.ts'
import type { WitnessAnswer } from './answer.ts'
import {
  ALARM_DELAY_MS,
  decideWitnesses,
  firstWitnessesState,
  isGathered,
  MAX_CONFLICTS,
  MAX_DELAY_MS,
  newestFor,
  type WitnessEffect,
  type WitnessEvent,
  type WitnessesState,
} from './decide-witnesses.ts'

const crypto = createNodeCrypto()
const key = (name: string, type: number, byte: number) =>
  formatNoteKey(noteKey(crypto, `${name}.example.org`, type, new Uint8Array(32).fill(byte)))

/** Three witnesses, `w1` to `w3`, and a group of them. */
function policyWith(group: string) {
  const witnesses = [1, 2, 3].map((i) => `witness w${i} ${key(`w${i}`, NOTE_COSIGNATURE, i)} http://127.0.0.1:${i}`)
  return parseTlogPolicy(
    crypto,
    `${witnesses.join('\n')}\ngroup ${group} w1 w2 w3\nquorum none\nlog ${key('log', NOTE_ED25519, 9)}\n`,
  )
}

const POLICY = policyWith('two 2')
const NAMES = ['w1', 'w2', 'w3']

function head(size: number): SignedHead {
  return { size, root: new Uint8Array(32).fill(size % 256), note: `head ${size}`, timeMs: 0 }
}

function cosigned(timeSeconds = 1): WitnessAnswer {
  return {
    kind: 'cosigned',
    signature: { name: '', id: new Uint8Array(4), signature: new Uint8Array(72) },
    timeSeconds,
  }
}

/** A state with its effects so far. */
function begin(quorums: readonly string[] = ['two'], policy = POLICY) {
  let state = firstWitnessesState(policy, quorums, [])
  const all: WitnessEffect[] = []
  return {
    get state() {
      return state
    },
    all,
    step(event: WitnessEvent): readonly WitnessEffect[] {
      const decision = decideWitnesses(state, event)
      state = decision.state
      all.push(...decision.effects)
      return decision.effects
    },
    head: (size: number, nowMs = 0) => ({ kind: 'head', head: head(size), nowMs }) as const,
    answer: (witness: string, answer: WitnessAnswer, nowMs = 0, random = 0) =>
      ({ kind: 'answer', witness, answer, nowMs, random }) as const,
  }
}

function asks(effects: readonly WitnessEffect[]): readonly string[] {
  return effects.flatMap((each) => (each.kind === 'ask' ? [`${each.witness} ${each.oldSize}-${each.head.size}`] : []))
}

test('every witness is asked at once, from what it cosigned last', () => {
  const run = begin()
  assert.deepEqual(asks(run.step(run.head(5))), ['w1 0-5', 'w2 0-5', 'w3 0-5'])
  for (const name of NAMES) run.step(run.answer(name, cosigned()))
  assert.equal(newestFor(run.state, 'two')?.head.size, 5)
  assert.deepEqual(asks(run.step(run.head(9))), ['w1 5-9', 'w2 5-9', 'w3 5-9'])
})

test('a witness that is asked is not asked again; when it is free it is asked for the newest head', () => {
  const run = begin([])
  run.step(run.head(5))
  assert.deepEqual(asks(run.step(run.head(6))), [])
  assert.deepEqual(asks(run.step(run.head(7))), [])
  assert.deepEqual(asks(run.step(run.answer('w2', cosigned()))), ['w2 5-7'])
})

test('slow witnesses of different speed meet on one head', () => {
  const run = begin(['two'])
  run.step(run.head(5))
  run.step(run.answer('w1', { kind: 'unavailable', why: 'down', retryAfterMs: 0 }))
  run.step(run.head(6))
  run.step(run.answer('w2', cosigned()))
  run.step(run.head(7))
  run.step(run.head(8))
  assert.deepEqual(asks(run.step(run.answer('w3', cosigned()))), ['w3 5-8'])
  assert.equal(newestFor(run.state, 'two')?.head.size, 5)
  // w2 was asked for 6 alone, and comes to the candidate before what is newer.
  run.step(run.head(9))
  assert.deepEqual(asks(run.step(run.answer('w2', cosigned()))), ['w2 6-8'])
  run.step(run.answer('w3', cosigned()))
  run.step(run.answer('w2', cosigned()))
  assert.equal(newestFor(run.state, 'two')?.head.size, 8)
})

test('after 409 a witness is asked from the size that it names, at once', () => {
  const run = begin()
  run.step(run.head(9))
  assert.deepEqual(asks(run.step(run.answer('w1', { kind: 'conflict', size: 4 }))), ['w1 4-9'])
  run.step(run.answer('w1', cosigned()))
  assert.equal(run.state.witnesses.get('w1')?.size, 9)
})

test('one that has the head already is asked for its word on it', () => {
  const run = begin()
  run.step(run.head(9))
  assert.deepEqual(asks(run.step(run.answer('w1', { kind: 'conflict', size: 9 }))), ['w1 9-9'])
})

test('one that has cosigned more than the head it was shown, but no more than there is, goes on from there', () => {
  const run = begin([])
  run.step(run.head(9))
  run.step(run.head(12))
  assert.deepEqual(asks(run.step(run.answer('w1', { kind: 'conflict', size: 11 }))), ['w1 11-12'])
})

for (const { what, before, answer } of [
  { what: 'another root at equal size', before: 9, answer: { kind: 'conflict', size: 9 } },
  { what: 'another root at equal size, unsaid', before: 9, answer: { kind: 'conflict', size: undefined } },
  { what: 'another root, in the words of the draft', before: 0, answer: { kind: 'unprovable' } },
  { what: 'more entries than there are', before: 0, answer: { kind: 'conflict', size: 10 } },
] as const) {
  test(`an alarm: ${what}`, () => {
    const run = begin()
    run.step(run.head(9))
    if (before > 0) run.step(run.answer('w1', { kind: 'conflict', size: before }))
    const effects = run.step(run.answer('w1', answer, 1000))
    assert.deepEqual(
      effects.map(({ kind }) => kind),
      ['alarm', 'wake'],
    )
    assert.equal(run.state.witnesses.get('w1')?.isAlarmed, true)
    // It is left alone for a long time, whatever is published, and each further sign is an alarm of its own.
    assert.deepEqual(asks(run.step(run.head(20, 2000))), [])
    const again = run.step({ kind: 'due', witness: 'w1', nowMs: 1001 + ALARM_DELAY_MS })
    assert.equal(asks(again).length, 1)
    assert.equal(run.step(run.answer('w1', { kind: 'unprovable' }))[0]?.kind, 'alarm')
    run.step({ kind: 'due', witness: 'w1', nowMs: 1001 + 2 * ALARM_DELAY_MS })
    assert.ok(run.step(run.answer('w1', cosigned())).some(({ kind }) => kind === 'recovered'))
    assert.equal(run.state.witnesses.get('w1')?.isAlarmed, false)
  })
}

test('one that goes on naming sizes is left alone for a while', () => {
  const run = begin()
  run.step(run.head(100))
  for (let i = 1; i < MAX_CONFLICTS; i++) {
    assert.equal(asks(run.step(run.answer('w1', { kind: 'conflict', size: i }))).length, 1)
  }
  const effects = run.step(run.answer('w1', { kind: 'conflict', size: 50 }))
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ['failing', 'wake'],
  )
})

test('failures are waited for longer and longer, within a bound; only the first is said', () => {
  const run = begin()
  run.step(run.head(5))
  let nowMs = 0
  const waits: number[] = []
  for (let i = 0; i < 12; i++) {
    const effects = run.step(run.answer('w1', { kind: 'unavailable', why: 'down', retryAfterMs: 0 }, nowMs, 1))
    assert.equal(
      effects.some(({ kind }) => kind === 'failing'),
      i === 0,
    )
    const wake = effects.find((each) => each.kind === 'wake')
    waits.push(wake?.afterMs ?? 0)
    nowMs += wake?.afterMs ?? 0
    assert.equal(asks(run.step({ kind: 'due', witness: 'w1', nowMs })).length, 1)
  }
  assert.deepEqual(waits.slice(0, 4), [1000, 2000, 4000, 8000])
  assert.equal(waits.at(-1), MAX_DELAY_MS)
})

test('a Retry-After is kept to, within the same bound', () => {
  const run = begin()
  run.step(run.head(5))
  const wait = (witness: string, retryAfterMs: number) =>
    run
      .step(run.answer(witness, { kind: 'unavailable', why: 'busy', retryAfterMs }))
      .flatMap((each) => (each.kind === 'wake' ? [each.afterMs] : []))
  assert.deepEqual(wait('w1', 7000), [7000])
  assert.deepEqual(wait('w2', 10 ** 9), [MAX_DELAY_MS])
})

test('waiting ends when the quorum is met, or when nobody is asked', () => {
  const run = begin()
  run.step(run.head(5))
  assert.equal(isGathered(run.state, 5), false)
  run.step(run.answer('w1', cosigned()))
  assert.equal(isGathered(run.state, 5), false)
  run.step(run.answer('w3', cosigned()))
  assert.equal(isGathered(run.state, 5), true)
  const failing = begin()
  failing.step(failing.head(5))
  for (const name of NAMES) failing.step(failing.answer(name, { kind: 'refused', why: 'status 403' }))
  assert.equal(isGathered(failing.state, 5), true)
})

/** What an adversarial network and adversarial witnesses may do. */
const anyAnswer: fc.Arbitrary<WitnessAnswer> = fc.oneof(
  fc.integer({ min: 1, max: 1000 }).map(cosigned),
  fc.record({ kind: fc.constant('conflict' as const), size: fc.option(fc.nat(200), { nil: undefined }) }),
  fc.constant({ kind: 'unprovable' } as const),
  fc.constant({ kind: 'refused', why: 'no' } as const),
  fc.record({ kind: fc.constant('unavailable' as const), why: fc.constant('down'), retryAfterMs: fc.nat(10 ** 7) }),
  fc.constant({ kind: 'unusable', why: 'odd' } as const),
)
const anyEvent: fc.Arbitrary<(nowMs: number) => WitnessEvent> = fc.oneof(
  fc.nat(100).map((size) => (nowMs: number) => ({ kind: 'head', head: head(size), nowMs }) as const),
  fc
    .record({
      witness: fc.constantFrom(...NAMES, 'nobody'),
      answer: anyAnswer,
      random: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    .map((each) => (nowMs: number) => ({ kind: 'answer', ...each, nowMs }) as const),
  fc.constantFrom(...NAMES).map((witness) => (nowMs: number) => ({ kind: 'due', witness, nowMs }) as const),
  fc
    .constantFrom([], ['two'], ['w1'], ['w1', 'two'])
    .map((names) => (nowMs: number) => ({ kind: 'quorums', names, nowMs }) as const),
)

test('whatever happens: one request each, bounded state, nothing goes back', () => {
  const steps = fc.array(fc.tuple(anyEvent, fc.nat(100_000)), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (events) => {
      let state = firstWitnessesState(POLICY, ['two'], [])
      let nowMs = 0
      const underWay = new Map<string, number>()
      for (const [make, passedMs] of events) {
        nowMs += passedMs
        const event = make(nowMs)
        const before = state
        if (event.kind === 'answer') underWay.delete(event.witness)
        const decision = decideWitnesses(state, event)
        state = decision.state
        for (const effect of decision.effects) {
          if (effect.kind === 'wake') assert.ok(effect.afterMs >= 0 && effect.afterMs <= ALARM_DELAY_MS)
          if (effect.kind !== 'ask') continue
          assert.ok(!underWay.has(effect.witness), 'two requests to one witness')
          assert.ok(effect.oldSize <= effect.head.size)
          underWay.set(effect.witness, effect.head.size)
        }
        assertSound(before, state)
      }
    }),
    { numRuns: 300 },
  )
})

function assertSound(before: WitnessesState, after: WitnessesState): void {
  assert.ok(after.newest >= before.newest)
  assert.ok(after.heads.size <= NAMES.length + after.quorums.length + 3)
  for (const quorum of after.quorums) {
    if (!before.quorums.includes(quorum)) continue
    assert.ok((newestFor(after, quorum)?.head.size ?? 0) >= (newestFor(before, quorum)?.head.size ?? 0))
  }
  for (const { cosignatures } of after.heads.values()) {
    assert.equal(new Set(cosignatures.map(({ witness }) => witness)).size, cosignatures.length)
  }
}

test('witnesses of any speed meet a quorum again and again, while heads come once a second', () => {
  const speeds = fc.tuple(...NAMES.map(() => fc.integer({ min: 1, max: 6000 })))
  fc.assert(
    fc.property(speeds, (latencies) => {
      const run = begin(['all'], policyWith('all all'))
      /** Time, and what happens then. */
      const queue: { atMs: number; event: WitnessEvent }[] = []
      for (let second = 0; second < 60; second++) {
        queue.push({ atMs: second * 1000, event: run.head(second + 1, second * 1000) })
      }
      const met: number[] = []
      for (let steps = 0; steps < 100_000; steps++) {
        queue.sort((a, b) => a.atMs - b.atMs)
        const next = queue.shift()
        if (next === undefined || next.atMs > 60_000) break
        for (const effect of run.step({ ...next.event, nowMs: next.atMs })) {
          if (effect.kind !== 'ask') continue
          const atMs = next.atMs + (latencies[NAMES.indexOf(effect.witness)] ?? 0)
          queue.push({ atMs, event: run.answer(effect.witness, cosigned(), atMs) })
        }
        const size = newestFor(run.state, 'all')?.head.size ?? 0
        if (size > (met.at(-1) ?? 0)) met.push(size)
      }
      // The slowest may be on its way for another head when a new one is begun on.
      const cycleMs = 2 * Math.max(...latencies) + 1000
      assert.ok(met.length >= Math.floor(60_000 / cycleMs) - 1, `${met} at ${latencies}`)
    }),
    { numRuns: 200 },
  )
})
