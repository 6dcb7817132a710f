import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideObservation } from './decide-observation.ts'
import { MISSING_KINDS, WARNING_KINDS } from './finding.ts'
import {
  MAX_COSIGNED_HEADS,
  MAX_OPEN_FINDINGS,
  MAX_WAITING_ALERTS,
  MAX_WAITING_HEADS,
  MAX_WAITING_PROMISES,
} from './limits.ts'
import { initialState, type MonitorState, type SignedHead } from './monitor-state.ts'
import type { Effect, Observation } from './observation.ts'

const headOf = (size: number, root = 'aa'): SignedHead => ({ size, root: root.repeat(32), note: `${size} ${root}` })
const promiseOf = (index: number, coverBySeconds: number) => ({
  ...{
    note: `promise ${index} ${coverBySeconds}`,
    receipt: `r${index}`,
    index,
    leafHash: 'bb'.repeat(32),
    coverBySeconds,
  },
})
const TERMS = { graceMs: 1000, maximumAgeMs: undefined, hasQuorum: false }

function play(observations: readonly Observation[], from = initialState('00'.repeat(32))) {
  let state: MonitorState = from
  const effects: Effect[] = []
  for (const observation of observations) {
    const step = decideObservation(state, observation)
    state = step.state
    effects.push(...step.effects)
  }
  const proven = effects.flatMap((effect) => (effect.kind === 'prove' ? [effect.draft.kind] : []))
  const missing = state.findings.map(({ kind }) => kind)
  return { state, effects, proven, missing }
}

const seen = (head: SignedHead, more: Partial<Extract<Observation, { kind: 'head' }>> = {}): Observation => ({
  ...{ kind: 'head', source: 'log', head, rivals: [], isSettled: false, quorumSeconds: undefined, atMs: 0 },
  ...more,
})

test('notes as long as they may be do not make a state that cannot be read again', () => {
  const long = 'x'.repeat(65_000)
  const heads = Array.from({ length: 1100 }, (_, i) => {
    const head = { ...headOf(i + 1), note: long }
    return seen(head, { quorumSeconds: i, source: i % 2 === 0 ? 'log' : 'witness w' })
  })
  const promises = Array.from({ length: 500 }, (_, i): Observation => {
    return { kind: 'promise', promise: { ...promiseOf(1_000_000 + i, 10 ** 9), note: `${long} ${i}` }, atMs: 0 }
  })
  const { state } = play([...heads, ...promises])
  const size = JSON.stringify(state).length
  assert.ok(size < 16 * 1024 * 1024, `${size}`)
  assert.equal(state.waiting.at(-1)?.size, 1099, 'what the log serves now is always among them')
  assert.ok(state.findings.some(({ kind, subject }) => kind === 'limit-reached' && subject === 'promises'))
})

test('a promise is disproved by a head that a quorum saw too late, whichever of the two comes first', () => {
  const promise: Observation = { kind: 'promise', promise: promiseOf(10, 100), atMs: 0 }
  const late = seen(headOf(10), { quorumSeconds: 101 })
  for (const order of [
    [promise, late],
    [late, promise],
  ]) {
    assert.deepEqual(play(order).proven, ['promise-not-covered'])
  }
  for (const head of [
    seen(headOf(11), { quorumSeconds: 101 }),
    seen(headOf(10), { quorumSeconds: 100 }),
    seen(headOf(10)),
  ]) {
    for (const order of [
      [promise, head],
      [head, promise],
    ]) {
      assert.deepEqual(play(order).proven, [])
    }
  }
})

test('what is missing counts after the grace, and is told once; what is there again is told as well', () => {
  const trouble: Observation = { kind: 'trouble', finding: 'log-silent', subject: 'log', summary: 's', atMs: 0 }
  const tick = (atMs: number): Observation => ({ kind: 'tick', atMs, terms: TERMS })
  const early = play([trouble, tick(999)])
  assert.deepEqual([early.state.findings[0]?.isDue, early.state.alerts.length], [false, 0])
  const due = play([trouble, tick(999), tick(1000), tick(5000), trouble])
  assert.deepEqual(
    due.state.alerts.map(({ level }) => level),
    ['evidence-missing'],
  )
  const over = play([{ kind: 'fine', finding: 'log-silent', subject: 'log', atMs: 6000 }], due.state)
  assert.deepEqual([over.missing, over.state.alerts.map(({ level }) => level)], [[], ['evidence-missing', 'resolved']])
  const warning = play([{ ...trouble, finding: 'witness-silent' }, tick(9000)])
  assert.deepEqual([warning.state.findings[0]?.isDue, warning.state.alerts.length], [true, 0])
})

test('a head is fresh by the time of a quorum, or without one by when it grew; without a limit it never is too old', () => {
  const aged = (maximumAgeMs: number | undefined, hasQuorum: boolean, quorumSeconds?: number) =>
    play([
      seen(headOf(5), { quorumSeconds }),
      { kind: 'tick', atMs: 10_000, terms: { graceMs: 0, maximumAgeMs, hasQuorum } },
    ]).missing
  assert.deepEqual(aged(undefined, false), [])
  assert.deepEqual(aged(10_000, false), [])
  assert.deepEqual(aged(9_999, false), ['stale'])
  assert.deepEqual(aged(5_000, true, 5), [])
  assert.deepEqual(aged(4_999, true, 5), ['stale'])
  assert.deepEqual(aged(10_000, true), ['stale'], 'no quorum ever')
  const twice = [seen(headOf(5)), seen(headOf(5), { atMs: 9_000 })]
  const tick: Observation = { kind: 'tick', atMs: 10_000, terms: { graceMs: 0, maximumAgeMs: 5_000, hasQuorum: false } }
  assert.deepEqual(play([...twice, tick]).missing, ['stale'], 'the same head again is no growth')
})

test('a head that nothing leads to is tried again later and later, and holds up no other', () => {
  const stuck = (atMs: number): Observation => ({
    ...{ kind: 'extended', target: headOf(9, 'ff'), agreeing: [], differing: [headOf(9, 'ff')], problems: [] },
    ...{ failure: undefined, atMs },
  })
  const first = play([seen(headOf(8, 'ab')), seen(headOf(9, 'ff')), stuck(0)])
  const extendsAt = (state: MonitorState, atMs: number) =>
    decideObservation(state, { kind: 'looked', atMs }).effects.map(
      (effect) => effect.kind === 'extend' && effect.heads.at(-1)?.size,
    )
  assert.deepEqual(extendsAt(first.state, 500), [8])
  assert.deepEqual(extendsAt(first.state, 1000), [9])
  const second = play([stuck(1000)], first.state)
  assert.deepEqual([extendsAt(second.state, 2999), extendsAt(second.state, 3000)], [[8], [9]])
  assert.deepEqual(first.missing, ['head-unexplained'])
})

test('a head that could not be compared is compared again until it can be', () => {
  const verified = headOf(9)
  const reached: Observation = {
    ...{ kind: 'extended', target: verified, agreeing: [verified], differing: [], problems: [] },
    ...{ failure: undefined, atMs: 0 },
  }
  const compared = (comparison: Extract<Observation, { kind: 'compared' }>['comparison']): Observation => ({
    ...{ kind: 'compared', older: headOf(5), newer: verified, comparison, atMs: 0 },
  })
  const looked: Observation = { kind: 'looked', atMs: 0 }
  const older = seen(headOf(5), { source: 'file f' })
  const unknown = play([seen(verified), reached, older, compared({ outcome: 'unknown', reason: 'r' }), looked])
  assert.deepEqual(unknown.missing, ['consistency-missing'])
  assert.equal(unknown.effects.filter(({ kind }) => kind === 'compare').length, 2)
  const known = play([compared({ outcome: 'agrees' }), looked], unknown.state)
  assert.deepEqual(
    [known.missing, known.state.waiting, known.effects.map(({ kind }) => kind)],
    [[], [], ['settle', 'report']],
  )
})

test('promises that cannot be looked up do not hold up others', () => {
  const promises = [promiseOf(1, 9), promiseOf(2, 9)]
  const [first] = promises
  assert.ok(first)
  const given = promises.map((promise): Observation => ({ kind: 'promise', promise, atMs: 0 }))
  const check = { outcome: 'unknown', reason: 'r' } as const
  const { state, missing } = play([...given, { kind: 'promise-checked', promise: first, check, atMs: 0 }])
  assert.deepEqual([missing, state.promises.map(({ index }) => index)], [['promise-unchecked'], [2, 1]])
})

const sizes = fc.integer({ min: 0, max: 20 })
const heads = fc
  .record({ size: sizes, root: fc.constantFrom('aa', 'bb', 'cc') })
  .map(({ size, root }) => headOf(size, root))
const kinds = fc.constantFrom(...MISSING_KINDS, ...WARNING_KINDS)
const atMs = fc.integer({ min: 0, max: 100_000 })
const comparison = fc.constantFrom(
  { outcome: 'agrees' } as const,
  { outcome: 'unknown', reason: 'r' } as const,
  { outcome: 'differs', root: new Uint8Array(32), path: [] } as const,
)
const observations: fc.Arbitrary<Observation> = fc.oneof(
  fc.record({
    ...{ kind: fc.constant('head' as const), source: fc.constantFrom('log', 'witness w', 'file f'), head: heads, atMs },
    rivals: fc.array(heads, { maxLength: 2 }),
    isSettled: fc.boolean(),
    quorumSeconds: fc.option(fc.nat(200), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('trouble' as const),
    finding: kinds,
    subject: fc.string(),
    summary: fc.constant('s'),
    atMs,
  }),
  fc.record({ kind: fc.constant('fine' as const), finding: kinds, subject: fc.string(), atMs }),
  fc.record({ kind: fc.constantFrom('looked' as const, 'followed' as const), atMs }),
  fc.record({
    ...{ kind: fc.constant('extended' as const), target: heads, problems: fc.constant([]), atMs },
    ...{ agreeing: fc.array(heads, { maxLength: 3 }), differing: fc.array(heads, { maxLength: 3 }) },
    failure: fc.option(fc.constant({ path: 'p', reason: 'r' }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('compared' as const), older: heads, newer: heads, comparison, atMs }),
  fc.record({
    kind: fc.constant('promise' as const),
    promise: fc.tuple(sizes, fc.nat(200)).map(([index, by]) => promiseOf(index, by)),
    atMs,
  }),
  fc.record({ kind: fc.constant('tick' as const), atMs, terms: fc.constant(TERMS) }),
)

test('whatever is observed, in whatever order: a state within its limits, and the same again from the same', () => {
  fc.assert(
    fc.property(fc.array(observations, { maxLength: 200 }), (all) => {
      const { state } = play(all)
      assert.deepEqual(play(all).state, state)
      const kept = JSON.parse(JSON.stringify(state))
      assert.deepEqual({ ...initialState(''), ...kept }, state)
      const names = state.findings.map(({ kind, subject }) => `${kind} ${subject}`)
      assert.equal(new Set(names).size, names.length)
    }),
    { numRuns: 200 },
  )
})

test('limits hold, and say when they are reached', () => {
  const many = Math.max(MAX_WAITING_HEADS, MAX_WAITING_PROMISES, MAX_OPEN_FINDINGS, MAX_WAITING_ALERTS) + 50
  const all = Array.from({ length: many }, (_, i): readonly Observation[] => [
    seen(headOf(100 + i), { source: 'file f', quorumSeconds: i }),
    { kind: 'promise', promise: promiseOf(i, 1_000_000), atMs: 0 },
  ]).flat()
  const troubles = Array.from(
    { length: many },
    (_, i): Observation => ({
      ...{ kind: 'trouble', finding: 'tile-withheld', subject: String(i), summary: 's', atMs: 0 },
    }),
  )
  const { state } = play([...all, ...troubles, { kind: 'tick', atMs: 5000, terms: TERMS }])
  assert.equal(state.waiting.length, MAX_WAITING_HEADS)
  assert.equal(state.promises.length, MAX_WAITING_PROMISES)
  assert.equal(state.cosigned.length, MAX_COSIGNED_HEADS)
  assert.ok(state.findings.length <= MAX_OPEN_FINDINGS)
  assert.ok(state.alerts.length <= MAX_WAITING_ALERTS)
  const limits = state.findings.filter(({ kind }) => kind === 'limit-reached').map(({ subject }) => subject)
  assert.deepEqual(limits.sort(), ['findings', 'heads', 'promises'])
  const log = play([seen(headOf(5000, 'ee'))], state)
  assert.equal(log.state.waiting.at(-1)?.root, 'ee'.repeat(32), 'the log’s own head is never turned away')
})

test('warnings, which anybody can cause, take no place from what counts', () => {
  const warn = (i: number): Observation => ({
    ...{ kind: 'trouble', finding: 'evidence-unreadable', subject: `${i}.json`, summary: 's', atMs: 0 },
  })
  const silent: Observation = { kind: 'trouble', finding: 'log-silent', subject: 'log', summary: 's', atMs: 0 }
  const { missing, state } = play([...Array.from({ length: 2 * MAX_OPEN_FINDINGS }, (_, i) => warn(i)), silent])
  assert.deepEqual([missing.at(-1), missing.includes('limit-reached')], ['log-silent', true])
  const { alerts } = play([{ kind: 'tick', atMs: 9000, terms: TERMS }], state).state
  assert.deepEqual(
    alerts.map(({ kind }) => kind),
    ['log-silent'],
  )
})

test('promises of a far future keep no other from being looked up', () => {
  const promise = (index: number, coverBySeconds: number): Observation => ({
    ...{ kind: 'promise', promise: promiseOf(index, coverBySeconds), atMs: 0 },
  })
  const far = Array.from({ length: MAX_WAITING_PROMISES + 5 }, (_, i) => promise(10 ** 9 + i, 10 ** 10))
  const { state, missing } = play([...far, promise(3, 60), promise(4, 60)])
  assert.deepEqual(missing, ['limit-reached'])
  assert.equal(state.promises.length, MAX_WAITING_PROMISES)
  assert.deepEqual(
    state.promises.slice(-2).map(({ index }) => index),
    [3, 4],
  )
})

test('another head of the verified size is a contradiction, also when the verified one was forgotten', () => {
  const verified = { ...initialState('00'.repeat(32)), verified: headOf(5) }
  assert.deepEqual(play([seen(headOf(5, 'ff'))], verified).proven, ['two-heads-of-one-size'])
  assert.deepEqual(play([seen(headOf(5, 'ff'), { rivals: [headOf(5)] })], verified).proven, ['two-heads-of-one-size'])
  assert.deepEqual(play([seen(headOf(5)), seen(headOf(0))], verified).proven, [])
})
