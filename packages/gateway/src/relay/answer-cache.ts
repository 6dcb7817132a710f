/**
 * Answers that are given again, where a deployment says so. In memory, each for the holder of one key alone. What names a
 * data subject stays out of it: it would be given to another subject.
 */
import { createHash } from 'node:crypto'
import type { ReceiptId } from '@countersign/verify'
import type { AnswerFacts } from '../dialects/answer-facts.ts'
import type { Headers, Upstream } from '../upstreams/upstream.ts'
import { type AdmittedRequest, NO_KEY } from './admitted-request.ts'

/** Most bytes of answers that are kept, all in all, and of one's body. */
export const MAX_CACHE_BYTES = 64 * 1024 * 1024
export const MAX_CACHED_ANSWER_BYTES = 1024 * 1024

/** What an answer takes beside its body and the text of its headers, and a header beside its text. */
const ENTRY_BYTES = 2048
const HEADER_BYTES = 64

/** Between two looks for answers that are too old. */
const SWEEP_MS = 10_000

export interface CachedAnswer {
  /** The receipt of the answer that is repeated. */
  readonly receipt: ReceiptId
  readonly upstream: Upstream
  readonly model: string
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
  readonly facts: AnswerFacts
  readonly atMs: number
}

export interface AnswerCache {
  /** The answer to exactly the same request by the same key, if it is young enough. */
  find(admitted: AdmittedRequest, nowMs: number): CachedAnswer | undefined
  /** Keeps an answer, where its deployment keeps any, unless it was erased meanwhile. */
  keep(admitted: AdmittedRequest, answer: CachedAnswer): void
  /** Lets go of the answers with these receipts. */
  forget(receipts: readonly ReceiptId[]): void
}

interface Entry {
  readonly answer: CachedAnswer
  readonly bytes: number
  readonly expiresAtMs: number
}

/**
 * A cache whose oldest answers go first.
 *
 * @param isErased Whether the content of a receipt is erased. Whoever erases it calls `forget` after that, so that an
 *   answer is either not kept or let go, whichever comes first.
 */
export function createAnswerCache(isErased: (receipt: ReceiptId) => boolean): AnswerCache {
  const entries = new Map<string, Entry>()
  let bytes = 0
  let sweptAtMs = 0
  const forget = (name: string, entry: Entry) => {
    entries.delete(name)
    bytes -= entry.bytes
  }
  const sweep = (nowMs: number) => {
    if (nowMs - sweptAtMs < SWEEP_MS) return
    sweptAtMs = nowMs
    for (const [name, entry] of entries) if (nowMs > entry.expiresAtMs) forget(name, entry)
  }
  return {
    find(admitted, nowMs) {
      const { cache } = admitted.deployment
      if (cache === undefined || !mayBeRepeated(admitted)) return undefined
      sweep(nowMs)
      const name = nameOf(admitted)
      const entry = entries.get(name)
      if (entry === undefined || nowMs - entry.answer.atMs <= cache.maxAgeSeconds * 1000) return entry?.answer
      forget(name, entry)
      return undefined
    },
    keep(admitted, answer) {
      const { cache } = admitted.deployment
      if (cache === undefined || !mayBeRepeated(admitted)) return
      sweep(answer.atMs)
      if (answer.body.length > MAX_CACHED_ANSWER_BYTES || isErased(answer.receipt)) return
      const name = nameOf(admitted)
      const old = entries.get(name)
      if (old !== undefined) forget(name, old)
      const entry = { answer, bytes: bytesOf(answer), expiresAtMs: answer.atMs + cache.maxAgeSeconds * 1000 }
      entries.set(name, entry)
      bytes += entry.bytes
      for (const [oldest, each] of entries) {
        if (bytes <= MAX_CACHE_BYTES) break
        forget(oldest, each)
      }
    },
    forget(receipts) {
      for (const [name, entry] of entries) if (receipts.includes(entry.answer.receipt)) forget(name, entry)
    },
  }
}

/** In a conversation the same bytes again are another request. */
function mayBeRepeated({ subject, conversation }: AdmittedRequest): boolean {
  return subject === undefined && conversation === undefined
}

/** Memory that an answer takes, roughly. */
function bytesOf({ body, headers }: CachedAnswer): number {
  return headers.reduce(
    (bytes, [name, value]) => bytes + name.length + value.length + HEADER_BYTES,
    body.length + ENTRY_BYTES,
  )
}

/** Everything that decides an answer as far as the gateway knows: whose, by which manifest, in which API, which bytes. */
function nameOf({ key, deployment, dialect, facts, body }: AdmittedRequest): string {
  const scope = JSON.stringify([key?.id ?? NO_KEY, deployment.statement, dialect.name, facts.model])
  return createHash('sha256').update(scope).update(body).digest('base64')
}
