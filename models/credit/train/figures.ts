import type { CsvRow } from './csv.ts'
import { FOLDS, type FoldResult, type HeldOutJudgement, REPEATS } from './evaluation.ts'
import { divisions } from './groups.ts'
import { type Estimate, estimate, estimateRatio, rounded } from './intervals.ts'
import {
  accuracy,
  approvalThreshold,
  brierScore,
  CALIBRATION_BINS,
  calibrationError,
  chanceCalibrationError,
  costs,
  type Judgement,
  meanCost,
  rocArea,
  selectionRate,
} from './metrics.ts'
import { INNER_FOLDS, networkSettings, penalties, weightDecays } from './procedure.ts'
import { createRandom } from './random.ts'

type Score = (judgements: readonly Judgement[]) => number

/** Every figure of performance, in the order of the card. */
export const scores = {
  accuracy,
  rocArea,
  calibrationError,
  brierScore,
  meanCost,
  selectionRate: (judgements) => selectionRate(judgements) ?? Number.NaN,
} as const satisfies Readonly<Record<string, Score>>

export type ScoreName = keyof typeof scores

export type Comparison = { readonly model: Estimate; readonly logistic: Estimate; readonly difference: Estimate }

export type GroupFigures = {
  readonly division: string
  readonly group: string
  readonly applications: number
  readonly shareBad: number
  readonly selectionRate: Comparison
  /** Share approved among those whose credit turned out good. */
  readonly selectionRateOfGood: Comparison
  /**
   * Against the group of the same division with the highest mean selection rate of the same model; 1 for that group
   * itself.
   */
  readonly impactRatio: { readonly model: Estimate; readonly logistic: Estimate }
  /** Only ever a warning. The absence of the flag is not a finding of fairness. */
  readonly belowFourFifths: { readonly model: boolean; readonly logistic: boolean }
}

/** Names the part of the seed, so that no two uses share a stream. */
const CHANCE_STREAM = 30
const CHANCE_DRAWS = 40

const HELD_OUT_PER_TRAINING = 1 / (FOLDS - 1)

function overFolds(values: readonly (number | null)[]): Estimate {
  const present = values.filter((value): value is number => value !== null && Number.isFinite(value))
  return estimate(present, HELD_OUT_PER_TRAINING)
}

/** Both models and their paired difference, fold by fold. A fold in which either is undefined counts for neither. */
function compare(pairs: readonly (readonly [number | null, number | null])[]): Comparison {
  const differences = pairs.map(([model, logistic]) => (model === null || logistic === null ? null : model - logistic))
  return {
    model: overFolds(pairs.map(([model]) => model)),
    logistic: overFolds(pairs.map(([, logistic]) => logistic)),
    difference: overFolds(differences),
  }
}

/** Compares two ways of judging by every score. `model` is the first. */
function compareScores(
  results: readonly FoldResult[],
  first: keyof FoldResult & ('quantised' | 'withAge'),
  second: keyof FoldResult & ('logistic' | 'unquantised' | 'quantised'),
): Readonly<Record<ScoreName, Comparison>> {
  const entries = Object.entries(scores).map(([name, score]) => [
    name,
    compare(results.map((result) => [score(result[first]), score(result[second])])),
  ])
  return Object.fromEntries(entries) as Readonly<Record<ScoreName, Comparison>>
}

/** Just the differences, for the ablations, whose two sides are reported elsewhere. */
function differences(comparisons: Readonly<Record<ScoreName, Comparison>>): Readonly<Record<ScoreName, Estimate>> {
  const entries = Object.entries(comparisons).map(([name, { difference }]) => [name, difference])
  return Object.fromEntries(entries) as Readonly<Record<ScoreName, Estimate>>
}

/** Rate over reference rate. A fold in which either group has no members counts for neither. */
function impact(rates: readonly (number | null)[], reference: readonly (number | null)[]): Estimate {
  const pairs = rates.flatMap((rate, fold) => {
    const whole = reference[fold] ?? null
    return rate === null || whole === null ? [] : [[rate, whole] as const]
  })
  return estimateRatio(pairs, HELD_OUT_PER_TRAINING)
}

function groupFigures(results: readonly FoldResult[], rows: readonly CsvRow[]): GroupFigures[] {
  return divisions.flatMap((division) => {
    const groupOfRow = rows.map((row) => division.groupOf(row))
    const groups = [...new Set(groupOfRow)].sort()
    const ratesOf = (
      group: string,
      model: 'quantised' | 'logistic',
      counts: (judgement: HeldOutJudgement) => boolean,
    ) =>
      results.map((result) =>
        selectionRate(result[model].filter((one) => groupOfRow[one.row] === group && counts(one))),
      )
    const rates = groups.map((group) => ({
      group,
      quantised: ratesOf(group, 'quantised', () => true),
      logistic: ratesOf(group, 'logistic', () => true),
    }))
    const reference = (model: 'quantised' | 'logistic'): (number | null)[] =>
      rates.reduce((best, next) => (overFolds(next[model]).mean > overFolds(best[model]).mean ? next : best))[model]
    return rates.map(({ group, quantised, logistic }): GroupFigures => {
      const impactRatio = {
        model: impact(quantised, reference('quantised')),
        logistic: impact(logistic, reference('logistic')),
      }
      const goodRates = ratesOf(group, 'quantised', ({ bad }) => bad === 0)
      const goodLogisticRates = ratesOf(group, 'logistic', ({ bad }) => bad === 0)
      const members = rows.filter((_, row) => groupOfRow[row] === group)
      return {
        division: division.name,
        group,
        applications: members.length,
        shareBad: rounded(members.filter((row) => row.class === '2').length / members.length),
        selectionRate: compare(quantised.map((rate, fold) => [rate, logistic[fold] ?? null])),
        selectionRateOfGood: compare(goodRates.map((rate, fold) => [rate, goodLogisticRates[fold] ?? null])),
        impactRatio,
        belowFourFifths: { model: impactRatio.model.mean < 0.8, logistic: impactRatio.logistic.mean < 0.8 },
      }
    })
  })
}

/**
 * Mean absolute difference between the probabilities of the quantised and the unquantised model, and decisions that
 * differ.
 */
function quantisationEffect(results: readonly FoldResult[]): {
  meanProbabilityChange: number
  decisionsChanged: number
} {
  let change = 0
  let changed = 0
  let count = 0
  for (const { quantised, unquantised } of results) {
    quantised.forEach(({ probability, approved }, index) => {
      const other = unquantised[index] as HeldOutJudgement
      change += Math.abs(probability - other.probability)
      changed += approved === other.approved ? 0 : 1
      count += 1
    })
  }
  return { meanProbabilityChange: rounded(change / count), decisionsChanged: rounded(changed / count) }
}

function methodOf(seed: number) {
  return {
    evaluation: `stratified ${FOLDS}-fold cross-validation, ${REPEATS} times; every step of the procedure sees training rows only`,
    interval: '95%, corrected resampled t (Nadeau and Bengio, 2003), held-out to training ratio 1/4',
    calibrationError: `mean absolute gap over ${CALIBRATION_BINS} bins of equal count by probability, per fold of about 200`,
    impactRatio:
      'mean selection rate over that of the group with the highest in its division; interval by linearisation over folds',
    costs,
    approvalThreshold: rounded(approvalThreshold),
    seed,
    network: networkSettings,
    innerFolds: INNER_FOLDS,
    weightDecays,
    logisticPenalties: penalties,
  }
}

/** All measured figures, of the quantised model unless named otherwise. */
export type Figures = ReturnType<typeof figuresOf>

/** Summarises the folds. `finalWeightDecay` is what the procedure chose on all rows, for the shipped model. */
export function figuresOf(
  results: readonly FoldResult[],
  rows: readonly CsvRow[],
  seed: number,
  finalWeightDecay: number,
) {
  const bad = rows.filter((row) => row.class === '2').length
  const shareBad = bad / rows.length
  return {
    format: 'countersign-figures/v1' as const,
    data: { applications: rows.length, bad, shareBad: rounded(shareBad) },
    method: methodOf(seed),
    scores: compareScores(results, 'quantised', 'logistic'),
    /** What {@link calibrationError} would be by chance if the model's probabilities were exactly right. */
    chanceCalibrationError: overFolds(
      results.map(({ quantised }, fold) =>
        chanceCalibrationError(quantised, CHANCE_DRAWS, createRandom([seed, CHANCE_STREAM, fold])),
      ),
    ),
    trivialCosts: {
      approveAll: rounded(shareBad * costs.approvedBad),
      declineAll: rounded((1 - shareBad) * costs.declinedGood),
    },
    groups: groupFigures(results, rows),
    quantisedMinusUnquantised: differences(compareScores(results, 'quantised', 'unquantised')),
    quantisationEffect: quantisationEffect(results),
    withAgeMinusWithout: differences(compareScores(results, 'withAge', 'quantised')),
    weightDecay: {
      shipped: finalWeightDecay,
      timesChosen: weightDecays.map((decay) => ({
        decay,
        folds: results.filter(({ weightDecay }) => weightDecay === decay).length,
      })),
    },
  }
}
