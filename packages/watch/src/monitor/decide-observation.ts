/** The monitor's decisions: pure steps from what it knew and what it observed. @spec spec/monitor.md */

import { decideCompared, decideExtended, decideHead, decideLooked, LOG_SOURCE, nameOf } from './decide-heads.ts'
import { Decision } from './decision.ts'
import { newestWithin } from './kept-notes.ts'
import { CLOCK_SKEW_SECONDS, MAX_PROMISES_PER_ROUND, MAX_WAITING_PROMISES } from './limits.ts'
import type { MonitorState, WaitingPromise } from './monitor-state.ts'
import type { Effect, MonitorTerms, Observation } from './observation.ts'

type Of<K extends Observation['kind']> = Extract<Observation, { kind: K }>

/** What the monitor knows after an observation, and what it does. No clock, no network, no disk. */
export function decideObservation(
  state: MonitorState,
  observed: Observation,
): { readonly state: MonitorState; readonly effects: readonly Effect[] } {
  const decision = new Decision(state)
  decide(decision, observed)
  return { state: decision.state, effects: decision.effects }
}

function decide(decision: Decision, observed: Observation): void {
  switch (observed.kind) {
    case 'head':
      decideHead(decision, observed)
      return
    case 'trouble':
      decision.open(observed.finding, observed.subject, observed.summary, observed.atMs)
      return
    case 'fine':
      decision.close(observed.finding, observed.subject, observed.atMs)
      return
    case 'looked':
      decideLooked(decision, observed)
      return
    case 'followed':
      askForPromises(decision)
      return
    case 'extended':
      decideExtended(decision, observed)
      return
    case 'compared':
      decideCompared(decision, observed)
      return
    case 'promise':
      decidePromise(decision, observed)
      return
    case 'promise-checked':
      decidePromiseChecked(decision, observed)
      return
    case 'contradiction':
      decision.prove(observed.draft)
      return
    case 'proven':
      decideProven(decision, observed)
      return
    case 'delivered':
      decision.set({ alerts: decision.state.alerts.filter(({ id }) => id !== observed.id) })
      return
    case 'tick':
      decideTick(decision, observed)
      return
  }
}

/** What the verified head covers can be looked up. */
function askForPromises(decision: Decision): void {
  const { promises, verified } = decision.state
  const covered = promises.filter(({ index }) => index < verified.size)
  for (const promise of covered.slice(0, MAX_PROMISES_PER_ROUND)) decision.do({ kind: 'check-promise', promise })
}

function decidePromise(decision: Decision, { promise, atMs }: Of<'promise'>): void {
  const { promises, cosigned } = decision.state
  if (promises.some(({ note }) => note === promise.note)) return
  const late = cosigned.find(
    ({ size, quorumSeconds }) => size <= promise.index && quorumSeconds > promise.coverBySeconds,
  )
  if (late !== undefined) {
    const notes = { promise: promise.note, head: late.note }
    decision.prove({ kind: 'promise-not-covered', subject: promise.receipt, ...notes })
  }
  const more = [...promises, promise]
  if (isWithinLimits(more)) {
    decision.set({ promises: more })
    return
  }
  decision.open('limit-reached', 'promises', `more than ${MAX_WAITING_PROMISES} promises wait to be kept`, atMs)
  // Those of a far future could wait for ever, and keep others from being looked up.
  const latest = more.reduce((a, b) => (b.coverBySeconds >= a.coverBySeconds ? b : a))
  const others = more.filter((each) => each !== latest)
  if (latest !== promise && isWithinLimits(others)) decision.set({ promises: others })
}

function isWithinLimits(promises: readonly WaitingPromise[]): boolean {
  return newestWithin(promises, MAX_WAITING_PROMISES).length === promises.length
}

function decidePromiseChecked(decision: Decision, { promise, check, atMs }: Of<'promise-checked'>): void {
  if (check.outcome === 'unknown') {
    decision.open('promise-unchecked', promise.receipt, `the promised entry cannot be looked up: ${check.reason}`, atMs)
    // Others come first the next time.
    const others = decision.state.promises.filter(({ note }) => note !== promise.note)
    decision.set({ promises: [...others, promise] })
    return
  }
  forget(decision, promise, atMs)
  if (check.outcome === 'kept') return
  const parts = { promise: promise.note, place: check.place }
  decision.prove({ kind: 'promise-other-leaf', subject: promise.receipt, ...parts })
}

/** The promise is settled, one way or the other. */
function forget(decision: Decision, promise: WaitingPromise, atMs: number): void {
  decision.set({ promises: decision.state.promises.filter((each) => each !== promise && each.note !== promise.note) })
  for (const kind of ['promise-uncovered', 'promise-unchecked'] as const) decision.close(kind, promise.receipt, atMs)
}

function decideProven(decision: Decision, { misbehaviour }: Of<'proven'>): void {
  const { atMs } = misbehaviour
  decision.set({ proven: [...decision.state.proven, misbehaviour] })
  decision.do({ kind: 'report', report: { event: 'misbehaviour', misbehaviour, atMs } })
  decision.alert('misbehaviour', { ...misbehaviour, sinceMs: atMs }, atMs)
}

/** The end of a round: what time alone brings about. */
function decideTick(decision: Decision, { atMs, terms }: Of<'tick'>): void {
  for (const head of decision.state.waiting) {
    const { served } = decision.state
    if (head.source === LOG_SOURCE || (served !== undefined && head.size <= served.size)) {
      decision.close('head-withheld', nameOf(head), atMs)
      continue
    }
    const summary = `the log does not serve the head of ${head.size} entries that it signed, nor one beyond it (${head.source})`
    decision.open('head-withheld', nameOf(head), summary, atMs)
  }
  for (const promise of decision.state.promises) judgeCover(decision, promise, atMs)
  judgeFreshness(decision, terms, atMs)
  decision.age(terms.graceMs, atMs)
}

/** A promise whose time is over, and that no head covers, is not kept as far as we can see. Our own clock proves nothing. */
function judgeCover(decision: Decision, { index, coverBySeconds, receipt }: WaitingPromise, atMs: number): void {
  const { servedSize } = decision.state
  if (index < servedSize) {
    decision.close('promise-uncovered', receipt, atMs)
    return
  }
  if (atMs / 1000 <= coverBySeconds + CLOCK_SKEW_SECONDS) return
  const summary = `entry ${index} was promised by ${coverBySeconds}, and the log serves ${servedSize} entries`
  decision.open('promise-uncovered', receipt, summary, atMs)
}

/** The age of the log's head: by the times of a quorum, or without one by when we saw it grow. */
function judgeFreshness(decision: Decision, { maximumAgeMs, hasQuorum }: MonitorTerms, atMs: number): void {
  const { served, cosigned } = decision.state
  if (maximumAgeMs === undefined || served === undefined) return
  const quorumMs = cosigned.map((each) => each.quorumSeconds * 1000)
  const newestMs = hasQuorum ? Math.max(Number.NEGATIVE_INFINITY, ...quorumMs) : served.grewAtMs
  if (atMs - newestMs <= maximumAgeMs) {
    decision.close('stale', undefined, atMs)
    return
  }
  const basis = hasQuorum ? 'a quorum cosigned none since' : 'it has not grown since'
  const when = Number.isFinite(newestMs) ? new Date(newestMs).toISOString() : 'ever'
  decision.open('stale', 'head', `the log’s head of ${served.size} entries is too old: ${basis} ${when}`, atMs)
}
