/** What becomes of one place as its evidence comes, or does not: a pure step. */
import type { AppraisalOutcome, StatementDigest } from '@countersign/verify'
import type { AttestedTls } from '../upstreams/shown-certificate.ts'

/** An appraisal that accepted a place, and is in the log. */
export interface Acceptance {
  readonly appraisal: StatementDigest
  /** SHA-256 of the evidence file and of the collateral, hexadecimal. */
  readonly evidence: readonly string[]
  /** The TLS server that the evidence is about; `undefined` where it says nothing of one. */
  readonly tls: AttestedTls | undefined
  readonly validUntilMs: number
}

export interface PlaceState {
  readonly accepted: Acceptance | undefined
  /** Rounds in a row that did not end in an acceptance. */
  readonly failures: number
  /** What was logged last: the same again says nothing new. */
  readonly logged: { readonly outcome: AppraisalOutcome; readonly failed: string; readonly atMs: number } | undefined
}

export const NOTHING_SHOWN: PlaceState = { accepted: undefined, failures: 0, logged: undefined }

/** How a round of asking and appraising ended. */
export interface RoundEnd {
  readonly outcome: AppraisalOutcome
  /** Names of the checks that failed. */
  readonly failed: readonly string[]
}

export type PlaceEvent =
  /** The round is over. What it found is not in the log yet. */
  | { readonly type: 'appraised'; readonly nowMs: number; readonly round: RoundEnd }
  /** The appraisal is in the log; of an accepted place with what it is from now on. */
  | { readonly type: 'logged'; readonly nowMs: number; readonly acceptance: Acceptance | undefined }
  /** The log did not take it. */
  | { readonly type: 'not-logged'; readonly nowMs: number }

export type PlaceEffect =
  /** The appraisal goes into the log. */
  | { readonly type: 'log' }
  /** The next round begins so much later. */
  | { readonly type: 'wait'; readonly ms: number }

export interface PlaceStep {
  readonly state: PlaceState
  readonly effects: readonly PlaceEffect[]
}

/** Between two rounds that fail: doubles from the least to the most. */
export const LEAST_WAIT_MS = 5000
export const MOST_WAIT_MS = 5 * 60 * 1000
/** Between two rounds in any case. */
const LEAST_RENEWAL_MS = 1000
const MOST_RENEWAL_MS = 24 * 60 * 60 * 1000
/** After so long the same outcome is logged again. */
export const LOG_AGAIN_MS = 60 * 60 * 1000
/** Between two failures that are logged, however much they differ: each keeps files, and the place chooses them. */
export const LOG_FAILURES_MS = 10 * 60 * 1000

/**
 * One step. An acceptance lasts until it is out of date; it is renewed when half of its time is over. When a place cannot be
 * reached, or something is missing to judge its evidence, the last acceptance stands for its time. Evidence that was refused ends
 * it at once: the place has shown that it is another one.
 */
export function decidePlace(state: PlaceState, event: PlaceEvent): PlaceStep {
  switch (event.type) {
    case 'appraised':
      return afterRound(state, event.round, event.nowMs)
    case 'logged': {
      const { acceptance, nowMs } = event
      if (acceptance === undefined) return { state, effects: [again(state)] }
      return { state: { ...state, accepted: acceptance, failures: 0 }, effects: [renewal(acceptance, nowMs)] }
    }
    case 'not-logged': {
      // An acceptance that is not on record covers nothing.
      const next = { ...state, failures: state.failures + 1, logged: undefined }
      return { state: next, effects: [again(next)] }
    }
  }
}

function afterRound(state: PlaceState, { outcome, failed }: RoundEnd, nowMs: number): PlaceStep {
  const logged = { outcome, failed: failed.join(), atMs: nowMs }
  if (outcome === 'accepted') return { state: { ...state, logged }, effects: [{ type: 'log' }] }
  const next = {
    ...state,
    accepted: outcome === 'refused' ? undefined : state.accepted,
    failures: state.failures + 1,
  }
  const { logged: last } = state
  const sinceMs = last === undefined ? LOG_AGAIN_MS : nowMs - last.atMs
  const isOther = last?.outcome !== outcome || last.failed !== logged.failed
  const isNew = last?.outcome === 'accepted' || sinceMs >= LOG_AGAIN_MS || (isOther && sinceMs >= LOG_FAILURES_MS)
  return isNew ? { state: { ...next, logged }, effects: [{ type: 'log' }] } : { state: next, effects: [again(next)] }
}

/** Whether a place is shown to be what it must be. */
export function isShown({ accepted }: PlaceState, nowMs: number): boolean {
  return accepted !== undefined && nowMs < accepted.validUntilMs
}

function again({ failures }: PlaceState): PlaceEffect {
  const doubled = LEAST_WAIT_MS * 2 ** Math.min(failures - 1, 16)
  return { type: 'wait', ms: Math.max(LEAST_WAIT_MS, Math.min(MOST_WAIT_MS, doubled)) }
}

function renewal({ validUntilMs }: Acceptance, nowMs: number): PlaceEffect {
  const half = Math.floor((validUntilMs - nowMs) / 2)
  return { type: 'wait', ms: Math.max(LEAST_RENEWAL_MS, Math.min(MOST_RENEWAL_MS, half)) }
}
