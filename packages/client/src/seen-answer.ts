/** What a client saw of one answer, as far as it must be kept to check it: commitments and promises, no content. */
import { commit, type RunningSha256, saltFor, toHex } from '@countersign/verify'
import type { AnswerHeaders } from './answer-headers.ts'
import type { Platform } from './platform.ts'
import { PromiseComments } from './promise-comments.ts'

/** Whether the whole body was read, and why not. */
export type Ending = 'complete' | 'cancelled' | 'broken'

/** Plain data, and all that the checks need of what went over the wire. */
export interface SeenAnswer {
  readonly headers: AnswerHeaders
  /** The nonce that went with the request. */
  readonly nonce: string | undefined
  /** Commitment to the request's bytes; `undefined` where they were not at hand, or there is no salt. */
  readonly request: string | undefined
  /** Commitment to the delivered bytes, our comment left out; `undefined` where there is no salt. */
  readonly response: string | undefined
  readonly ending: Ending
  readonly isStream: boolean
  /** Whether the request had an `Idempotency-Key`, and the gateway says that this is the answer to an earlier one of it. */
  readonly isRepeat: boolean
  /** One-line forms of the promise from the stream's comments, at most two. */
  readonly streamPromises: readonly string[]
  /** Comments of ours in the stream, of the right form or not. */
  readonly commentCount: number
}

/** What is known when the headers of an answer are there. */
export interface AnswerStart {
  readonly headers: AnswerHeaders
  readonly nonce: string | undefined
  /** The request's body as sent; `undefined` when it is not at hand. */
  readonly request: Uint8Array | undefined
  /** Whether the body is a text/event-stream. */
  readonly isStream: boolean
  /** Whether this is said to be the answer to an earlier request, as an `Idempotency-Key` asks for. */
  readonly isRepeat: boolean
}

/** Follows one answer. Holds a running hash and at most one comment, whatever the answer's size. */
export class AnswerObserver {
  readonly #start: AnswerStart
  readonly #request: string | undefined
  /** Begun with the salt. */
  readonly #response: RunningSha256 | undefined
  readonly #comments: PromiseComments | undefined

  constructor({ crypto, startSha256 }: Platform, start: AnswerStart) {
    const { headers, request } = start
    const salt = (label: string) => headers.saltSeed && saltFor(crypto, headers.saltSeed, label)
    const [requestSalt, responseSalt] = [salt('request'), salt('response')]
    this.#start = start
    this.#request = requestSalt && request && commit(crypto, { salt: requestSalt, content: request })
    this.#response = responseSalt && startSha256()
    if (responseSalt !== undefined) this.#response?.update(responseSalt)
    this.#comments = start.isStream ? new PromiseComments() : undefined
  }

  /** Whether the stream has carried a promise: what follows is its last frame. */
  get hasPromise(): boolean {
    return (this.#comments?.count ?? 0) > 0
  }

  /** Takes the next bytes of the answer's body. */
  push(chunk: Uint8Array): void {
    this.#hash(this.#comments?.push(chunk) ?? [chunk])
  }

  /** What was seen. The observer is of no use afterwards. */
  end(ending: Ending): SeenAnswer {
    this.#hash(this.#comments?.end() ?? [])
    const { headers, nonce, isStream, isRepeat } = this.#start
    return {
      headers,
      nonce,
      isStream,
      isRepeat,
      ending,
      request: this.#request,
      response: this.#response && toHex(this.#response.digest()),
      streamPromises: this.#comments?.promises ?? [],
      commentCount: this.#comments?.count ?? 0,
    }
  }

  #hash(parts: readonly Uint8Array[]): void {
    for (const part of parts) this.#response?.update(part)
  }
}
