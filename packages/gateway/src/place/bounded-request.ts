/** One request to a server that nobody trusts: bounded in time and size, without redirects, on a connection of its own. */
import { CountersignError, GatheredBytes } from '@countersign/verify'
import { buildConnector, Client } from 'undici'
import { failureOf } from '../request-failure.ts'
import { type ShownCertificate, shownOn } from '../upstreams/shown-certificate.ts'

/** Most bytes of an answer's headers: certificate chains stand in some. */
const MAX_HEADER_BYTES = 64 * 1024
const MAX_RETRY_AFTER_SECONDS = 3600
const SECONDS = /^[0-9]{1,6}$/

export interface BoundedRequest {
  readonly url: string
  /** For the whole of it, the connection included. */
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly headers?: { readonly [name: string]: string }
  /** Authorities that its certificate may be from, in PEM; the usual ones when `undefined`. */
  readonly ca?: string | undefined
  readonly signal?: AbortSignal
}

/** An answer of status 200. */
export interface BoundedAnswer {
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: Uint8Array
  /** Of the connection that the answer came over; `undefined` without TLS. */
  readonly shown: ShownCertificate | undefined
}

/** A request that failed. Its text has words of ours and codes of the platform, never what a server sent. */
export class RequestFailed extends CountersignError {
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(why: string, retryAfterMs?: number) {
    super('place/unreachable', why)
    this.retryAfterMs = retryAfterMs
  }
}

/**
 * Asks for something with GET, once. Certificates are always checked.
 *
 * @throws {RequestFailed} for anything but an answer of status 200 within the limits
 */
export async function requestBounded(request: BoundedRequest): Promise<BoundedAnswer> {
  const { url, timeoutMs, maxBytes, headers = {}, ca } = request
  const { origin, pathname, search, host } = new URL(url)
  let shown: ShownCertificate | undefined
  const connect = buildConnector({
    timeout: timeoutMs,
    rejectUnauthorized: true,
    maxCachedSessions: 0,
    ...(ca === undefined ? {} : { ca }),
  })
  const client = new Client(origin, {
    maxHeaderSize: MAX_HEADER_BYTES,
    maxResponseSize: maxBytes,
    connect: (where, done) =>
      connect(where, (...result) => {
        const [error, socket] = result
        if (error === null) shown = shownOn(socket)
        done(...result)
      }),
  })
  const signals = [AbortSignal.timeout(timeoutMs), ...(request.signal === undefined ? [] : [request.signal])]
  try {
    const path = `${pathname}${search}`
    const answer = await client.request({ path, method: 'GET', headers, signal: AbortSignal.any(signals) })
    if (answer.statusCode !== 200) {
      throw new RequestFailed(`${host} answered ${answer.statusCode}`, retryAfterOf(answer.headers['retry-after']))
    }
    const gathered = new GatheredBytes()
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) gathered.add(chunk)
    return { headers: single(answer.headers), body: gathered.bytes(), shown }
  } catch (thrown) {
    throw thrown instanceof RequestFailed ? thrown : new RequestFailed(`${host}: ${failureOf(thrown)}`)
  } finally {
    await client.destroy().catch(() => undefined)
  }
}

function single(headers: { readonly [name: string]: string | string[] | undefined }): BoundedAnswer['headers'] {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  )
}

function retryAfterOf(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string' || !SECONDS.test(value)) return undefined
  return Math.min(MAX_RETRY_AFTER_SECONDS, Number(value)) * 1000
}
