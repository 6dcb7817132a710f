/**
 * One epoch of an audit, step by step. Pure: what happens goes in as events, what is to be done comes out as effects.
 *
 * Whatever a crash interrupts goes on with `resume`: each effect may be performed again, and does the same.
 */
import { type AuditCommitment, type AuditedEntry, CountersignError, type StatementDigest } from '@countersign/verify'

/** A payload with its signature, as it is sent: the log's leaf holds both. */
export interface SignedPayload {
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

export interface Epoch {
  /** 32 bytes in hexadecimal. Nobody else may have it before the result. */
  readonly seed: string
  readonly commitment: AuditCommitment
  readonly digest: StatementDigest
  readonly signed: SignedPayload
}

/** A head of the log that was opened, and found to continue the one before. */
export interface SeenHead {
  readonly size: number
  /** Hexadecimal. */
  readonly root: string
  readonly confirmedAtSeconds: number
}

export interface SampledEntry {
  readonly index: number
  /** Hexadecimal. */
  readonly leafHash: string
}

/** Where the epoch lies. */
interface Place {
  readonly epoch: Epoch
  /** Of the commitment. */
  readonly index: number
  readonly to: number
  readonly head: SeenHead
}

interface Findings extends Place {
  readonly entries: readonly AuditedEntry[]
  readonly computeMs: number
}

export type AuditState =
  | { readonly phase: 'idle' }
  | { readonly phase: 'committing'; readonly epoch: Epoch }
  | {
      readonly phase: 'running'
      readonly epoch: Epoch
      readonly index: number
      /** Known once a head ended the epoch that does not reach that far yet. */
      readonly to?: number
      readonly head?: SeenHead
    }
  | ({ readonly phase: 'reading' } & Place)
  | ({ readonly phase: 'asking'; readonly sampled: readonly SampledEntry[]; readonly deadlineMs: number } & Findings)
  | ({ readonly phase: 'signing' } & Findings)
  | ({ readonly phase: 'reporting'; readonly result: SignedPayload; readonly deadlineMs: number } & Findings)
  /** `resultIndex` is `null` when the gateway did not log the result in time. */
  | ({ readonly phase: 'over'; readonly result: SignedPayload; readonly resultIndex: number | null } & Findings)

export type AuditEvent =
  /** The operator is asked anew: time in which nobody asked does not count against it. */
  | { readonly type: 'resumed'; readonly nowMs: number }
  | { readonly type: 'begun'; readonly epoch: Epoch }
  | { readonly type: 'committed'; readonly index: number }
  | { readonly type: 'head-seen'; readonly head: SeenHead }
  | { readonly type: 'epoch-read'; readonly sampled: readonly SampledEntry[]; readonly nowMs: number }
  | { readonly type: 'settled'; readonly entries: readonly AuditedEntry[]; readonly computeMs: number }
  | { readonly type: 'result-signed'; readonly result: SignedPayload; readonly nowMs: number }
  | { readonly type: 'reported'; readonly index: number | null }

export type AuditEffect =
  | { readonly kind: 'save' }
  | { readonly kind: 'post-commitment'; readonly epoch: Epoch }
  | { readonly kind: 'watch-head'; readonly older: SeenHead | undefined }
  | { readonly kind: 'read-epoch' }
  | { readonly kind: 'ask'; readonly entries: readonly SampledEntry[]; readonly deadlineMs: number }
  | { readonly kind: 'sign-result' }
  | { readonly kind: 'post-result'; readonly result: SignedPayload; readonly deadlineMs: number }
  | { readonly kind: 'report' }

export interface AuditStep {
  readonly state: AuditState
  readonly effects: readonly AuditEffect[]
}

/** The seed is saved before anything is sent: whoever committed and lost it cannot keep its word. */
export function decideAudit(state: AuditState, event: AuditEvent): AuditStep {
  const next = advance(state, event)
  const isKept = next !== state
  // What is under way goes on; what a step begins is begun once.
  const isUnderWay = next.phase === state.phase && event.type !== 'resumed' && event.type !== 'head-seen'
  const effects = isUnderWay ? [] : effectsOf(next)
  return { state: next, effects: isKept ? [{ kind: 'save' }, ...effects] : effects }
}

function advance(state: AuditState, event: AuditEvent): AuditState {
  switch (event.type) {
    case 'resumed':
      return 'deadlineMs' in state
        ? { ...state, deadlineMs: Math.max(state.deadlineMs, deadlineOf(state, event.nowMs)) }
        : state
    case 'begun':
      if (state.phase === 'idle' || state.phase === 'over') return { phase: 'committing', epoch: event.epoch }
      break
    case 'committed':
      if (state.phase === 'committing') return { phase: 'running', epoch: state.epoch, index: event.index }
      break
    case 'head-seen':
      if (state.phase === 'running') return afterHead(state, event.head)
      break
    case 'epoch-read':
      if (state.phase === 'reading') return startAsking(state, event.sampled, event.nowMs)
      break
    case 'settled':
      if (state.phase === 'asking') return afterSettled(state, event.entries, event.computeMs)
      break
    case 'result-signed':
      if (state.phase === 'signing') {
        return { ...state, phase: 'reporting', result: event.result, deadlineMs: deadlineOf(state, event.nowMs) }
      }
      break
    case 'reported':
      if (state.phase === 'reporting') {
        const { deadlineMs, ...rest } = state
        return { ...rest, phase: 'over', resultIndex: event.index }
      }
  }
  throw new CountersignError('data/damaged', `an audit that is ${state.phase} cannot have ${event.type}`)
}

function deadlineOf({ epoch }: { readonly epoch: Epoch }, nowMs: number): number {
  return nowMs + epoch.commitment.answerWithinSeconds * 1000
}

/** The epoch ends with its last entry, or with the first head that was confirmed late enough. */
function afterHead(state: Extract<AuditState, { phase: 'running' }>, head: SeenHead): AuditState {
  const { epoch, index } = state
  const { entries, untilMs } = epoch.commitment.epoch
  const from = index + 1
  const isLate = untilMs !== undefined && head.confirmedAtSeconds * 1000 >= untilMs
  const byHead = isLate ? Math.max(from, head.size) : Number.POSITIVE_INFINITY
  const to = state.to ?? Math.min(from + entries, byHead)
  if (head.size >= to) return { phase: 'reading', epoch, index, to, head }
  return isLate || state.to !== undefined ? { ...state, to, head } : { ...state, head }
}

function startAsking(state: Place, sampled: readonly SampledEntry[], nowMs: number): AuditState {
  const { epoch, index, to, head } = state
  const findings = { epoch, index, to, head, entries: [], computeMs: 0 }
  if (sampled.length === 0) return { phase: 'signing', ...findings }
  return { phase: 'asking', ...findings, sampled, deadlineMs: deadlineOf(state, nowMs) }
}

function afterSettled(
  state: Extract<AuditState, { phase: 'asking' }>,
  settled: readonly AuditedEntry[],
  computeMs: number,
): AuditState {
  const open = new Map(state.sampled.map(({ index, leafHash }) => [index, leafHash]))
  for (const { index } of state.entries) open.delete(index)
  for (const { index, leafHash } of settled) {
    if (open.get(index) !== leafHash) throw new CountersignError('data/damaged', `entry ${index} was not asked for`)
    open.delete(index)
  }
  const entries = [...state.entries, ...settled]
  const found = { ...state, entries, computeMs: state.computeMs + computeMs }
  if (entries.length < state.sampled.length) return found
  const { sampled, deadlineMs, ...rest } = found
  return { ...rest, phase: 'signing', entries: entries.toSorted((a, b) => a.index - b.index) }
}

function effectsOf(state: AuditState): readonly AuditEffect[] {
  switch (state.phase) {
    case 'idle':
      return []
    case 'committing':
      return [{ kind: 'post-commitment', epoch: state.epoch }]
    case 'running':
      return [{ kind: 'watch-head', older: state.head }]
    case 'reading':
      return [{ kind: 'read-epoch' }]
    case 'asking': {
      const settled = new Set(state.entries.map(({ index }) => index))
      const entries = state.sampled.filter(({ index }) => !settled.has(index))
      return [{ kind: 'ask', entries, deadlineMs: state.deadlineMs }]
    }
    case 'signing':
      return [{ kind: 'sign-result' }]
    case 'reporting':
      return [{ kind: 'post-result', result: state.result, deadlineMs: state.deadlineMs }]
    case 'over':
      return [{ kind: 'report' }]
  }
}
