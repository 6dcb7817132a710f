/** What follows from heads: which to reach, which to compare, which contradict each other. */
import type { Decision } from './decision.ts'
import { newestWithin } from './kept-notes.ts'
import { MAX_COMPARED_PER_ROUND, MAX_COSIGNED_HEADS, MAX_STUCK_MS, MAX_WAITING_HEADS } from './limits.ts'
import type { SignedHead, WaitingHead } from './monitor-state.ts'
import type { Observation } from './observation.ts'

type Of<K extends Observation['kind']> = Extract<Observation, { kind: K }>

export const LOG_SOURCE = 'log'

export const isSame = (a: SignedHead, b: SignedHead) => a.size === b.size && a.root === b.root

/** A head as the subject of a finding: its size, and enough of its root to tell two of one size apart. */
export const nameOf = ({ size, root }: SignedHead) => `${size} ${root.slice(0, 16)}`

const FIRST_STUCK_MS = 1000

/** Someone showed a head. */
export function decideHead(decision: Decision, observed: Of<'head'>): void {
  const { source, head, rivals, isSettled, quorumSeconds, atMs } = observed
  const { verified } = decision.state
  // Of those that were seen, the oldest are forgotten; the verified one never is.
  const isForgotten = head.size === verified.size && head.size > 0 && rivals.every((each) => !isSame(each, verified))
  for (const rival of isForgotten && !isSame(head, verified) ? [...rivals, verified] : rivals) {
    const [first, second] = rival.root < head.root ? [rival, head] : [head, rival]
    const subject = `${head.size} ${first.root.slice(0, 16)} ${second.root.slice(0, 16)}`
    decision.prove({ kind: 'two-heads-of-one-size', subject, notes: [first.note, second.note] })
  }
  if (source === LOG_SOURCE) noteServed(decision, head, atMs)
  if (quorumSeconds !== undefined) noteCosigned(decision, { ...head, quorumSeconds })
  if (head.size === 0 || isSettled || isSame(head, verified)) return
  if (head.size > verified.size) wait(decision, source, head, atMs)
  else if (head.size < verified.size) decision.do({ kind: 'compare', older: head, newer: verified })
}

/** Keeps a head until the log reaches it, or until it can be compared. */
function wait(decision: Decision, source: string, head: SignedHead, atMs: number): void {
  const { waiting } = decision.state
  if (waiting.some((each) => isSame(each, head))) return
  const more = [...waiting, { ...head, source, sinceMs: atMs }]
  const kept = newestWithin(more, MAX_WAITING_HEADS)
  if (kept.length < more.length && source !== LOG_SOURCE) {
    decision.open('limit-reached', 'heads', `more than ${MAX_WAITING_HEADS} heads wait for the log`, atMs)
    return
  }
  decision.set({ waiting: kept })
}

function noteServed(decision: Decision, head: SignedHead, atMs: number): void {
  const { served } = decision.state
  if (served !== undefined && head.size < served.size) {
    const summary = `the log serves a head of ${head.size} entries after it served one of ${served.size}`
    decision.open('head-went-back', String(served.size), summary, atMs)
  } else {
    decision.close('head-went-back', undefined, atMs)
  }
  const grew = served === undefined || head.size > served.size
  if (grew) decision.set({ served: { ...head, grewAtMs: atMs } })
  // The same head with more cosignatures, or later ones.
  else if (isSame(head, served)) decision.set({ served: { ...head, grewAtMs: served.grewAtMs } })
  decision.set({ servedSize: head.size })
}

/** Of one head the latest time counts; of many, the newest are kept. */
function noteCosigned(decision: Decision, head: SignedHead & { readonly quorumSeconds: number }): void {
  const { cosigned, promises } = decision.state
  const known = cosigned.find((each) => isSame(each, head))
  if (known !== undefined && known.quorumSeconds >= head.quorumSeconds) return
  const others = cosigned.filter((each) => each !== known)
  decision.set({ cosigned: newestWithin([...others, head], MAX_COSIGNED_HEADS) })
  for (const promise of promises) {
    if (head.size > promise.index || head.quorumSeconds <= promise.coverBySeconds) continue
    decision.prove({
      ...{ kind: 'promise-not-covered', subject: promise.receipt },
      ...{ promise: promise.note, head: head.note },
    })
  }
}

/** Everyone was asked: take in entries up to the largest head that the log serves, and compare what could not be before. */
export function decideLooked(decision: Decision, { atMs }: Of<'looked'>): void {
  const { waiting, stuck, verified } = decision.state
  const below = waiting.filter(({ size }) => size < verified.size).slice(0, MAX_COMPARED_PER_ROUND)
  for (const older of below) decision.do({ kind: 'compare', older, newer: verified })
  const isStuck = ({ root }: SignedHead) => stuck !== undefined && stuck.root === root && atMs < stuck.untilMs
  const served = waiting.filter((head) => head.source === LOG_SOURCE && head.size > verified.size && !isStuck(head))
  const target = served.reduce<WaitingHead | undefined>(
    (a, b) => (a === undefined || b.size > a.size ? b : a),
    undefined,
  )
  if (target === undefined) return
  const heads = waiting.filter(({ size }) => size > verified.size && size < target.size).sort((a, b) => a.size - b.size)
  decision.do({ kind: 'extend', heads: [...heads, target] })
}

/** Entries were taken in. */
export function decideExtended(decision: Decision, observed: Of<'extended'>): void {
  const { target, agreeing, differing, problems, failure, atMs } = observed
  const before = decision.state.verified
  const verified = agreeing.at(-1) ?? before
  settle(decision, agreeing, atMs)
  for (const { kind, path, summary, expected } of problems) decision.open(kind, path, summary, atMs, expected)
  const isRewritten = problems.some(({ kind }) => kind === 'entry-differs')
  if (!isRewritten) decision.close('entry-differs', undefined, atMs)
  // The bytes of entries are not signed. Whether the log's head is over them, its tiles say.
  else if (verified.size > 0) decision.do({ kind: 'compare', older: verified, newer: target })
  if (failure === undefined) decision.close('entries-withheld', undefined, atMs)
  else decision.open('entries-withheld', failure.path, failure.reason, atMs)
  if (verified !== before) {
    decision.set({ verified })
    decision.do({ kind: 'report', report: { event: 'verified', size: verified.size, root: verified.root, atMs } })
  }
  if (agreeing.some((head) => isSame(head, target))) decision.set({ stuck: undefined })
  // Entries that are not under the log’s head say nothing about it.
  for (const head of isRewritten ? [] : differing) {
    if (isSame(head, target)) becomeStuck(decision, target, atMs)
    // What the log serves leads to the target, if to anything: its tiles show what its history is.
    if (!isSame(head, target)) decision.do({ kind: 'compare', older: head, newer: target })
    if (verified.size > 0 && verified.size < head.size) decision.do({ kind: 'compare', older: verified, newer: head })
    if (verified.size > head.size) decision.do({ kind: 'compare', older: head, newer: verified })
  }
}

function becomeStuck(decision: Decision, target: SignedHead, atMs: number): void {
  const { stuck } = decision.state
  const waitMs = stuck?.root === target.root ? Math.min(stuck.waitMs * 2, MAX_STUCK_MS) : FIRST_STUCK_MS
  decision.set({ stuck: { root: target.root, untilMs: atMs + waitMs, waitMs } })
  const summary = `the entries and tiles that the log serves do not lead to its head of ${target.size} entries`
  decision.open('head-unexplained', nameOf(target), summary, atMs)
}

/** These heads are of the verified history: nothing is open about them any more. */
function settle(decision: Decision, heads: readonly SignedHead[], atMs: number): void {
  if (heads.length === 0) return
  const { waiting } = decision.state
  decision.set({ waiting: waiting.filter((each) => !heads.some((head) => isSame(head, each))) })
  for (const head of heads) {
    decision.do({ kind: 'settle', head })
    for (const kind of ['head-unexplained', 'head-withheld', 'consistency-missing'] as const) {
      decision.close(kind, nameOf(head), atMs)
    }
  }
}

/** Two heads were compared, by tiles that were checked against the newer one. */
export function decideCompared(decision: Decision, { older, newer, comparison, atMs }: Of<'compared'>): void {
  const { verified, waiting } = decision.state
  const subject = `${nameOf(older)} ${nameOf(newer)}`
  if (comparison.outcome === 'agrees') {
    if (isSame(newer, verified)) settle(decision, [older], atMs)
    return
  }
  if (comparison.outcome === 'unknown') {
    const summary = `whether the heads of ${older.size} and ${newer.size} entries are of one history cannot be told: ${comparison.reason}`
    decision.open('consistency-missing', nameOf(older), summary, atMs)
    if (isSame(newer, verified)) wait(decision, 'comparison', older, atMs)
    return
  }
  decision.close('consistency-missing', nameOf(older), atMs)
  // Which of the two is not of the verified history waits for nothing any more, unless the log goes on to serve it.
  const settled = isSame(older, verified) ? newer : older
  decision.set({ waiting: waiting.filter((each) => !isSame(each, settled)) })
  const { root, path } = comparison
  decision.prove({ kind: 'head-of-another-history', subject, older: older.note, newer: newer.note, root, path })
  decision.do({ kind: 'locate', older, newer })
}
