/**
 * Answers that are given again, where a deployment says so. In memory, each for the holder of one key alone. What names a
 * data subject stays out of it: an erasure does not reach it, and it would be given to another subject.
 */
import { createHash } from 'node:crypto'
import type { ReceiptId } from '@countersign/verify'
import type { AnswerFacts } from '../dialects/answer-facts.ts'
import type { Headers, Upstream } from '../upstreams/upstream.ts'
import { type AdmittedRequest, NO_KEY } from './admitted-request.ts'

/** Most bytes of answers that are kept, and of one. */
export const MAX_CACHE_BYTES = 64 * 1024 * 1024
export const MAX_CACHED_ANSWER_BYTES = 1024 * 1024

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
  /** Keeps an answer, where its deployment keeps any. */
  keep(admitted: AdmittedRequest, answer: CachedAnswer): void
}

/** A cache whose oldest answers go first. */
export function createAnswerCache(): AnswerCache {
  const answers = new Map<string, CachedAnswer>()
  let bytes = 0
  const forget = (name: string, answer: CachedAnswer) => {
    answers.delete(name)
    bytes -= answer.body.length
  }
  return {
    find(admitted, nowMs) {
      const { cache } = admitted.deployment
      if (cache === undefined || admitted.subject !== undefined) return undefined
      const name = nameOf(admitted)
      const answer = answers.get(name)
      if (answer === undefined || nowMs - answer.atMs <= cache.maxAgeSeconds * 1000) return answer
      forget(name, answer)
      return undefined
    },
    keep(admitted, answer) {
      if (admitted.deployment.cache === undefined || admitted.subject !== undefined) return
      if (answer.body.length > MAX_CACHED_ANSWER_BYTES) return
      const name = nameOf(admitted)
      const old = answers.get(name)
      if (old !== undefined) forget(name, old)
      answers.set(name, answer)
      bytes += answer.body.length
      for (const [oldest, each] of answers) {
        if (bytes <= MAX_CACHE_BYTES) break
        forget(oldest, each)
      }
    },
  }
}

/** Everything that decides an answer as far as the gateway knows: whose, by which manifest, in which API, which bytes. */
function nameOf({ key, deployment, dialect, facts, body }: AdmittedRequest): string {
  const scope = JSON.stringify([key?.id ?? NO_KEY, deployment.statement, dialect.name, facts.model])
  return createHash('sha256').update(scope).update(body).digest('base64')
}
