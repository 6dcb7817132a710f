/**
 * Sends spans to a collector: in batches, one at a time, from a queue that is bounded. What does not fit, and what the
 * collector does not take, is dropped and counted. Nobody waits for it.
 *
 * @spec OTLP/HTTP
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { AnswerEvent } from './answer-event.ts'
import { decideExport, type ExportOutcome } from './export-retry.ts'
import { exportRequest, spanOf } from './span.ts'

/** Answers that wait to be sent; further ones are dropped. */
export const MAX_QUEUED = 2048
/** Spans of one request. More would hold up the thread that answers. */
export const MAX_BATCH = 128
/** Longest time that an answer waits for others to be sent with. */
const INTERVAL_MS = 1000
/** Longest time for one request. */
const TIMEOUT_MS = 10_000
/** What is still queued when the gateway closes has so long. */
const CLOSE_GRACE_MS = 2000
/** Most bytes of a collector's reply that are read. */
const MAX_REPLY_BYTES = 64 * 1024
const JSON_TYPE = 'application/json'

export interface ExporterOptions {
  /** Without `/v1/traces`, which is added. */
  readonly otlpUrl: string
  /** Version of the gateway. */
  readonly version: string
  readonly notices: { info(message: string): void; error(message: string): void }
}

export interface SpanExporter {
  /** Queues the span of an answer. Never throws, never waits. */
  add(event: AnswerEvent): void
  readonly exported: number
  readonly dropped: number
  /** Sends what it can in a short time. Never rejects. */
  close(): Promise<void>
}

/** Connects to nobody before there is something to send. */
export function createSpanExporter({ otlpUrl, version, notices }: ExporterOptions): SpanExporter {
  const { origin, pathname } = new URL(otlpUrl)
  const path = `${pathname.replace(/\/+$/, '')}/v1/traces`
  const pool = new Pool(origin, { connections: 1, connect: { timeout: TIMEOUT_MS }, maxResponseSize: MAX_REPLY_BYTES })
  const queue: AnswerEvent[] = []
  /** Ends waiting, so that what is left is tried once more and given up. */
  const closing = new AbortController()
  /** Ends requests. */
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> | undefined
  let exported = 0
  let dropped = 0
  let isFailing = false

  const post = async (body: string): Promise<ExportOutcome> => {
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(TIMEOUT_MS)])
    const headers = { 'content-type': JSON_TYPE, accept: JSON_TYPE }
    try {
      const reply = await pool.request({ path, method: 'POST', headers, body, signal })
      const text = await reply.body.text().catch(() => '')
      const retryAfter = reply.headers['retry-after']
      return { status: reply.statusCode, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined, text }
    } catch (thrown) {
      return { error: String((thrown as { code?: unknown } | null)?.code ?? 'no reply') }
    }
  }

  const noteHealth = (why: string | undefined): void => {
    if ((why !== undefined) === isFailing) return
    isFailing = why !== undefined
    if (why === undefined) notices.info('traces are exported again')
    else notices.error(`traces cannot be exported (${why}); what the queue does not hold is dropped`)
  }

  const deliver = async (batch: readonly AnswerEvent[]): Promise<void> => {
    const body = exportRequest(
      batch.map((event) => spanOf(event, randomBytes)),
      version,
    )
    for (let tries = 1; ; tries++) {
      const decision = decideExport(await post(body), tries, Math.random)
      noteHealth(decision.why)
      if (decision.action === 'done') {
        const rejected = Math.min(decision.rejected, batch.length)
        exported += batch.length - rejected
        dropped += rejected
        return
      }
      if (decision.action === 'drop' || closing.signal.aborted) {
        dropped += batch.length
        return
      }
      await sleep(decision.delayMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined)
    }
  }

  const send = async (): Promise<void> => {
    do await deliver(queue.splice(0, MAX_BATCH))
    while (queue.length >= MAX_BATCH || (closing.signal.aborted && queue.length > 0))
    sending = undefined
    if (queue.length > 0) schedule(INTERVAL_MS)
  }

  const schedule = (delayMs: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      if (sending === undefined && queue.length > 0) sending = send()
    }, delayMs)
    timer.unref()
  }

  return {
    get exported() {
      return exported
    },
    get dropped() {
      return dropped
    },
    add(event) {
      if (queue.length >= MAX_QUEUED || closing.signal.aborted) {
        dropped++
        return
      }
      queue.push(event)
      if (sending !== undefined) return
      if (queue.length === MAX_BATCH) schedule(0)
      else if (timer === undefined) schedule(INTERVAL_MS)
    },
    async close() {
      clearTimeout(timer)
      closing.abort()
      const grace = setTimeout(() => over.abort(), CLOSE_GRACE_MS)
      if (sending !== undefined) await sending
      clearTimeout(timer)
      if (queue.length > 0) await send()
      clearTimeout(grace)
      await pool.destroy()
    },
  }
}
