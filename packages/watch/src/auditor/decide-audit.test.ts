import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AuditCommitment,
  type AuditedEntry,
  auditCommitmentStatement,
  formatStatement,
  statementDigest,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import fc from 'fast-check'
import { formatAuditState, parseAuditState } from './audit-state.ts'
import {
  type AuditEvent,
  type AuditState,
  type AuditStep,
  decideAudit,
  type Epoch,
  type SeenHead,
} from './decide-audit.ts'

const crypto = createNodeCrypto()
const HEX = 'ab'.repeat(32)
const RUNS = { seed: 20_261_128, numRuns: 200 }

function epochOf(epoch: AuditCommitment['epoch'], answerWithinSeconds = 10): Epoch {
  const commitment: AuditCommitment = {
    ...{ auditor: 'Auditor', log: 'example.org/log', deployments: 'all', seedHash: HEX, rateMillionths: 1000 },
    ...{ epoch, answerWithinSeconds, committedAtMs: 1 },
  }
  const payload = formatStatement(auditCommitmentStatement(commitment))
  const signed = { payload, signature: Uint8Array.of(1, 2) }
  return { seed: HEX, commitment, digest: statementDigest(crypto, payload), signed }
}

const head = (size: number, confirmedAtSeconds = 1): SeenHead => ({ size, root: HEX, confirmedAtSeconds })
const settled = (index: number): AuditedEntry => ({ index, leafHash: HEX, outcome: 'agreed', statement: HEX })
const result = { payload: utf8('{}'), signature: Uint8Array.of(3) }

/** Goes on until there is nothing more to feed in; every step. */
function play(events: readonly AuditEvent[], from: AuditState = { phase: 'idle' }): readonly AuditStep[] {
  let state = from
  return events.map((event) => {
    const step = decideAudit(state, event)
    state = step.state
    return step
  })
}

const kinds = ({ effects }: AuditStep) => effects.map(({ kind }) => kind)
const last = (steps: readonly AuditStep[]) => steps.at(-1) as AuditStep

const WHOLE: readonly AuditEvent[] = [
  { type: 'begun', epoch: epochOf({ entries: 10 }) },
  { type: 'committed', index: 4 },
  { type: 'head-seen', head: head(9) },
  { type: 'head-seen', head: head(30) },
  {
    type: 'epoch-read',
    sampled: [
      { index: 6, leafHash: HEX },
      { index: 9, leafHash: HEX },
    ],
    nowMs: 1000,
  },
  { type: 'settled', entries: [settled(9)], computeMs: 5 },
  { type: 'settled', entries: [settled(6)], computeMs: 7 },
  { type: 'result-signed', result, nowMs: 5000 },
  { type: 'reported', index: 31 },
]

test('an epoch from its beginning to its end: each step is saved before anything is done', () => {
  const steps = play(WHOLE)
  assert.deepEqual(steps.map(kinds), [
    ['save', 'post-commitment'],
    ['save', 'watch-head'],
    ['save', 'watch-head'],
    ['save', 'read-epoch'],
    ['save', 'ask'],
    ['save'],
    ['save', 'sign-result'],
    ['save', 'post-result'],
    ['save', 'report'],
  ])
  const { state } = last(steps)
  assert.ok(state.phase === 'over')
  assert.deepEqual([state.to, state.computeMs, state.resultIndex], [15, 12, 31])
  assert.deepEqual(
    state.entries.map(({ index }) => index),
    [6, 9],
  )
})

test('whatever is interrupted goes on: the same effect, from a state that was read back', () => {
  for (let count = 1; count <= WHOLE.length; count++) {
    const step = last(play(WHOLE.slice(0, count)))
    const text = formatAuditState(step.state)
    assert.ok(text !== undefined)
    const read = parseAuditState(crypto, utf8(text))
    assert.deepEqual(read, step.state)
    const again = decideAudit(read, { type: 'resumed', nowMs: 2000 })
    const doing = again.effects.filter(({ kind }) => kind !== 'save')
    assert.equal(doing.length, 1, read.phase)
    if (step.effects.length > 1) assert.equal(doing[0]?.kind, step.effects[1]?.kind)
  }
})

test('who goes on asks only for what is open, and gives the operator its time anew', () => {
  const step = last(play(WHOLE.slice(0, 6)))
  const { effects } = decideAudit(step.state, { type: 'resumed', nowMs: 90_000 })
  assert.deepEqual(effects.at(-1), { kind: 'ask', entries: [{ index: 6, leafHash: HEX }], deadlineMs: 100_000 })
})

test('entries end an epoch at the same place, whatever heads are seen', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 20 })
  fc.assert(
    fc.property(sizes, fc.nat(20), fc.integer({ min: 1, max: 30 }), (seen, index, entries) => {
      const start = play([
        { type: 'begun', epoch: epochOf({ entries }) },
        { type: 'committed', index },
      ])
      let { state } = last(start)
      for (const size of seen)
        if (state.phase === 'running') state = decideAudit(state, { type: 'head-seen', head: head(size, size) }).state
      const isOver = seen.some((size) => size >= index + 1 + entries)
      assert.equal(state.phase, isOver ? 'reading' : 'running')
      if (state.phase === 'reading') assert.equal(state.to, index + 1 + entries)
    }),
    RUNS,
  )
})

test('time ends an epoch with the first head that is late enough, and no later one moves it', () => {
  const begun = play([
    { type: 'begun', epoch: epochOf({ entries: 100, untilMs: 50_000 }) },
    { type: 'committed', index: 4 },
  ])
  const after = (...heads: readonly SeenHead[]) =>
    last(
      play(
        heads.map((each) => ({ type: 'head-seen', head: each })),
        last(begun).state,
      ),
    ).state
  assert.equal(after(head(30, 49)).phase, 'running')
  const ended = after(head(30, 49), head(40, 50))
  assert.ok(ended.phase === 'reading' && ended.to === 40)
  const whole = after(head(300, 60))
  assert.ok(whole.phase === 'reading' && whole.to === 105, 'never more than the entries')
  // A head that does not even reach the commitment ends an epoch of nothing; it takes a later one to show that.
  const empty = after(head(2, 60))
  assert.ok(empty.phase === 'running' && empty.to === 5)
  const shown = last(play([{ type: 'head-seen', head: head(70, 70) }], empty)).state
  assert.ok(shown.phase === 'reading' && shown.to === 5)
})

test('nothing selected, nothing asked', () => {
  const steps = play([...WHOLE.slice(0, 4), { type: 'epoch-read', sampled: [], nowMs: 1 }])
  assert.deepEqual(kinds(last(steps)), ['save', 'sign-result'])
})

test('what does not belong into a state is refused, and changes nothing', () => {
  for (let count = 0; count <= WHOLE.length; count++) {
    const state: AuditState = count === 0 ? { phase: 'idle' } : last(play(WHOLE.slice(0, count))).state
    for (const event of WHOLE) {
      const next = WHOLE[count]
      const fits =
        next?.type === event.type || event.type === 'begun' || (state.phase === 'running' && event.type === 'head-seen')
      if (fits) continue
      if (state.phase === 'asking' && event.type === 'settled') continue
      assert.throws(() => decideAudit(state, event), { code: 'data/damaged' }, `${state.phase} ${event.type}`)
    }
  }
  const { state } = last(play(WHOLE.slice(0, 6)))
  for (const entry of [settled(9), settled(7), { ...settled(6), leafHash: 'cd'.repeat(32) }]) {
    assert.throws(() => decideAudit(state, { type: 'settled', entries: [entry], computeMs: 0 }), {
      code: 'data/damaged',
    })
  }
  assert.throws(() => decideAudit(state, WHOLE[0] as AuditEvent), { code: 'data/damaged' }, 'a seed is not thrown away')
})

test('any bytes for a state are read or refused', () => {
  const text = formatAuditState(last(play(WHOLE.slice(0, 6))).state) ?? ''
  const changed = fc
    .tuple(fc.nat(text.length - 1), fc.string({ maxLength: 3 }))
    .map(([at, add]) => text.slice(0, at) + add + text.slice(at + 2))
  fc.assert(
    fc.property(fc.oneof(changed, fc.string(), fc.json()), (each) => {
      try {
        parseAuditState(crypto, utf8(each))
      } catch (thrown) {
        assert.equal((thrown as Error).name, 'CountersignError')
      }
    }),
    { ...RUNS, numRuns: 500 },
  )
})
