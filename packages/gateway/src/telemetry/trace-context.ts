/** The trace that a caller's request belongs to. @spec W3C Trace Context §3.2 */

export interface TraceContext {
  /** 16 bytes, hexadecimal. */
  readonly traceId: string
  /** The caller's span, 8 bytes, hexadecimal. */
  readonly parentSpanId: string
  /** Whether the caller records the trace. Where it does not, neither does the gateway. */
  readonly isSampled: boolean
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Longest header that is looked at. Later versions of the format may be longer than this one's 55 characters. */
const MAX_LENGTH = 256
const SAMPLED = 1

/**
 * Reads the header `traceparent`; `undefined` where there is none, or none that is valid. Whoever calls can write anything
 * into it: the ids join spans, and prove nothing.
 */
export function parseTraceparent(header: string | readonly string[] | undefined): TraceContext | undefined {
  if (typeof header !== 'string' || header.length > MAX_LENGTH) return undefined
  const [, version = '', traceId = '', parentSpanId = '', flags = '', rest] = TRACEPARENT.exec(header) ?? []
  if (version === '' || version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(parentSpanId)) return undefined
  return { traceId, parentSpanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED }
}
