/** What an auditor asks of a gateway. Within a time and a size, following no redirect; the key goes nowhere else. */
import {
  CountersignError,
  type Crypto,
  FILE_LIMITS,
  Fields,
  formatEnvelope,
  GatheredBytes,
  type Json,
  meetsQuorum,
  openConfirmations,
  parseBundle,
  parseJson,
  type Trust,
} from '@countersign/verify'
import { type Dispatcher, Pool } from 'undici'
import { parseBaseUrl } from '../log-client/http-reader.ts'
import { MAX_CONNECTIONS, MAX_HEADER_BYTES } from '../log-client/limits.ts'
import type { SignedPayload } from './decide-audit.ts'
import { ENTRY_TIMEOUT_MS, MAX_DOSSIER_BYTES, MAX_REPLY_BYTES, MAX_RETRY_MS } from './limits.ts'

/** What a gateway said. */
export interface GatewayReply {
  readonly status: number
  readonly body: Uint8Array
  /** Of an error: its code, as the gateway gives it. */
  readonly code: string | undefined
  /** When to ask again, where it says so. */
  readonly retryAfterMs: number | undefined
}

export interface GatewayAccessOptions {
  readonly baseUrl: string
  /** API key with the right `audit`. */
  readonly apiKey: string | undefined
  readonly timeoutMs?: number
}

export class GatewayAccess {
  readonly #pool: Pool
  readonly #basePath: string
  readonly #timeoutMs: number
  readonly #apiKey: string | undefined

  /** @throws {CountersignError} `usage/invalid` */
  constructor({ baseUrl, apiKey, timeoutMs = ENTRY_TIMEOUT_MS }: GatewayAccessOptions) {
    const url = parseBaseUrl(baseUrl)
    this.#basePath = url.pathname.replace(/\/+$/, '')
    this.#timeoutMs = timeoutMs
    this.#apiKey = apiKey
    this.#pool = new Pool(url.origin, {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      connect: { timeout: timeoutMs },
      maxHeaderSize: MAX_HEADER_BYTES,
    })
  }

  /** What the gateway gives for an entry. @throws {CountersignError} `watch/unreachable`, `watch/bad-answer` */
  entry(index: number, timeoutMs = this.#timeoutMs): Promise<GatewayReply> {
    const headers: { [name: string]: string } = { prefer: 'wait=10, witnessed' }
    if (this.#apiKey !== undefined) headers.authorization = `Bearer ${this.#apiKey}`
    const request = { method: 'GET', path: `/audit/entries/${index}`, headers } as const
    return this.#send(request, MAX_DOSSIER_BYTES, Math.min(timeoutMs, this.#timeoutMs))
  }

  /** Has a statement logged. @throws {CountersignError} `watch/unreachable`, `watch/bad-answer` */
  post({ payload, signature }: SignedPayload, keyId: string): Promise<GatewayReply> {
    const body = JSON.stringify(formatEnvelope({ payload, signature, keyId }))
    const headers = { 'content-type': 'application/json' }
    return this.#send({ method: 'POST', path: '/statements', headers, body }, MAX_REPLY_BYTES)
  }

  /** A statement with its receipt. @throws {CountersignError} `watch/unreachable`, `watch/bad-answer` */
  statement(digest: string): Promise<GatewayReply> {
    return this.#send({ method: 'GET', path: `/statements/${digest}`, headers: {} }, MAX_REPLY_BYTES)
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #send(
    request: { method: 'GET' | 'POST'; path: string; headers: { readonly [name: string]: string }; body?: string },
    maxBytes: number,
    timeoutMs = this.#timeoutMs,
  ): Promise<GatewayReply> {
    const { path } = request
    const signal = AbortSignal.timeout(timeoutMs)
    const headers = { ...request.headers, 'accept-encoding': 'identity' }
    const options = { ...request, path: `${this.#basePath}${path}`, headers, signal, headersTimeout: 0, bodyTimeout: 0 }
    try {
      const reply = await this.#pool.request(options)
      const { statusCode: status } = reply
      const body = await readWithin(reply, status === 200 ? maxBytes : MAX_REPLY_BYTES, path)
      return { status, body, code: codeIn(status, body), retryAfterMs: retryAfter(reply.headers['retry-after']) }
    } catch (thrown) {
      if (thrown instanceof CountersignError) throw thrown
      const { code, name } = thrown as { readonly code?: unknown; readonly name?: unknown }
      throw new CountersignError('watch/unreachable', `${path}: no whole answer (${String(code ?? name)})`)
    }
  }
}

/**
 * The place that a gateway gave a statement, which must be the one that was sent.
 *
 * @throws {CountersignError} `watch/bad-answer`
 */
export function readPlace({ body }: GatewayReply, digest: string): number {
  try {
    const fields = new Fields(parseJson(body, FILE_LIMITS), 'reply')
    if (fields.hex('statement', 32) === digest) return fields.integer('index')
  } catch {
    // Said below.
  }
  throw new CountersignError('watch/bad-answer', 'the gateway gave no place for the statement that it was sent')
}

/** What the gateway refused, as an error for people. */
export function refusalOf({ status, code }: GatewayReply, what: string): CountersignError {
  return new CountersignError('gateway/refused', `${what}: the gateway answered ${status} (${code ?? 'no code'})`)
}

async function readWithin(reply: Dispatcher.ResponseData, maxBytes: number, path: string): Promise<Uint8Array> {
  const gathered = new GatheredBytes()
  for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
    if (gathered.length + chunk.length > maxBytes) {
      reply.body.on('error', () => undefined).destroy()
      throw new CountersignError('watch/bad-answer', `${path}: has more than ${maxBytes} bytes`)
    }
    gathered.add(chunk)
  }
  return gathered.bytes()
}

/** The code of an error reply. It ends up in a statement, so it must look like one. */
function codeIn(status: number, body: Uint8Array): string | undefined {
  if (status < 300) return undefined
  try {
    const { code } = parseJson(body, FILE_LIMITS) as { readonly [name: string]: Json }
    if (typeof code === 'string' && /^[a-z-]{1,40}\/[a-z0-9-]{1,60}$/.test(code)) return code
  } catch {
    // No JSON, no code.
  }
  return `http/${status}`
}

function retryAfter(header: string | readonly string[] | undefined): number | undefined {
  const seconds = typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : undefined
  return seconds === undefined ? undefined : Math.min(seconds * 1000, MAX_RETRY_MS)
}

/** Whether a gateway's reply has a receipt under a head that meets the policy's quorum. What it proves is for others to check. */
export function isConfirmedReceipt(crypto: Crypto, { policy }: Trust, body: Uint8Array): boolean {
  try {
    const bundle = new Fields(parseJson(body, FILE_LIMITS), 'statement').required('bundle')
    return meetsQuorum(policy, openConfirmations(crypto, parseBundle(bundle, 'bundle').checkpoint, policy))
  } catch (thrown) {
    if (thrown instanceof CountersignError) return false
    throw thrown
  }
}
