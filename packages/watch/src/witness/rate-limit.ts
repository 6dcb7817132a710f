/** A token bucket per log, for what costs a write to the disk. */

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export interface RateLimit {
  /** Whether the log may have another cosignature now; takes one token when it may. */
  admit(origin: string, nowMs: number): boolean
}

/** One bucket for each log that is configured, and no other: strangers cannot make it grow. */
export function createRateLimit(rates: ReadonlyMap<string, Rate>): RateLimit {
  const buckets = new Map<string, { tokens: number; readAtMs: number }>()
  return {
    admit(origin, nowMs) {
      const rate = rates.get(origin)
      if (rate === undefined) return false
      const { tokens: left, readAtMs } = buckets.get(origin) ?? { tokens: rate.burst, readAtMs: nowMs }
      const earned = (Math.max(0, nowMs - readAtMs) / 1000) * rate.perSecond
      const tokens = Math.min(rate.burst, left + earned)
      const isAdmitted = tokens >= 1
      buckets.set(origin, { tokens: isAdmitted ? tokens - 1 : tokens, readAtMs: nowMs })
      return isAdmitted
    },
  }
}
