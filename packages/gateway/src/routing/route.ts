/** In which order a request tries the places that may answer it. */
import type { RouteTarget } from '../config/config.ts'

export type Target = RouteTarget

/**
 * All targets, each once: those of the lowest rank first, then those of the next. Among those of one rank each place is
 * drawn by weight from those that are left. One without weight comes after all that have any.
 *
 * @param random Uniform in [0, 1).
 */
export function planRoute<T extends Pick<Target, 'weight' | 'rank'>>(
  targets: readonly T[],
  random: () => number,
): readonly T[] {
  const [only] = targets
  if (only === undefined || targets.length === 1) return targets
  const ranks = [...new Set(targets.map(({ rank }) => rank))].sort((a, b) => a - b)
  return ranks.flatMap((each) =>
    drawAll(
      targets.filter(({ rank }) => rank === each),
      random,
    ),
  )
}

function drawAll<T extends Pick<Target, 'weight'>>(targets: readonly T[], random: () => number): readonly T[] {
  const left = [...targets]
  const drawn: T[] = []
  while (left.length > 0) drawn.push(...left.splice(drawIndex(left, random), 1))
  return drawn
}

function drawIndex(targets: readonly Pick<Target, 'weight'>[], random: () => number): number {
  if (targets.length === 1) return 0
  const weights = targets.map(({ weight }) => Math.max(0, weight))
  let point = random() * weights.reduce((sum, weight) => sum + weight, 0)
  let last = 0
  for (const [index, weight] of weights.entries()) {
    if (weight === 0) continue
    if (point < weight) return index
    point -= weight
    // Where rounding leaves a rest, it is the last one's.
    last = index
  }
  return last
}
