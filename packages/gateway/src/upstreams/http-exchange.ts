/** One request on its way to an upstream over HTTP, and its answer. */
import { Readable } from 'node:stream'
import { CountersignError } from '@countersign/verify'
import type { UpstreamConfig } from '../config/config.ts'
import type { CarriedHandler, Carrier, Connection } from './connections.ts'
import { decodeBody } from './decoded-body.ts'
import { type Stage, upstreamFailure } from './failures.ts'
import { returnedHeaders } from './headers.ts'
import { type AttestedTls, isAttested } from './shown-certificate.ts'
import type { UpstreamAnswer } from './upstream.ts'

/** Most bytes of an answer that wait for a reader, beyond what one read from the connection gives. */
const HIGH_WATER_MARK = 64 * 1024
/** Most informational answers (1xx) before the real one. */
const MAX_INFORMATIONAL = 16

/** How an exchange ended; `abandoned` when nobody waited for it any longer. */
export type ExchangeEnd = 'completed' | 'failed' | 'abandoned'

export interface ExchangeOptions {
  readonly upstream: Pick<UpstreamConfig, 'name' | 'timeouts'>
  /** What opens the upstream: no header that has it in it is handed on. */
  readonly secret: string | undefined
  readonly signal: AbortSignal
  /** The request goes to this server, or to none. */
  readonly attested?: AttestedTls | undefined
  /** The answer began, with that status. */
  readonly onAnswered: (status: number) => void
  /** Called once, when the connection is done with it. */
  readonly onEnd: (end: ExchangeEnd) => void
}

/**
 * The client's handler of one request. Its callbacks take headers as they came, in one list, which those that the client
 * prefers nowadays take apart first.
 */
export class HttpExchange implements CarriedHandler {
  readonly answer: Promise<UpstreamAnswer>
  carrier: Carrier | undefined
  readonly #options: ExchangeOptions
  #resolve: (answer: UpstreamAnswer) => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #stage: Stage = 'connecting'
  #connection: Connection | undefined
  #abortRequest: (() => void) | undefined
  #informational = 0
  #body: Readable | undefined
  /** Whether nobody waits for it any longer. */
  #isAbandoned = false
  #isEnded = false

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** The request is about to be written to the carrier's connection. */
  onConnect(abort: (error?: Error) => void): void {
    this.#stage = 'sent'
    this.#connection = this.carrier?.connection
    this.#abortRequest = abort
    if (this.#isAbandoned) abort()
    else if (this.#isElsewhere()) abort(elsewhere())
  }

  #isElsewhere(): boolean {
    const { attested } = this.#options
    return attested !== undefined && !isAttested(attested, this.#connection?.shown)
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void): boolean {
    if (status < 200) {
      if (++this.#informational > MAX_INFORMATIONAL) throw malformed('it sends informational answers without end')
      return true
    }
    const { secret, onAnswered } = this.#options
    const { headers, hasForged, encoding, requestId } = returnedHeaders(raw.map(latin1), secret)
    const body = this.#openBody(resume)
    const isEncoded = encoding !== undefined && encoding !== 'identity'
    const delivered = isEncoded ? quiet(decodeBody(body, encoding)) : body
    const observations: UpstreamAnswer['observations'][number][] = []
    if (hasForged) observations.push('upstream-headers-stripped')
    if (isEncoded) observations.push('upstream-encoding-decoded')
    this.#stage = 'answering'
    onAnswered(status)
    const shown = this.#connection?.shown
    this.#resolve({ status, headers, body: delivered, observations, requestId, shown, covering: undefined })
    return true
  }

  onData(chunk: Buffer): boolean {
    return this.#body?.push(chunk) ?? true
  }

  /**
   * All announced bytes came. What the connection still makes of the bytes it read with them is looked at before the body
   * ends: an answer that goes on after its end was announced wrongly. Bytes that come later are nobody's.
   */
  onComplete(): void {
    queueMicrotask(() => {
      const { errored } = this.#connection?.socket ?? {}
      if (errored && !isOrderly(errored)) {
        this.#fail(malformed('its answer is longer than it announced'))
      } else {
        this.#end('completed')
        if (this.#body?.destroyed === false) this.#body.push(null)
      }
    })
  }

  onError(error: Error): void {
    this.#fail(error)
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#options.signal
    this.#isAbandoned = true
    this.#reject(reason)
    this.#abortRequest?.()
    this.#body?.destroy(reason instanceof Error ? reason : new Error('the request was aborted', { cause: reason }))
  }

  #openBody(resume: () => void): Readable {
    this.#body = new Readable({
      highWaterMark: HIGH_WATER_MARK,
      read: resume,
      destroy: (error, done) => {
        if (!this.#isEnded) {
          this.#isAbandoned = true
          this.#abortRequest?.()
        }
        done(error)
      },
    })
    return quiet(this.#body)
  }

  #fail(error: unknown): void {
    if (this.#isAbandoned) {
      this.#end('abandoned')
      return
    }
    const { name, timeouts } = this.#options.upstream
    const failure = upstreamFailure(name, error, this.#stage, timeouts)
    this.#end('failed')
    this.#reject(failure)
    this.#body?.destroy(failure)
  }

  #end(end: ExchangeEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#options.onEnd(end)
  }
}

/** A body may fail before its reader has had a chance to listen. Whoever reads it later is told nevertheless. */
function quiet(body: Readable): Readable {
  return body.on('error', () => {})
}

/** Whether the client itself closed the connection, which it says in this way. */
function isOrderly(error: Error): boolean {
  return 'code' in error && error.code === 'UND_ERR_INFO'
}

function latin1(bytes: Buffer): string {
  return bytes.toString('latin1')
}

/** Nothing of the request was written yet; the connection goes with it, so that the next one is made anew. */
function elsewhere(): CountersignError {
  return new CountersignError(
    'place/not-shown',
    'the server on this connection is not the one that its evidence is about',
  )
}

function malformed(message: string): CountersignError {
  return new CountersignError('upstream/malformed', message)
}
