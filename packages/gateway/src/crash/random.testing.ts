/** Random choices that a seed gives again. */

export interface Random {
  /** From 0 up to, not including, `limit`. */
  below(limit: number): number
  /** True in `share` of all cases. */
  chance(share: number): boolean
  pick<T>(items: readonly T[]): T
}

/** Mulberry32: small, and good enough to choose where to crash. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    chance: (share) => next() < share,
    pick(items) {
      const item = items[below(items.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
  }
}
