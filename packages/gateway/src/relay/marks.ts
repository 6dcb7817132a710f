/** Requests with an idempotency key that are under way. */
import { CountersignError } from '@countersign/verify'

/** What an answer is kept by. */
export interface IdempotencyMark {
  /** HMAC of the holder of the API key and the idempotency key. */
  readonly scope: Uint8Array
  /** HMAC of subject, path, model and body. */
  readonly request: Uint8Array
  readonly expiresAtMs: number
}

/** Requests with a mark that are under way: the same one must wait. */
export interface MarksUnderWay {
  /** @throws {CountersignError} `request/in-progress` */
  begin(mark: IdempotencyMark): () => void
}

export function createMarks(): MarksUnderWay {
  const underWay = new Set<string>()
  return {
    begin(mark) {
      const scope = Buffer.from(mark.scope).toString('base64')
      if (underWay.has(scope)) {
        throw new CountersignError(
          'request/in-progress',
          'a request with this Idempotency-Key is under way; wait for it',
        )
      }
      underWay.add(scope)
      return () => void underWay.delete(scope)
    },
  }
}
