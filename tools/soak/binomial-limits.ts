/** Within what limits a count of independent trials lies, but for a stated error. Nothing is taken to be normal. */

/** Both included. */
export interface Limits {
  readonly least: number
  readonly most: number
}

/** Below this share of the likeliest count's chance, what is left is nothing against any error that is asked for here. */
const NOTHING = 1e-60

/**
 * The narrowest limits such that a count below them has a chance of at most `error`/2, and one above them as well.
 *
 * Tails are sums of all their terms, in double precision: each term from its neighbour by the ratio of the two, so that
 * the sums are right to nine digits and more for up to ten million trials.
 */
export function binomialLimits(trials: number, chance: number, error: number): Limits {
  if (chance <= 0) return { least: 0, most: 0 }
  if (chance >= 1) return { least: trials, most: trials }
  const { from, chances } = binomialChances(trials, chance)
  let [least, most] = [from, from + chances.length - 1]
  for (let tail = chances[least - from] ?? 0; tail <= error / 2; tail += chances[least - from] ?? 0) least++
  for (let tail = chances[most - from] ?? 0; tail <= error / 2; tail += chances[most - from] ?? 0) most--
  return { least, most }
}

/** The chances of all counts that are not as good as impossible, from the count `from` on. */
export function binomialChances(trials: number, chance: number): { from: number; chances: readonly number[] } {
  if (chance <= 0 || chance >= 1) return { from: chance <= 0 ? 0 : trials, chances: [1] }
  const likeliest = Math.min(trials, Math.floor((trials + 1) * chance))
  const odds = chance / (1 - chance)
  const below: number[] = []
  for (let [count, term] = [likeliest, 1]; count > 0 && term > NOTHING; count--) {
    term *= count / ((trials - count + 1) * odds)
    below.push(term)
  }
  const above: number[] = []
  for (let [count, term] = [likeliest, 1]; count < trials && term > NOTHING; count++) {
    term *= ((trials - count) * odds) / (count + 1)
    above.push(term)
  }
  const terms = [...below.reverse(), 1, ...above]
  const whole = terms.reduce((sum, term) => sum + term, 0)
  return { from: likeliest - below.length, chances: terms.map((term) => term / whole) }
}
