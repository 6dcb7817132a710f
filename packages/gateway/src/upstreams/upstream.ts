/** An upstream: whatever answers a request, as the relay sees it. Its kinds are tables and functions, not classes. */
import type { Readable } from 'node:stream'
import type { Observation, ServedModel, StatementDigest, UpstreamKind } from '@countersign/verify'
import type { AnswerSignatureConfig } from '../config/config.ts'
import type { Dialect, RequestFacts } from '../dialects/dialect.ts'
import type { AttestedTls, ShownCertificate } from './shown-certificate.ts'

export type { UpstreamKind }

/** Header names in lower case, each with its value; a name may stand twice. */
export type Headers = readonly (readonly [name: string, value: string])[]

/** One request to an upstream, with everything that goes to it. */
export interface UpstreamRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Path and query as clients send them, from `/v1/…` or `/v2/…` on. */
  readonly path: string
  /** What the client sent, less what must not go on: see `forwardedHeaders`. Never has a credential of the gateway. */
  readonly headers: Headers
  readonly body: Uint8Array | undefined
  /** The dialect and what was read of the request, where it is an answer of a model that is asked for. */
  readonly dialect: Dialect | undefined
  readonly facts: RequestFacts | undefined
  /** Ends the request at once. */
  readonly signal: AbortSignal
  /** The server that it may go to, where that is settled by evidence; to no other is a byte of it sent. */
  readonly attested?: AttestedTls | undefined
}

/** What is on record of the place that gave an answer. */
export interface Covering {
  /** Digest of the appraisal statement. */
  readonly appraisal: StatementDigest
  /** SHA-256 of the evidence file and of the collateral, hexadecimal. */
  readonly evidence: readonly string[]
}

/** What an upstream answered, with its body still to come. */
export interface UpstreamAnswer {
  readonly status: number
  /** Without hop-by-hop headers and without any that look like ours. */
  readonly headers: Headers
  /** Decoded bytes. Fails with a `CountersignError` `upstream/*`. */
  readonly body: Readable
  readonly observations: readonly Observation[]
  /** The upstream's own id of the request, bounded. */
  readonly requestId: string | undefined
  /** What the upstream showed on this very connection, where that is known. */
  readonly shown: ShownCertificate | undefined
  /** The accepted appraisal of the place that it came from, where there is one. */
  readonly covering: Covering | undefined
}

export interface Upstream {
  readonly name: string
  readonly kind: UpstreamKind
  /** Scheme, host and port, for the manifest; `embedded` for an engine of the gateway's own. */
  readonly origin: string
  /** The model that is loaded here, by its file's digest; `undefined` where nobody here knows the weights. */
  readonly served: ServedModel | undefined
  /** How it signs its answers, where its signatures are kept. */
  readonly answerSignature?: AnswerSignatureConfig | undefined
  /** State of its circuit breaker, where it has one. */
  readonly circuit?: 'closed' | 'half-open' | 'open' | undefined
  /** Whether its place must be shown before anything is sent, and is not. */
  readonly isWithheld?: boolean
  /**
   * Sends one request, once.
   *
   * @throws {CountersignError} `upstream/unreachable`, `upstream/timeout`, `upstream/reset`, `upstream/busy` (its
   *   concurrency limit, or its circuit is open), `upstream/malformed`, for embedded engines `execution/*`, and
   *   `place/not-shown` where its place must be shown, and is not
   */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>
  close(): Promise<void>
}
