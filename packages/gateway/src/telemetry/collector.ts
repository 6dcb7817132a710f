/** Requests to a collector, one at a time. @spec OTLP/HTTP, "OTLP/HTTP Request" */
import { Pool } from 'undici'
import type { ExportOutcome } from './export-retry.ts'

/** Longest time for one request. */
const TIMEOUT_MS = 10_000
/** Most bytes of a reply that are read. */
const MAX_REPLY_BYTES = 64 * 1024
const JSON_TYPE = 'application/json'

export interface CollectorConnection {
  /** Sends the body of one export. Never rejects. */
  post(body: string): Promise<ExportOutcome>
  /** Ends what is under way, and all that is begun afterwards. */
  abort(): void
  close(): Promise<void>
}

/** Connects when there is something to send. Follows no redirect. @param otlpUrl without `/v1/traces`, which is added */
export function connectCollector(otlpUrl: string): CollectorConnection {
  const { origin, pathname } = new URL(otlpUrl)
  const path = `${pathname.replace(/\/+$/, '')}/v1/traces`
  const headers = { 'content-type': JSON_TYPE, accept: JSON_TYPE }
  const pool = new Pool(origin, { connections: 1, connect: { timeout: TIMEOUT_MS }, maxResponseSize: MAX_REPLY_BYTES })
  const over = new AbortController()
  return {
    async post(body) {
      const signal = AbortSignal.any([over.signal, AbortSignal.timeout(TIMEOUT_MS)])
      try {
        const reply = await pool.request({ path, method: 'POST', headers, body, signal })
        const retryAfter = reply.headers['retry-after']
        return {
          status: reply.statusCode,
          retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
          // What cannot be read takes nothing back: the status has said it.
          text: await reply.body.text().catch(() => ''),
        }
      } catch (thrown) {
        return { error: String((thrown as { code?: unknown } | null)?.code ?? 'no reply') }
      }
    },
    abort: () => over.abort(),
    close: () => pool.destroy(),
  }
}
