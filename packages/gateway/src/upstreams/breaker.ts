/** A circuit breaker: after failures in a row an upstream is left alone for a while, then tried with one request. */
import type { Breaker } from '../config/config.ts'

export type BreakerState =
  | { readonly circuit: 'closed'; readonly failures: number }
  /** Nothing is sent until then; the next request after that is the trial. */
  | { readonly circuit: 'open'; readonly untilMs: number }
  /** The trial is under way. */
  | { readonly circuit: 'half-open' }

/** What becomes of a request. Each has one `sent`, at most one `answered`, and then one of the others. */
export type BreakerEvent =
  | { readonly type: 'sent' }
  /** The answer began, and is no fault of the server. */
  | { readonly type: 'answered' }
  /** It came whole. */
  | { readonly type: 'completed' }
  /** There was no connection, a time limit, a broken answer, or a fault of the server (5xx). */
  | { readonly type: 'failed'; readonly nowMs: number }
  /** Nobody waited for it any longer, which says nothing. */
  | { readonly type: 'abandoned'; readonly isTrial: boolean; readonly nowMs: number }

export const CLOSED_CIRCUIT: BreakerState = { circuit: 'closed', failures: 0 }

/** Whether a request may be sent now. One that is sent while the circuit is not closed is the trial. */
export function maySend(state: BreakerState, nowMs: number): boolean {
  return state.circuit === 'closed' || (state.circuit === 'open' && nowMs >= state.untilMs)
}

/**
 * One step. An answer that begins well closes the circuit; only whole ones make earlier failures forgotten, so that an
 * upstream which breaks off each answer is found out.
 *
 * Failures of requests that were sent before the circuit opened do not keep it open for longer.
 */
export function decideBreaker(state: BreakerState, event: BreakerEvent, { failures, openMs }: Breaker): BreakerState {
  switch (event.type) {
    case 'sent':
      return state.circuit === 'open' ? { circuit: 'half-open' } : state
    case 'answered':
      return state.circuit === 'half-open' ? CLOSED_CIRCUIT : state
    case 'completed':
      return state.circuit === 'open' ? state : CLOSED_CIRCUIT
    case 'failed': {
      if (state.circuit === 'open') return state
      const count = state.circuit === 'closed' ? state.failures + 1 : failures
      return count < failures
        ? { circuit: 'closed', failures: count }
        : { circuit: 'open', untilMs: event.nowMs + openMs }
    }
    case 'abandoned':
      return event.isTrial && state.circuit === 'half-open' ? { circuit: 'open', untilMs: event.nowMs } : state
  }
}
