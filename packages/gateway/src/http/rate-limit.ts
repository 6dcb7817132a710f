/** A token bucket per address, for what anyone may ask. */

/** Most addresses remembered; the one that asked longest ago is forgotten first. */
const MAX_ADDRESSES = 10_000

interface Bucket {
  tokens: number
  readAtMs: number
}

export interface RateLimit {
  /** Whether the address may go on; takes one token when it may. */
  admit(address: string, nowMs: number): boolean
}

export function createRateLimit(perSecond: number, burst: number): RateLimit {
  const buckets = new Map<string, Bucket>()
  return {
    admit(address, nowMs) {
      const known = buckets.get(address)
      const elapsed = known === undefined ? 0 : Math.max(0, nowMs - known.readAtMs)
      const tokens = Math.min(burst, (known?.tokens ?? burst) + (elapsed / 1000) * perSecond)
      buckets.delete(address)
      const [oldest] = buckets.keys()
      if (buckets.size >= MAX_ADDRESSES && oldest !== undefined) buckets.delete(oldest)
      const admitted = tokens >= 1
      buckets.set(address, { tokens: admitted ? tokens - 1 : tokens, readAtMs: nowMs })
      return admitted
    },
  }
}
