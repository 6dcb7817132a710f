/** A stream of pseudo-random numbers that is the same on every machine for the same seed. Not for secrets. */
export type Random = {
  /** The next number, uniform in [0, 1), a multiple of 2⁻³². */
  next(): number
}

/** Scrambles 32 bits so that neighbouring counters look unrelated (the finaliser of MurmurHash3). */
function scramble(value: number): number {
  let bits = value | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/**
 * Opens the stream named by `path`, for example `[seed, repeat, fold]`.
 *
 * A counter is hashed rather than a state carried along, so that each use has a stream of its own and adding one use
 * does not shift the numbers of another.
 */
export function createRandom(path: readonly number[]): Random {
  let key = 0x9e3779b9
  for (const part of path) key = scramble(key + scramble(part + 0x7f4a7c15))
  let counter = 0
  return {
    next() {
      counter += 1
      return scramble(key + Math.imul(counter, 0x9e3779b1)) / 2 ** 32
    },
  }
}

/** Puts `items` in a random order, in place (Fisher and Yates). */
export function shuffle<Item>(items: Item[], random: Random): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const chosen = Math.floor(random.next() * (last + 1))
    const moved = items[last] as Item
    items[last] = items[chosen] as Item
    items[chosen] = moved
  }
}
