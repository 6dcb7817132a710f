/** Whether a batch of spans is sent again. @spec OTLP/HTTP, "Failures" */

/** What became of one request: a reply, or the code of an error. */
export type ExportOutcome =
  | { readonly status: number; readonly retryAfter: string | undefined; readonly text: string }
  | { readonly error: string }

export type ExportDecision =
  /** Taken, but for so many spans. */
  | { readonly action: 'done'; readonly rejected: number; readonly why: undefined }
  | { readonly action: 'retry'; readonly delayMs: number; readonly why: string }
  | { readonly action: 'drop'; readonly why: string }

/** Most requests for one batch. */
export const MAX_TRIES = 5
const RETRYABLE: readonly number[] = [429, 502, 503, 504]
const BASE_DELAY_MS = 1000
const MAX_DELAY_MS = 30_000

/** One step: after the reply to request number `tries`. `random` is from 0 to 1. */
export function decideExport(outcome: ExportOutcome, tries: number, random: () => number): ExportDecision {
  if ('error' in outcome) {
    const why = /^\w{1,40}$/.test(outcome.error) ? outcome.error : 'no reply'
    return again(why, tries, backoffMs(tries, random))
  }
  const { status, retryAfter, text } = outcome
  if (status >= 200 && status < 300) return { action: 'done', rejected: rejectedSpans(text), why: undefined }
  const why = `status ${status}`
  if (!RETRYABLE.includes(status)) return { action: 'drop', why }
  const asked = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) * 1000 : undefined
  return again(why, tries, asked === undefined ? backoffMs(tries, random) : Math.min(asked, MAX_DELAY_MS))
}

function again(why: string, tries: number, delayMs: number): ExportDecision {
  return tries >= MAX_TRIES ? { action: 'drop', why } : { action: 'retry', delayMs, why }
}

/** Doubles from try to try; half of it is chance, so that many gateways do not come back at once. */
function backoffMs(tries: number, random: () => number): number {
  const mostMs = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (tries - 1))
  return mostMs * (0.5 + random() / 2)
}

/** Spans that a collector says it refused among those it took. What cannot be read says none. */
function rejectedSpans(text: string): number {
  try {
    const reply = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: unknown } } | null
    const count = Number(reply?.partialSuccess?.rejectedSpans ?? 0)
    return Number.isSafeInteger(count) && count > 0 ? count : 0
  } catch {
    return 0
  }
}
