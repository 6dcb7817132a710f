/** Requests and tokens per minute of each key: two token buckets, in memory. @spec spec/access.md */
import type { ApiKey } from './api-key.ts'
import { MAX_KEYS } from './api-keys.ts'

const MINUTE_MS = 60_000

/** What is left of one minute's allowance; below nothing after an answer that was longer than expected. */
interface Bucket {
  left: number
  readAtMs: number
}

interface Buckets {
  readonly requests: Bucket
  readonly tokens: Bucket
}

export type RateDecision =
  | { readonly admitted: true }
  /** Whole seconds, at least one: for `Retry-After`. */
  | { readonly admitted: false; readonly limit: 'requests' | 'tokens'; readonly retryAfterSeconds: number }

export interface RateLimits {
  /**
   * Takes one request and the tokens that it is expected to need, or nothing when either is short. A request that needs
   * more than a whole minute's tokens is let in when none of them is used, and leaves a debt.
   *
   * A key without limits is always admitted.
   */
  admit(key: ApiKey, expectedTokens: number, nowMs: number): RateDecision
  /** Puts right what was expected, once the answer's tokens are known. Where they are not, what was taken stays taken. */
  settle(key: ApiKey, expectedTokens: number, actualTokens: number): void
}

/** Limits that start full. What is remembered of more than {@link MAX_KEYS} keys is forgotten, oldest first. */
export function createRateLimits(): RateLimits {
  const remembered = new Map<string, Buckets>()
  return {
    admit(key, expectedTokens, nowMs) {
      const { requestsPerMinute, tokensPerMinute } = key
      if (requestsPerMinute === undefined && tokensPerMinute === undefined) return { admitted: true }
      const buckets = remembered.get(key.id) ?? fullBuckets(key, nowMs)
      remember(remembered, key.id, buckets)
      fill(buckets.requests, requestsPerMinute, nowMs)
      fill(buckets.tokens, tokensPerMinute, nowMs)
      const waits = [
        { limit: 'requests' as const, waitMs: waitMs(buckets.requests, 1, requestsPerMinute) },
        { limit: 'tokens' as const, waitMs: waitMs(buckets.tokens, expectedTokens, tokensPerMinute) },
      ].sort((a, b) => b.waitMs - a.waitMs)
      const [longest] = waits
      if (longest !== undefined && longest.waitMs > 0) {
        const retryAfterSeconds = Math.max(1, Math.ceil(longest.waitMs / 1000))
        return { admitted: false, limit: longest.limit, retryAfterSeconds }
      }
      buckets.requests.left -= 1
      buckets.tokens.left -= expectedTokens
      return { admitted: true }
    },
    settle(key, expectedTokens, actualTokens) {
      const buckets = remembered.get(key.id)
      if (buckets !== undefined) buckets.tokens.left += expectedTokens - actualTokens
    },
  }
}

function fullBuckets({ requestsPerMinute = 0, tokensPerMinute = 0 }: ApiKey, nowMs: number): Buckets {
  return {
    requests: { left: requestsPerMinute, readAtMs: nowMs },
    tokens: { left: tokensPerMinute, readAtMs: nowMs },
  }
}

/** The one that asked last stands last. */
function remember(remembered: Map<string, Buckets>, id: string, buckets: Buckets): void {
  remembered.delete(id)
  const [oldest] = remembered.keys()
  if (remembered.size >= MAX_KEYS && oldest !== undefined) remembered.delete(oldest)
  remembered.set(id, buckets)
}

/** A clock that steps back gives nothing, and starves nobody until it is where it was. */
function fill(bucket: Bucket, perMinute: number | undefined, nowMs: number): void {
  const elapsedMs = Math.max(0, nowMs - bucket.readAtMs)
  bucket.readAtMs = nowMs
  if (perMinute !== undefined) bucket.left = Math.min(perMinute, bucket.left + (elapsedMs / MINUTE_MS) * perMinute)
}

function waitMs(bucket: Bucket, needed: number, perMinute: number | undefined): number {
  if (perMinute === undefined) return 0
  const short = Math.min(needed, perMinute) - bucket.left
  return short <= 0 ? 0 : (short / perMinute) * MINUTE_MS
}
