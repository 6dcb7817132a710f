/** Requests to one witness over HTTP. Whatever it does, there is an answer or a reason within the limits. */
import type { Client } from 'undici'
import { failureOf } from '../request-failure.ts'
import { MAX_ANSWER_BYTES, type Reply } from './answer.ts'

/** Longest time for one request, its connection included. */
export const REQUEST_TIMEOUT_MS = 10_000
/** How long a connection is kept without a request: publications come once a second, while there are any. */
const KEEP_ALIVE_MS = 30_000

/** Codes of a connection that was closed by the other side. */
const RESET: ReadonlySet<string> = /* @__PURE__ */ new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

export interface WitnessClient {
  /** Sends the body of an `add-checkpoint`. Never rejects. */
  addCheckpoint(body: string): Promise<Reply>
  /** Ends what is under way. */
  close(): Promise<void>
}

/** Connects when there is something to ask. Follows no redirect; certificates are always checked. @param url without a slash at its end */
export function createWitnessClient(url: string, timeoutMs = REQUEST_TIMEOUT_MS): WitnessClient {
  const { origin, pathname } = new URL(url)
  const path = `${pathname.replace(/\/+$/, '')}/add-checkpoint`
  let connected: Promise<Client> | undefined
  const connect = async (): Promise<Client> => {
    // A gateway without witnesses never loads it.
    const undici = await import('undici')
    return new undici.Client(origin, {
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_ANSWER_BYTES,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: { timeout: timeoutMs, rejectUnauthorized: true },
    })
  }
  const closing = new AbortController()
  const request = async (body: string, signal: AbortSignal): Promise<Reply> => {
    connected ??= connect()
    const client = await connected
    const reply = await client.request({ path, method: 'POST', body, signal })
    return {
      status: reply.statusCode,
      retryAfter: textOf(reply.headers['retry-after']),
      body: await reply.body.bytes(),
    }
  }
  return {
    async addCheckpoint(body) {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)])
      try {
        return await request(body, signal)
      } catch (thrown) {
        // Most likely it had been closed while it was idle. Asking twice does no harm.
        const isReset = RESET.has(String((thrown as { code?: unknown }).code))
        if (!isReset || signal.aborted) return { failure: failureOf(thrown) }
        return await request(body, signal).catch((again: unknown) => ({ failure: failureOf(again) }))
      }
    },
    async close() {
      closing.abort()
      await (await connected)?.destroy()
    },
  }
}

function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
