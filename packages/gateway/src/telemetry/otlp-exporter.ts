/**
 * Sends spans to a collector: in batches, one at a time, from a queue that is bounded. What does not fit, and what the
 * collector does not take, is dropped and counted. Nobody waits for it.
 *
 * @spec OTLP/HTTP
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AnswerEvent } from './answer-event.ts'
import { type CollectorConnection, connectCollector } from './collector.ts'
import { decideExport } from './export-retry.ts'
import { exportRequest, spanOf } from './span.ts'

/** Answers that wait to be sent; further ones are dropped. */
export const MAX_QUEUED = 2048
/** Spans of one request. More would hold up the thread that answers. */
export const MAX_BATCH = 128
/** Longest time that an answer waits for others to be sent with. */
const INTERVAL_MS = 1000
/** What is still queued when the gateway closes has so long. */
const CLOSE_GRACE_MS = 2000

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
  const collector = connectCollector(otlpUrl)
  const queue: AnswerEvent[] = []
  /** Ends waiting, so that what is left is tried once more and given up. */
  const closing = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> | undefined
  let exported = 0
  let dropped = 0

  const delivery: Delivery = { collector, version, noteHealth: createHealthNotes(notices), closing: closing.signal }

  const send = async (): Promise<void> => {
    do {
      const batch = queue.splice(0, MAX_BATCH)
      // An answer that makes no span takes its batch with it, and nothing else.
      const taken = await deliver(delivery, batch).catch(() => 0)
      exported += taken
      dropped += batch.length - taken
    } while (queue.length >= MAX_BATCH || (closing.signal.aborted && queue.length > 0))
    sending = undefined
    if (queue.length > 0) schedule(INTERVAL_MS)
  }

  const schedule = (delayMs: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      if (sending === undefined && queue.length > 0) sending = send()
    }, delayMs).unref()
  }

  return {
    get exported() {
      return exported
    },
    get dropped() {
      return dropped
    },
    add(event) {
      const isFull = queue.length >= MAX_QUEUED || closing.signal.aborted
      if (isFull) dropped++
      else queue.push(event)
      if (isFull || sending !== undefined) return
      if (queue.length === MAX_BATCH) schedule(0)
      else if (timer === undefined) schedule(INTERVAL_MS)
    },
    async close() {
      clearTimeout(timer)
      closing.abort()
      const grace = setTimeout(() => collector.abort(), CLOSE_GRACE_MS)
      if (sending !== undefined) await sending
      if (queue.length > 0) await send()
      clearTimeout(grace)
      await collector.close()
    },
  }
}

interface Delivery {
  readonly collector: CollectorConnection
  readonly version: string
  readonly noteHealth: (why: string | undefined) => void
  readonly closing: AbortSignal
}

/** Sends one batch, however often that takes. The number of spans that were taken. */
async function deliver(delivery: Delivery, batch: readonly AnswerEvent[]): Promise<number> {
  const { collector, version, noteHealth, closing } = delivery
  const spans = batch.map((event) => spanOf(event, randomBytes))
  const body = exportRequest(spans, version)
  for (let tries = 1; ; tries++) {
    const decision = decideExport(await collector.post(body), tries, Math.random)
    noteHealth(decision.why)
    if (decision.action === 'done') return batch.length - Math.min(decision.rejected, batch.length)
    if (decision.action === 'drop' || closing.aborted) return 0
    await sleep(decision.delayMs, undefined, { signal: closing, ref: false }).catch(() => undefined)
  }
}

/** Says when exports begin to fail, and when they work again; not each time in between. */
function createHealthNotes(notices: ExporterOptions['notices']): (why: string | undefined) => void {
  let isFailing = false
  return (why) => {
    if ((why !== undefined) === isFailing) return
    isFailing = why !== undefined
    if (why === undefined) notices.info('traces are exported again')
    else notices.error(`traces cannot be exported (${why}); what the queue does not hold is dropped`)
  }
}
