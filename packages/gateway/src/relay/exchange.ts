/** One request on its way through the relay, and what is known of it so far. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Attempt, InferencePredicate, Observation } from '@countersign/verify'
import type { AnswerFacts } from '../dialects/answer-facts.ts'
import type { Recording } from '../recording/recording.ts'
import type { Services } from '../services.ts'
import type { Headers, Upstream, UpstreamAnswer } from '../upstreams/upstream.ts'
import type { AdmittedRequest } from './admitted-request.ts'
import type { CachedAnswer } from './answer-cache.ts'
import type { IdempotencyMark } from './marks.ts'

export interface Exchange {
  readonly services: Services
  readonly admitted: AdmittedRequest
  readonly recording: Recording
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborts when the client leaves, or the gateway gives up. */
  readonly abort: AbortController
  /** In the order in which they began. */
  readonly attempts: Attempt[]
  readonly observations: Set<Observation>
  /** Where the client sent an idempotency key. */
  readonly mark: IdempotencyMark | undefined
  readonly timing: Timing
  /** Commitment to what came of an answer that broke off before any of it left. */
  receivedPart: string | undefined
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
  /** Where the try stands among the exchange's attempts. */
  readonly place: number
  /** The answer that is given again, where it is one from the cache. */
  readonly repeated?: CachedAnswer
}

/** What went to an upstream: the client's bytes, unless the deployment changes them. */
export interface SentRequest {
  readonly bytes: Uint8Array
  /** JSON Patch from the client's bytes to these, as text; `undefined` when they are the same. */
  readonly patch: string | undefined
}

/** What is known when an answer has ended, well or badly. */
export interface Ending {
  /** The upstream's answer; `undefined` when none ever began. */
  readonly answered: Answered | undefined
  readonly facts: AnswerFacts | undefined
  readonly finish: InferencePredicate['finish']
  /** Commitments to the answer's bytes, where there were any. */
  readonly received: string | undefined
  readonly delivered: string | undefined
  /** The answer's bytes as delivered, where they are kept. */
  readonly content: Uint8Array | undefined
  /** The same as received, where they differ. */
  readonly receivedContent?: Uint8Array | undefined
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
