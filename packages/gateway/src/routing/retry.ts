/** Whether a try that failed is followed by another, where, and when. */
import type { ErrorCode } from '@countersign/verify'
import type { Retries } from '../config/config.ts'

/** What came of a try before any byte reached the client. */
export type RetryOutcome =
  | {
      readonly kind: 'status'
      readonly status: number
      /** The answer's `Retry-After`, as it came. */
      readonly retryAfter: string | undefined
      /** The answer's `Date`: what a `Retry-After` that is a date is measured from. */
      readonly date?: string | undefined
    }
  | { readonly kind: 'error'; readonly code: ErrorCode }

/** What is known of the tries so far. */
export interface RetryState {
  readonly limits: Retries
  /** Of any clock that never goes back. */
  readonly startedAtMs: number
  /** Places in the plan behind the one that is being tried. */
  readonly targetsLeft: number
  /** Tries that ended, in all and at the place that is being tried. */
  readonly tries: number
  readonly triesHere: number
  /** Whether a try gave an answer of an upstream, if only an error. */
  readonly hasAnswer: boolean
}

export interface RetryDecision {
  /**
   * `deliver`: the answer at hand, or the last that any try gave. `give-up`: there is none, so the error is what is left.
   */
  readonly action: 'deliver' | 'retry-same' | 'next-target' | 'give-up'
  readonly delayMs: number
  readonly state: RetryState
}

/** Bounds of the wait before another try at the same place: what doubles from try to try, and its most. */
export const BASE_DELAY_MS = 250
export const MAX_DELAY_MS = 8000
/** A `Retry-After` that is longer is not waited for. */
export const MAX_RETRY_AFTER_MS = 20_000
/** Tries at one place, as long as there is another. */
export const MAX_TRIES_HERE = 2

/** Where to go after a status or an error that is worth another try; all others are not. */
type Where = 'same' | 'next'

const AFTER_STATUS: { readonly [status: number]: Where } = { 408: 'same', 409: 'same', 429: 'next' }

/** A connection that was reset had most likely been closed while it was idle. */
const AFTER_ERROR: { readonly [code in ErrorCode]?: Where } = {
  'upstream/reset': 'same',
  'upstream/unreachable': 'next',
  'upstream/timeout': 'next',
  'upstream/busy': 'next',
  'upstream/malformed': 'next',
  'place/not-shown': 'next',
}

const SECONDS = /^[0-9]{1,9}$/

/** @param targets How many places the plan has. */
export function startRetries(limits: Retries, startedAtMs: number, targets: number): RetryState {
  return { limits, startedAtMs, targetsLeft: Math.max(0, targets - 1), tries: 0, triesHere: 0, hasAnswer: false }
}

/**
 * Decides after each try. The wait before another at the same place is drawn between nothing and a bound that doubles,
 * or as long as the upstream asked for, where that is longer. Nothing is waited for at another place.
 *
 * Not for a try of which a byte has reached the client: that is never repeated.
 *
 * @param nowMs Of the same clock as the state's start.
 * @param random Uniform in [0, 1).
 */
export function decideRetry(
  before: RetryState,
  outcome: RetryOutcome,
  nowMs: number,
  random: () => number,
): RetryDecision {
  const state = {
    ...before,
    tries: before.tries + 1,
    triesHere: before.triesHere + 1,
    hasAnswer: before.hasAnswer || outcome.kind === 'status',
  }
  const end: RetryDecision = { action: state.hasAnswer ? 'deliver' : 'give-up', delayMs: 0, state }
  const where = whereNext(outcome)
  if (where === undefined) return outcome.kind === 'error' ? { ...end, action: 'give-up' } : end
  const { limits, startedAtMs } = state
  const leftMs = startedAtMs + limits.totalMs - nowMs
  if (state.tries >= limits.attempts || leftMs < 0) return end
  const askedMs = outcome.kind === 'status' ? retryAfterMs(outcome) : 0
  const canWait = askedMs <= MAX_RETRY_AFTER_MS
  const isEnoughHere = where === 'next' || state.triesHere >= MAX_TRIES_HERE || !canWait
  if (state.targetsLeft > 0 && isEnoughHere) {
    const next = { ...state, targetsLeft: state.targetsLeft - 1, triesHere: 0 }
    return { action: 'next-target', delayMs: 0, state: next }
  }
  const delayMs = Math.max(askedMs, random() * Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (state.triesHere - 1)))
  return canWait && delayMs <= leftMs ? { action: 'retry-same', delayMs, state } : end
}

function whereNext(outcome: RetryOutcome): Where | undefined {
  if (outcome.kind === 'error') return AFTER_ERROR[outcome.code]
  return AFTER_STATUS[outcome.status] ?? (outcome.status >= 500 ? 'next' : undefined)
}

/** 0 where nothing was asked for that can be read. @spec RFC 9110 §10.2.3 */
function retryAfterMs({ retryAfter, date }: { retryAfter: string | undefined; date?: string | undefined }): number {
  if (retryAfter === undefined) return 0
  if (SECONDS.test(retryAfter)) return Number(retryAfter) * 1000
  const waitMs = Date.parse(retryAfter) - Date.parse(date ?? '')
  return waitMs > 0 ? waitMs : 0
}
