import { type Calibration, sigmoid } from './calibration.ts'
import { hiddenOutputs, type Network } from './network.ts'

/**
 * A network in whole numbers: what the ONNX file holds and what {@link judgeQuantised} computes.
 *
 * Weights stay within ±63, so that the pairwise 16-bit sums of processors without VNNI cannot saturate (2 · 255 · 63 <
 * 2¹⁵).
 */
export type QuantisedNetwork = {
  readonly inputWidth: number
  readonly hiddenWidth: number
  /** Row per input, column per hidden unit. */
  readonly hiddenWeights: Int8Array
  /** Includes half of `hiddenDivisor`, so that dividing down rounds to the nearest. */
  readonly hiddenBiases: Int32Array
  readonly hiddenDivisor: number
  readonly outputWeights: Int8Array
  /** Includes half the width of the table, so that the middle of the table is logit 0. */
  readonly outputBias: number
  readonly outputDivisor: number
  /** Calibrated probability of default for each step of the logit. */
  readonly probabilities: Float32Array
  /** Approve below this. */
  readonly threshold: number
}

const LARGEST_WEIGHT = 63
const LARGEST_ACTIVATION = 255
const TABLE_SIZE = 4096
/** With 4,096 entries the table covers logits from −8 to 8; beyond, the probability stays at the last entry. */
const TABLE_STEP = 1 / 256

function largest(values: Float64Array): number {
  return values.reduce((found, value) => Math.max(found, Math.abs(value)), 1e-6)
}

/**
 * Rounds a trained network to whole numbers and folds its calibration into a table.
 *
 * `seen` are training rows: the largest hidden output among them sets the scale; larger ones saturate.
 */
export function quantise(
  network: Network,
  calibration: Calibration,
  seen: readonly Uint16Array[],
  threshold: number,
): QuantisedNetwork {
  const hiddenScale = largest(network.hiddenWeights) / LARGEST_WEIGHT
  const largestHidden = seen.reduce((found, active) => Math.max(found, largest(hiddenOutputs(network, active))), 0)
  const hiddenDivisor = Math.max(1, Math.ceil(largestHidden / hiddenScale / LARGEST_ACTIVATION))
  const outputScale = largest(network.outputWeights) / LARGEST_WEIGHT
  const logitScale = hiddenScale * hiddenDivisor * outputScale
  const outputDivisor = Math.max(1, Math.round(TABLE_STEP / logitScale))
  const logitPerEntry = outputDivisor * logitScale
  const middle = TABLE_SIZE / 2
  return {
    inputWidth: network.inputWidth,
    hiddenWidth: network.hiddenWidth,
    hiddenWeights: Int8Array.from(network.hiddenWeights, (weight) => Math.round(weight / hiddenScale)),
    hiddenBiases: Int32Array.from(
      network.hiddenBiases,
      (bias) => Math.round(bias / hiddenScale) + Math.floor(hiddenDivisor / 2),
    ),
    hiddenDivisor,
    outputWeights: Int8Array.from(network.outputWeights, (weight) => Math.round(weight / outputScale)),
    outputBias: Math.round(network.outputBias / logitScale) + middle * outputDivisor,
    outputDivisor,
    // An entry stands for logits from one step to the next; its probability is that of the middle between them.
    probabilities: Float32Array.from({ length: TABLE_SIZE }, (_, entry) =>
      sigmoid(calibration.slope * (entry + 0.5 - middle) * logitPerEntry + calibration.offset),
    ),
    threshold: Math.fround(threshold),
  }
}

function clamp(value: number, maximum: number): number {
  return Math.min(Math.max(value, 0), maximum)
}

/**
 * Runs the network in whole numbers: the reference for the ONNX file, which must give the same bits.
 *
 * Every sum stays far below 2³¹, and only non-negative numbers are divided, so that rounding towards zero and rounding
 * down agree.
 */
export function judgeQuantised(
  network: QuantisedNetwork,
  active: Uint16Array,
): { probability: number; approved: boolean } {
  const { hiddenWidth, hiddenDivisor, outputDivisor, probabilities } = network
  let sum = network.outputBias
  for (let unit = 0; unit < hiddenWidth; unit += 1) {
    let hidden = network.hiddenBiases[unit] as number
    for (const input of active) hidden += network.hiddenWeights[input * hiddenWidth + unit] as number
    const activation = Math.floor(clamp(hidden, largestHiddenSum(network)) / hiddenDivisor)
    sum += activation * (network.outputWeights[unit] as number)
  }
  const entry = Math.floor(clamp(sum, largestOutputSum(network)) / outputDivisor)
  const probability = probabilities[entry] as number
  return { probability, approved: probability < network.threshold }
}

/** The largest sum that still divides to 255. */
export function largestHiddenSum({ hiddenDivisor }: QuantisedNetwork): number {
  return (LARGEST_ACTIVATION + 1) * hiddenDivisor - 1
}

/** The largest sum that still divides to the last entry of the table. */
export function largestOutputSum({ outputDivisor, probabilities }: QuantisedNetwork): number {
  return probabilities.length * outputDivisor - 1
}
