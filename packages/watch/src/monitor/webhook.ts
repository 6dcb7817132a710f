/** Delivers alerts: one after the other, for as long as it takes, beside the monitoring. @spec spec/monitor.md */
import { Pool } from 'undici'
import { parseBaseUrl } from '../log-client/http-reader.ts'
import { pause } from '../log-client/pause.ts'
import type { Alert } from './monitor-state.ts'

export const ALERT_FORMAT = 'countersign-alert/v1'

/** Time for one delivery, and the waits between tries: they double up to the longest. */
const TIMEOUT_MS = 10_000
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 300_000
const MAX_REPLY_BYTES = 16 * 1024

export interface WebhookOptions {
  readonly url: string
  /** Origin of the log. */
  readonly log: string
  /** Called once an alert was taken: with a status of 2xx. */
  readonly onDelivered: (alert: Alert) => void
  readonly firstWaitMs?: number
}

/** The body of an alert. */
export function formatAlert(log: string, alert: Alert): string {
  return `${JSON.stringify({ format: ALERT_FORMAT, log, ...alert })}\n`
}

/** Posts alerts in the order in which they come. The queue is whoever's it is: what was not delivered is given again. */
export class Webhook {
  readonly #options: WebhookOptions
  readonly #pool: Pool
  readonly #path: string
  readonly #over = new AbortController()
  #alerts: readonly Alert[] = []
  #running: Promise<void> | undefined

  /** @throws {CountersignError} `usage/invalid` when the address is not plain http or https */
  constructor(options: WebhookOptions) {
    const url = parseWebhookUrl(options.url)
    this.#options = options
    this.#path = `${url.pathname}${url.search}`
    this.#pool = new Pool(url.origin, {
      connections: 1,
      connect: { timeout: TIMEOUT_MS },
      maxResponseSize: MAX_REPLY_BYTES,
    })
  }

  /** Takes all alerts that are not delivered yet, and returns at once. */
  send(alerts: readonly Alert[]): void {
    this.#alerts = alerts
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Waits until all is delivered, or the time is over; then ends. */
  async close(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#over.abort(), timeoutMs)
    await this.#running
    clearTimeout(timer)
    this.#over.abort()
    await this.#pool.destroy()
  }

  async #run(): Promise<void> {
    const first = this.#options.firstWaitMs ?? FIRST_WAIT_MS
    let waitMs = first
    for (let alert = this.#alerts[0]; alert !== undefined && !this.#over.signal.aborted; alert = this.#alerts[0]) {
      const delivered: Alert = alert
      if (await this.#post(delivered)) {
        waitMs = first
        this.#alerts = this.#alerts.filter(({ id }) => id !== delivered.id)
        this.#options.onDelivered(delivered)
      } else {
        await pause(waitMs, this.#over.signal)
        waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
      }
    }
  }

  async #post(alert: Alert): Promise<boolean> {
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(TIMEOUT_MS)])
    const headers = { 'content-type': 'application/json' }
    const body = formatAlert(this.#options.log, alert)
    try {
      const reply = await this.#pool.request({ path: this.#path, method: 'POST', headers, body, signal })
      await reply.body.dump().catch(() => undefined)
      return reply.statusCode >= 200 && reply.statusCode < 300
    } catch {
      return false
    }
  }
}

/** A webhook's address may have a query: many carry their token there. It is never repeated. */
function parseWebhookUrl(text: string): URL {
  const bare = text.replace(/\?.*$/s, '')
  parseBaseUrl(bare)
  return new URL(text)
}
