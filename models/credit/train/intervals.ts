/** A mean over folds with a 95% interval. */
export type Estimate = { readonly mean: number; readonly low: number; readonly high: number; readonly folds: number }

/** 97.5% quantiles of Student's t by degrees of freedom, for the fold counts that occur. */
const tQuantiles: Readonly<Record<number, number>> = {
  19: 2.093,
  20: 2.086,
  21: 2.0796,
  22: 2.0739,
  23: 2.0687,
  24: 2.0639,
}

/**
 * The corrected resampled t interval (Nadeau and Bengio, 2003): the variance of the mean is (1/n + heldOut/training) ·
 * s², since the training sets of different folds overlap and the plain 1/n would be far too sure.
 *
 * An approximation: it covers the luck of which rows fall in which fold, not how another bank or another decade would
 * differ.
 *
 * @throws {Error} when fewer than 20 or more than 25 values are given.
 */
export function estimate(values: readonly number[], heldOutPerTraining: number): Estimate {
  const count = values.length
  const quantile = tQuantiles[count - 1]
  if (quantile === undefined) throw new Error(`no quantile for ${count} folds`)
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  const margin = quantile * Math.sqrt((1 / count + heldOutPerTraining) * variance)
  return { mean: rounded(mean), low: rounded(mean - margin), high: rounded(mean + margin), folds: count }
}

/**
 * A ratio of two means with its interval, by linearisation: each fold counts with its residual from the overall ratio.
 *
 * The mean of per-fold ratios would be biased upwards, badly so where a group has a handful of members per fold.
 *
 * @throws {Error} as {@link estimate}, and when the denominators add up to 0.
 */
export function estimateRatio(pairs: readonly (readonly [number, number])[], heldOutPerTraining: number): Estimate {
  const part = pairs.reduce((sum, [numerator]) => sum + numerator, 0) / pairs.length
  const whole = pairs.reduce((sum, [, denominator]) => sum + denominator, 0) / pairs.length
  if (whole === 0) throw new Error('a ratio to a mean of 0')
  const ratio = part / whole
  return estimate(
    pairs.map(([numerator, denominator]) => ratio + (numerator - ratio * denominator) / whole),
    heldOutPerTraining,
  )
}

/** Four decimals: more would be noise. */
export function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
