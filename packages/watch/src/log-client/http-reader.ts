/** Reads over HTTP from servers that need not be honest: within a time, within a size, following no redirect. */
import { CountersignError, GatheredBytes } from '@countersign/verify'
import { type Dispatcher, Pool } from 'undici'
import { MAX_CONNECTIONS, MAX_HEADER_BYTES, MAX_RETRY_AFTER_MS, MAX_TRIES, REQUEST_TIMEOUT_MS } from './limits.ts'
import { pause } from './pause.ts'

export interface HttpReaderOptions {
  /** Scheme, host, port and the path that everything is below. */
  readonly baseUrl: string
  /** For a whole request. */
  readonly timeoutMs?: number
  readonly headers?: { readonly [name: string]: string }
}

/** What a server answered, within the limits. */
export interface HttpAnswer {
  readonly status: number
  /** Empty unless the status is 200. */
  readonly body: Uint8Array
}

/** The little that is read of an answer that is not 200, so that its connection can be used again. */
const MAX_REFUSAL_BYTES = 16 * 1024

/** GET requests to one server. */
export class HttpReader {
  readonly #pool: Pool
  readonly #basePath: string
  readonly #timeoutMs: number
  readonly #headers: { readonly [name: string]: string }
  readonly #over = new AbortController()

  /** @throws {CountersignError} `usage/invalid` when the address is not plain http or https */
  constructor({ baseUrl, timeoutMs = REQUEST_TIMEOUT_MS, headers = {} }: HttpReaderOptions) {
    const url = parseBaseUrl(baseUrl)
    this.#basePath = url.pathname.replace(/\/+$/, '')
    this.#timeoutMs = timeoutMs
    this.#headers = { ...headers, 'accept-encoding': 'identity' }
    this.#pool = new Pool(url.origin, {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      connect: { timeout: timeoutMs },
      maxHeaderSize: MAX_HEADER_BYTES,
    })
  }

  /**
   * The body at `path` below the base address, when the status is 200.
   *
   * @throws {CountersignError} `watch/unreachable`, `watch/not-found`, `watch/bad-answer`
   */
  async get(path: string, maxBytes: number): Promise<Uint8Array> {
    const { status, body } = await this.ask(path, maxBytes)
    if (status === 200) return body
    if (status === 404 || status === 410) throw new CountersignError('watch/not-found', `${path}: answered ${status}`)
    if (status === 429 || status >= 500) throw new CountersignError('watch/unreachable', `${path}: answered ${status}`)
    throw badAnswer(path, `answered ${status}`)
  }

  /**
   * The answer at `path`, whatever its status. One that says to come back later is waited for, within limits.
   *
   * @throws {CountersignError} `watch/unreachable`, `watch/bad-answer`
   */
  async ask(path: string, maxBytes: number): Promise<HttpAnswer> {
    for (let tries = 1; ; tries++) {
      const { retryAfterMs, ...answer } = await this.#askOnce(path, maxBytes)
      if (retryAfterMs === undefined || tries === MAX_TRIES) return answer
      await pause(retryAfterMs, this.#over.signal)
    }
  }

  /** Ends all that is under way. */
  async close(): Promise<void> {
    this.#over.abort()
    await this.#pool.destroy()
  }

  async #askOnce(path: string, maxBytes: number): Promise<HttpAnswer & { readonly retryAfterMs: number | undefined }> {
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(this.#timeoutMs)])
    const options = { path: `${this.#basePath}/${path}`, method: 'GET', headers: this.#headers, signal } as const
    try {
      const reply = await this.#pool.request({ ...options, headersTimeout: 0, bodyTimeout: 0 })
      const { statusCode: status, headers } = reply
      if (status !== 200) {
        await reply.body.dump({ limit: MAX_REFUSAL_BYTES, signal }).catch(() => undefined)
        return { status, body: new Uint8Array(0), retryAfterMs: readRetryAfter(status, headers['retry-after']) }
      }
      if (!['identity', undefined].includes(textOf(headers['content-encoding']))) {
        drop(reply)
        throw badAnswer(path, 'encoded, though that was not asked for')
      }
      return { status, body: await readBody(path, reply, maxBytes), retryAfterMs: undefined }
    } catch (thrown) {
      throw failureOf(path, thrown, this.#timeoutMs)
    }
  }
}

/**
 * An address that is plain http or https, without a user, a query or a fragment.
 *
 * @throws {CountersignError} `usage/invalid`
 */
export function parseBaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CountersignError('usage/invalid', 'an address of a server begins with http:// or https://')
  }
  // It is not repeated: what stands before the @ is a secret.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new CountersignError('usage/invalid', 'an address of a server has no user, query or fragment')
  }
  return url
}

/** Reads until the end or the limit; what a server says of the length is believed only where it is too much. */
async function readBody(path: string, reply: Dispatcher.ResponseData, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => {
    drop(reply)
    return badAnswer(path, `has more than ${maxBytes} bytes`)
  }
  if (Number(textOf(reply.headers['content-length'])) > maxBytes) throw tooLarge()
  const gathered = new GatheredBytes()
  for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
    if (gathered.length + chunk.length > maxBytes) throw tooLarge()
    gathered.add(chunk)
  }
  return gathered.bytes()
}

/** Ends an answer with its connection, unread. */
function drop({ body }: Dispatcher.ResponseData): void {
  body.on('error', () => undefined)
  body.destroy()
}

function readRetryAfter(status: number, header: string | readonly string[] | undefined): number | undefined {
  if (status !== 429 && status !== 503) return undefined
  const seconds = Number(textOf(header))
  return Number.isInteger(seconds) && seconds >= 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : undefined
}

function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.join(',')
}

/** Whatever was thrown on the way, as one of our errors. */
function failureOf(path: string, thrown: unknown, timeoutMs: number): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const { code, name } = (thrown ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  if (name === 'TimeoutError') {
    return new CountersignError('watch/unreachable', `${path}: no whole answer within ${timeoutMs} ms`)
  }
  const reason = typeof code === 'string' || typeof code === 'number' ? String(code) : String(name ?? 'no answer')
  const isNotHttp = name === 'HTTPParserError' || reason === 'UND_ERR_HEADERS_OVERFLOW'
  return isNotHttp
    ? badAnswer(path, `not readable as HTTP (${reason})`)
    : new CountersignError('watch/unreachable', `${path}: no whole answer (${reason})`)
}

function badAnswer(path: string, why: string): CountersignError {
  return new CountersignError('watch/bad-answer', `${path}: ${why}`)
}
