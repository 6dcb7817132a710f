/** A straight line from a model's logit to a calibrated one (Platt, 1999). */
export type Calibration = { readonly slope: number; readonly offset: number }

const MAXIMUM_STEPS = 50

/** The probability that belongs to a logit. */
export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit))
}

/** Mean negative log-likelihood of the outcomes. */
export function logLoss(logits: readonly number[], bad: readonly number[], { slope, offset }: Calibration): number {
  const total = logits.reduce((sum, logit, index) => {
    const signed = (slope * logit + offset) * (bad[index] === 1 ? -1 : 1)
    // log(1 + e^x), without overflow.
    return sum + Math.max(signed, 0) + Math.log1p(Math.exp(-Math.abs(signed)))
  }, 0)
  return total / logits.length
}

/**
 * Fits slope and offset to logits of applications that the model did not learn from.
 *
 * On logits of its own training rows the result would be overconfident.
 */
export function fitCalibration(logits: readonly number[], bad: readonly number[]): Calibration {
  let slope = 1
  let offset = 0
  for (let step = 0; step < MAXIMUM_STEPS; step += 1) {
    let slopeGradient = 0
    let offsetGradient = 0
    let slopeSlope = 1e-9
    let slopeOffset = 0
    let offsetOffset = 1e-9
    logits.forEach((logit, index) => {
      const probability = sigmoid(slope * logit + offset)
      const error = probability - (bad[index] as number)
      const weight = probability * (1 - probability)
      slopeGradient += error * logit
      offsetGradient += error
      slopeSlope += weight * logit * logit
      slopeOffset += weight * logit
      offsetOffset += weight
    })
    const determinant = slopeSlope * offsetOffset - slopeOffset * slopeOffset
    const slopeChange = (offsetOffset * slopeGradient - slopeOffset * offsetGradient) / determinant
    const offsetChange = (slopeSlope * offsetGradient - slopeOffset * slopeGradient) / determinant
    slope -= slopeChange
    offset -= offsetChange
    if (Math.abs(slopeChange) + Math.abs(offsetChange) < 1e-10) break
  }
  return { slope, offset }
}
