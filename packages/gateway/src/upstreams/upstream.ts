/** An upstream: whatever answers a request, as the relay sees it. Its kinds are tables and functions, not classes. */
import type { Readable } from 'node:stream'
import type { Observation, ServedModel, UpstreamKind } from '@countersign/verify'
import type { Dialect, RequestFacts } from '../dialects/dialect.ts'

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
  /** SHA-256 of the certificate that the upstream showed, hexadecimal, where it is known for this very connection. */
  readonly tlsCertificate: string | undefined
}

export interface Upstream {
  readonly name: string
  readonly kind: UpstreamKind
  /** Scheme, host and port, for the manifest; `embedded` for an engine of the gateway's own. */
  readonly origin: string
  /** The model that is loaded here, by its file's digest; `undefined` where nobody here knows the weights. */
  readonly served: ServedModel | undefined
  /** State of its circuit breaker, where it has one. */
  readonly circuit?: 'closed' | 'half-open' | 'open'
  /**
   * Sends one request, once.
   *
   * @throws {CountersignError} `upstream/unreachable`, `upstream/timeout`, `upstream/reset`, `upstream/busy` (its
   *   concurrency limit, or its circuit is open), `upstream/malformed`, and for embedded engines `execution/*`
   */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>
  close(): Promise<void>
}
