/** One request on its way through the relay, and what is known of it so far. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Attempt, Observation } from '@countersign/verify'
import type { Recording } from '../recording/recording.ts'
import type { Services } from '../services.ts'
import type { Headers, Upstream, UpstreamAnswer } from '../upstreams/upstream.ts'
import type { AdmittedRequest } from './admission.ts'
import type { CachedAnswer } from './answer-cache.ts'
import type { IdempotencyMark } from './idempotency.ts'

export interface Exchange {
  readonly services: Services
  readonly admitted: AdmittedRequest
  readonly recording: Recording
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborts when the client leaves, or the gateway gives up. */
  readonly abort: AbortController
  readonly attempts: Attempt[]
  readonly observations: Set<Observation>
  /** Where the client sent an idempotency key. */
  readonly mark: IdempotencyMark | undefined
  readonly timing: Timing
}

/** Of a clock that never goes back, in milliseconds. */
export interface Timing {
  readonly startMs: number
  /** From the start to the head of the answer, once that is out. */
  firstByteMs: number | undefined
}

/** The answer that will be delivered, and what was sent to get it. */
export interface Answered {
  readonly upstream: Upstream
  readonly answer: UpstreamAnswer
  readonly sent: SentRequest
  /** Name of the model as it was sent. */
  readonly model: string
  readonly startedAtMs: number
  /** The answer that is given again, where it is one from the cache. */
  readonly repeated?: CachedAnswer
}

/** What went to an upstream: the client's bytes, unless the deployment changes them. */
export interface SentRequest {
  readonly bytes: Uint8Array
  /** JSON Patch from the client's bytes to these, as text; `undefined` when they are the same. */
  readonly patch: string | undefined
}

export function isClientGone({ response }: Exchange): boolean {
  return response.destroyed || response.closed
}

/** The status line and headers of an answer, with those by which its record is found. */
export function writeHead(
  response: ServerResponse,
  status: number,
  headers: Headers,
  ours: Headers,
  length: number | undefined,
): void {
  const flat: string[] = []
  const vary = response.getHeader('vary')
  for (const [name, value] of headers) {
    if (name === 'content-length') continue
    flat.push(name, name === 'vary' && vary !== undefined ? `${String(vary)}, ${value}` : value)
  }
  for (const [name, value] of ours) flat.push(name, value)
  if (length !== undefined) flat.push('content-length', String(length))
  response.writeHead(status, flat)
}

/** Notes when the answer began to leave. */
export function noteFirstByte({ timing }: Exchange): void {
  timing.firstByteMs ??= performance.now() - timing.startMs
}
