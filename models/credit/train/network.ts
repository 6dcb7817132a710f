import type { Examples } from './applications.ts'
import { addAt } from './arrays.ts'
import { createRandom, type Random, shuffle } from './random.ts'

/** A network of one hidden layer of rectified units and one output, the logit of a bad credit. */
export type Network = {
  readonly inputWidth: number
  readonly hiddenWidth: number
  /** Row per input, column per hidden unit: the layout of a matrix product's right-hand side. */
  readonly hiddenWeights: Float64Array
  readonly hiddenBiases: Float64Array
  readonly outputWeights: Float64Array
  readonly outputBias: number
}

export type NetworkSettings = {
  readonly members: number
  readonly hiddenWidth: number
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
  /** How strongly each step pulls weights (not biases) towards zero. */
  readonly weightDecay: number
}

/**
 * All parameters in one array, so that the optimiser is one loop: hidden weights, hidden biases, output weights, output
 * bias.
 */
type Parameters = {
  readonly inputWidth: number
  readonly hiddenWidth: number
  readonly values: Float64Array
  readonly gradients: Float64Array
}

function initialParameters(inputWidth: number, hiddenWidth: number, random: Random): Parameters {
  const values = new Float64Array((inputWidth + 2) * hiddenWidth + 1)
  const weightCount = inputWidth * hiddenWidth
  for (let index = 0; index < weightCount; index += 1) values[index] = (random.next() - 0.5) * 0.4
  for (let unit = 0; unit < hiddenWidth; unit += 1) {
    values[weightCount + hiddenWidth + unit] = (random.next() - 0.5) * (2 / Math.sqrt(hiddenWidth))
  }
  return { values, gradients: new Float64Array(values.length), hiddenWidth, inputWidth }
}

/** Runs one example; leaves the hidden units' outputs in `hidden` and returns the logit. */
function forward({ values, hiddenWidth, inputWidth }: Parameters, active: Uint16Array, hidden: Float64Array): number {
  const biasStart = inputWidth * hiddenWidth
  const outputStart = biasStart + hiddenWidth
  let logit = values[outputStart + hiddenWidth] as number
  for (let unit = 0; unit < hiddenWidth; unit += 1) {
    let sum = values[biasStart + unit] as number
    for (const input of active) sum += values[input * hiddenWidth + unit] as number
    hidden[unit] = Math.max(sum, 0)
    if (sum > 0) logit += sum * (values[outputStart + unit] as number)
  }
  return logit
}

/** Adds to the gradients what one example contributes, given the slope of the loss at its logit. */
function accumulate(parameters: Parameters, active: Uint16Array, hidden: Float64Array, slope: number): void {
  const { values, gradients, hiddenWidth, inputWidth } = parameters
  const biasStart = inputWidth * hiddenWidth
  const outputStart = biasStart + hiddenWidth
  addAt(gradients, outputStart + hiddenWidth, slope)
  for (let unit = 0; unit < hiddenWidth; unit += 1) {
    const output = hidden[unit] as number
    if (output === 0) continue
    addAt(gradients, outputStart + unit, slope * output)
    const hiddenSlope = slope * (values[outputStart + unit] as number)
    addAt(gradients, biasStart + unit, hiddenSlope)
    for (const input of active) addAt(gradients, input * hiddenWidth + unit, hiddenSlope)
  }
}

/** One kind of gradient descent: Adam with decoupled weight decay (Loshchilov and Hutter, 2019). */
function createOptimiser(
  parameters: Parameters,
  { learningRate, weightDecay }: NetworkSettings,
): (exampleCount: number) => void {
  const { values, gradients, hiddenWidth, inputWidth } = parameters
  const means = new Float64Array(values.length)
  const squares = new Float64Array(values.length)
  const biasStart = inputWidth * hiddenWidth
  const isWeight = (index: number): boolean =>
    index < biasStart || (index >= biasStart + hiddenWidth && index < values.length - 1)
  let meanShare = 1
  let squareShare = 1
  return (exampleCount) => {
    meanShare *= 0.9
    squareShare *= 0.999
    for (let index = 0; index < values.length; index += 1) {
      const gradient = (gradients[index] as number) / exampleCount
      const mean = 0.9 * (means[index] as number) + 0.1 * gradient
      const square = 0.999 * (squares[index] as number) + 0.001 * gradient * gradient
      means[index] = mean
      squares[index] = square
      const decay = isWeight(index) ? weightDecay * (values[index] as number) : 0
      const direction = mean / (1 - meanShare) / (Math.sqrt(square / (1 - squareShare)) + 1e-8)
      addAt(values, index, -learningRate * (direction + decay))
      gradients[index] = 0
    }
  }
}

function trainMember(examples: Examples, settings: NetworkSettings, random: Random): Parameters {
  const parameters = initialParameters(examples.inputWidth, settings.hiddenWidth, random)
  const step = createOptimiser(parameters, settings)
  const hidden = new Float64Array(settings.hiddenWidth)
  const order = examples.bad.map((_, index) => index)
  for (let epoch = 0; epoch < settings.epochs; epoch += 1) {
    shuffle(order, random)
    for (let start = 0; start < order.length; start += settings.batchSize) {
      const batch = order.slice(start, start + settings.batchSize)
      for (const index of batch) {
        const active = examples.active[index] as Uint16Array
        const probability = 1 / (1 + Math.exp(-forward(parameters, active, hidden)))
        accumulate(parameters, active, hidden, probability - (examples.bad[index] as number))
      }
      step(batch.length)
    }
  }
  return parameters
}

/**
 * Trains `members` small networks from different random starts and joins them into one whose logit is the mean of
 * theirs.
 *
 * Side by side they are one wider network; the average varies less from one random start to the next than any of them.
 * Every random choice comes from `seed`.
 */
export function trainNetwork(examples: Examples, settings: NetworkSettings, seed: readonly number[]): Network {
  const { members, hiddenWidth } = settings
  const joinedWidth = members * hiddenWidth
  const { inputWidth } = examples
  const hiddenWeights = new Float64Array(inputWidth * joinedWidth)
  const hiddenBiases = new Float64Array(joinedWidth)
  const outputWeights = new Float64Array(joinedWidth)
  let outputBias = 0
  for (let member = 0; member < members; member += 1) {
    const { values } = trainMember(examples, settings, createRandom([...seed, member]))
    const biasStart = inputWidth * hiddenWidth
    for (let unit = 0; unit < hiddenWidth; unit += 1) {
      const joined = member * hiddenWidth + unit
      for (let input = 0; input < inputWidth; input += 1) {
        hiddenWeights[input * joinedWidth + joined] = values[input * hiddenWidth + unit] as number
      }
      hiddenBiases[joined] = values[biasStart + unit] as number
      outputWeights[joined] = (values[biasStart + hiddenWidth + unit] as number) / members
    }
    outputBias += (values[values.length - 1] as number) / members
  }
  return { inputWidth, hiddenWidth: joinedWidth, hiddenWeights, hiddenBiases, outputWeights, outputBias }
}

/** The outputs of the hidden units for one example. */
export function hiddenOutputs(network: Network, active: Uint16Array): Float64Array {
  const { hiddenWidth } = network
  return network.hiddenBiases.map((bias, unit) => {
    let sum = bias
    for (const input of active) sum += network.hiddenWeights[input * hiddenWidth + unit] as number
    return Math.max(sum, 0)
  })
}

/** The unquantised logit of a bad credit for one example. */
export function networkLogit(network: Network, active: Uint16Array): number {
  return hiddenOutputs(network, active).reduce(
    (sum, output, unit) => sum + output * (network.outputWeights[unit] as number),
    network.outputBias,
  )
}
