import type { Random } from './random.ts'

/** The data set's cost matrix: approving a bad credit costs 5, declining a good one costs 1. */
export const costs = { approvedBad: 5, declinedGood: 1 } as const

/**
 * Approve below this probability of default: the expected cost of approving, 5p, is then below that of declining, 1 −
 * p. Right only as far as the probabilities are.
 */
export const approvalThreshold = costs.declinedGood / (costs.declinedGood + costs.approvedBad)

/** One held-out application: what happened, and what a model said. */
export type Judgement = { readonly bad: number; readonly probability: number; readonly approved: boolean }

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Share of decisions that match the outcome, at the approval threshold. */
export function accuracy(judgements: readonly Judgement[]): number {
  return mean(judgements.map(({ bad, approved }) => (approved === (bad === 0) ? 1 : 0)))
}

/** Area under the ROC curve: how often a bad credit scores above a good one, a tie counting half. */
export function rocArea(judgements: readonly Judgement[]): number {
  const bad = judgements.filter((judgement) => judgement.bad === 1)
  const good = judgements.filter((judgement) => judgement.bad === 0)
  let wins = 0
  for (const { probability } of bad) {
    for (const other of good) wins += probability > other.probability ? 1 : probability === other.probability ? 0.5 : 0
  }
  return wins / (bad.length * good.length)
}

/** Mean squared difference between probability and outcome. */
export function brierScore(judgements: readonly Judgement[]): number {
  return mean(judgements.map(({ bad, probability }) => (probability - bad) ** 2))
}

export const CALIBRATION_BINS = 10

/**
 * Expected calibration error: over ten bins of equal count by probability, the mean absolute difference between mean
 * probability and share of bad credits. It is biased upwards on small samples: with 20 cases a bin, a perfect model
 * does not score 0.
 */
export function calibrationError(judgements: readonly Judgement[]): number {
  const sorted = [...judgements].sort((first, second) => first.probability - second.probability)
  let error = 0
  for (let bin = 0; bin < CALIBRATION_BINS; bin += 1) {
    const start = Math.floor((bin * sorted.length) / CALIBRATION_BINS)
    const end = Math.floor(((bin + 1) * sorted.length) / CALIBRATION_BINS)
    const members = sorted.slice(start, end)
    if (members.length === 0) continue
    const gap = Math.abs(mean(members.map(({ probability }) => probability)) - mean(members.map(({ bad }) => bad)))
    error += (gap * members.length) / sorted.length
  }
  return error
}

/**
 * The calibration error that chance alone would give: that of outcomes drawn from the very probabilities, averaged over
 * `draws`. An error of about this size is no evidence of miscalibration, and no proof of calibration either.
 */
export function chanceCalibrationError(judgements: readonly Judgement[], draws: number, random: Random): number {
  const errors = Array.from({ length: draws }, () =>
    calibrationError(
      judgements.map((judgement) => ({ ...judgement, bad: random.next() < judgement.probability ? 1 : 0 })),
    ),
  )
  return mean(errors)
}

/** Mean cost per application under {@link costs}. */
export function meanCost(judgements: readonly Judgement[]): number {
  return mean(
    judgements.map(({ bad, approved }) => {
      if (approved) return bad === 1 ? costs.approvedBad : 0
      return bad === 1 ? 0 : costs.declinedGood
    }),
  )
}

/** Share approved, or null when there is nobody to judge. */
export function selectionRate(judgements: readonly Judgement[]): number | null {
  return judgements.length === 0 ? null : mean(judgements.map(({ approved }) => (approved ? 1 : 0)))
}
