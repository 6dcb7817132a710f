import { type Examples, pick } from './applications.ts'
import { type Calibration, fitCalibration, logLoss } from './calibration.ts'
import { stratifiedFolds } from './folds.ts'
import { logisticLogit, trainLogistic } from './logistic.ts'
import { approvalThreshold } from './metrics.ts'
import { type Network, type NetworkSettings, networkLogit, trainNetwork } from './network.ts'
import { type QuantisedNetwork, quantise } from './quantisation.ts'

/** Names the part of the seed, so that no two uses share a stream. */
const INNER_FOLDS_STREAM = 1
const INNER_TRAINING_STREAM = 2
const TRAINING_STREAM = 3

export const INNER_FOLDS = 5

export const networkSettings: Omit<NetworkSettings, 'weightDecay'> = {
  members: 4,
  hiddenWidth: 8,
  epochs: 20,
  batchSize: 32,
  learningRate: 0.005,
}

export const weightDecays: readonly number[] = [0.1, 0.3, 1, 3]

/** Ridge penalties for the logistic regression, on the sum of log losses. */
export const penalties: readonly number[] = [3, 6, 12, 25, 50]

type LogitOf = (active: Uint16Array) => number

type Choice = { readonly candidate: number; readonly calibration: Calibration }

/**
 * Chooses among `candidates`, and calibrates, by cross-validation inside `examples`.
 *
 * The logits are always of rows that the model at hand did not learn from; whatever `examples` leaves out stays unseen.
 */
function choose(
  examples: Examples,
  candidates: readonly number[],
  train: (training: Examples, candidate: number, seed: readonly number[]) => LogitOf,
  seed: readonly number[],
): Choice {
  const folds = stratifiedFolds(examples.bad, INNER_FOLDS, [...seed, INNER_FOLDS_STREAM])
  let best: Choice | undefined
  let lowestLoss = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const logits = new Array<number>(examples.bad.length).fill(0)
    folds.forEach(({ training, heldOut }, fold) => {
      const logitOf = train(pick(examples, training), candidate, [...seed, INNER_TRAINING_STREAM, fold])
      for (const index of heldOut) logits[index] = logitOf(examples.active[index] as Uint16Array)
    })
    const calibration = fitCalibration(logits, examples.bad)
    const loss = logLoss(logits, examples.bad, calibration)
    if (loss < lowestLoss) {
      lowestLoss = loss
      best = { candidate, calibration }
    }
  }
  if (best === undefined) throw new Error('no candidate to choose from')
  return best
}

export type FittedNetwork = {
  readonly network: Network
  readonly calibration: Calibration
  readonly quantised: QuantisedNetwork
  readonly weightDecay: number
}

/**
 * The whole procedure from applications to the quantised model: choose the weight decay, train on all, calibrate,
 * quantise.
 */
export function fitNetwork(examples: Examples, seed: readonly number[]): FittedNetwork {
  const train = (training: Examples, weightDecay: number, path: readonly number[]): Network =>
    trainNetwork(training, { ...networkSettings, weightDecay }, path)
  const { candidate: weightDecay, calibration } = choose(
    examples,
    weightDecays,
    (training, decay, path) => {
      const network = train(training, decay, path)
      return (active) => networkLogit(network, active)
    },
    seed,
  )
  const network = train(examples, weightDecay, [...seed, TRAINING_STREAM])
  const quantised = quantise(network, calibration, examples.active, approvalThreshold)
  return { network, calibration, quantised, weightDecay }
}

/** The same procedure for logistic regression on the same indicators, in floating point. Returns calibrated logits. */
export function fitLogistic(examples: Examples, seed: readonly number[]): LogitOf {
  const { candidate, calibration } = choose(
    examples,
    penalties,
    (training, penalty) => {
      const logistic = trainLogistic(training, penalty)
      return (active) => logisticLogit(logistic, active)
    },
    seed,
  )
  const logistic = trainLogistic(examples, candidate)
  return (active) => calibration.slope * logisticLogit(logistic, active) + calibration.offset
}
