/**
 * How concentrated shares are. Thresholds and sums are exact: weights are whole numbers, and only results are rounded.
 *
 * A measure alone misleads: Gini gives 0 to two equals, the Nakamoto coefficient says nothing of the rest. So all are given.
 *
 * @spec spec/independence.md
 */

export interface Measures {
  /** How many have a share. */
  readonly entities: number
  /** Fewest that together have strictly more than a third, a half, two thirds. */
  readonly nakamotoThird: number
  readonly nakamotoHalf: number
  readonly nakamotoTwoThirds: number
  /** Herfindahl-Hirschman index: 10^4 times the sum of squared shares, 10,000 for one alone. */
  readonly herfindahl: number
  /** How many equals would be as concentrated: one over the sum of squared shares. */
  readonly effectiveNumber: number
  readonly shannonBits: number
  readonly minEntropyBits: number
  readonly topShare: number
  readonly topThreeShare: number
  /** 0 for equals, whatever their number; towards 1 the more unequal. */
  readonly gini: number
}

/** A measure where ownership is not known throughout: what it is at least and at most, whoever owns the rest. */
export interface Bounds {
  readonly atLeast: number
  readonly atMost: number
}

export type BoundedMeasures = { readonly [name in Exclude<keyof Measures, 'gini'>]: Bounds } & {
  /** Only where all ownership is known: it goes both ways as owners turn out to be one. */
  readonly gini: number | null
}

/** Measures that a merger of two never lowers. It never raises the others, but for Gini, with which it does either. */
const RISING: ReadonlySet<string> = new Set(['herfindahl', 'topShare', 'topThreeShare'])

/** Results have this many decimals. */
const SCALE = 1_000_000

/**
 * Measures of shares by weight, one for each owner. Weights of zero are nobody's. `undefined` where nothing has weight.
 */
export function measureShares(weights: readonly bigint[]): Measures | undefined {
  const falling = weights.filter((weight) => weight > 0n).sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))
  const total = sum(falling)
  const [top] = falling
  if (top === undefined) return undefined
  const squares = sum(falling.map((weight) => weight * weight))
  return {
    entities: falling.length,
    nakamotoThird: fewestAbove(falling, total, 1n, 3n),
    nakamotoHalf: fewestAbove(falling, total, 1n, 2n),
    nakamotoTwoThirds: fewestAbove(falling, total, 2n, 3n),
    herfindahl: ratio(10_000n * squares, total * total),
    effectiveNumber: ratio(total * total, squares),
    shannonBits: rounded(falling.reduce((bits, weight) => bits + share(weight, total) * bitsOf(weight, total), 0)),
    minEntropyBits: rounded(bitsOf(top, total)),
    topShare: ratio(top, total),
    topThreeShare: ratio(sum(falling.slice(0, 3)), total),
    gini: giniOf(falling, total),
  }
}

/**
 * Bounds of the measures where nobody knows whose the weights in `unknown` are.
 *
 * One extreme is that each is an owner of its own: every other answer merges some of them, with one another or with known
 * owners. The other extreme is that all are the largest known owner's, or one owner's where none is known: no other answer
 * gives the first k owners more, for any k. All measures but Gini go one way between the two.
 */
export function boundMeasures(known: readonly bigint[], unknown: readonly bigint[]): BoundedMeasures | undefined {
  const apart = measureShares([...known, ...unknown])
  const together = measureShares(withLargest(known, sum(unknown)))
  if (apart === undefined || together === undefined) return undefined
  const { gini, ...rest } = apart
  const bounds = Object.entries(rest).map(([name, ofApart]) => {
    const ofTogether = together[name as keyof Measures]
    const [atLeast, atMost] = RISING.has(name) ? [ofApart, ofTogether] : [ofTogether, ofApart]
    return [name, { atLeast, atMost }] as const
  })
  const isKnown = unknown.every((weight) => weight === 0n)
  return { ...(Object.fromEntries(bounds) as Omit<BoundedMeasures, 'gini'>), gini: isKnown ? gini : null }
}

function withLargest(known: readonly bigint[], more: bigint): readonly bigint[] {
  const largest = known.reduce((a, b) => (b > a ? b : a), 0n)
  const at = known.indexOf(largest)
  return at < 0 ? [more] : known.with(at, largest + more)
}

/** Fewest of the largest whose sum is strictly above that fraction of the total. */
function fewestAbove(falling: readonly bigint[], total: bigint, numerator: bigint, denominator: bigint): number {
  let together = 0n
  for (const [i, weight] of falling.entries()) {
    together += weight
    if (together * denominator > total * numerator) return i + 1
  }
  return falling.length
}

/** The mean difference between two, over twice the mean: from 0 to 1 − 1/n. */
function giniOf(falling: readonly bigint[], total: bigint): number {
  const count = BigInt(falling.length)
  const ranked = sum(falling.map((weight, i) => (count - BigInt(i)) * weight))
  return ratio(2n * ranked - (count + 1n) * total, count * total)
}

function sum(weights: readonly bigint[]): bigint {
  return weights.reduce((total, weight) => total + weight, 0n)
}

/** A fraction to the nearest of six decimals, exact up to there; halves go up. */
export function ratio(numerator: bigint, denominator: bigint): number {
  return Number((2n * numerator * BigInt(SCALE) + denominator) / (2n * denominator)) / SCALE
}

function rounded(value: number): number {
  return Math.round(value * SCALE) / SCALE
}

function share(weight: bigint, total: bigint): number {
  return Number(weight) / Number(total)
}

/** Bits of surprise that it is this one; exactly 0 for one that has all. */
function bitsOf(weight: bigint, total: bigint): number {
  return weight === total ? 0 : Math.log2(Number(total) / Number(weight))
}
