import onnxProto from 'onnx-proto'
import type { Indicator } from './encoding.ts'
import { largestHiddenSum, largestOutputSum, type QuantisedNetwork } from './quantisation.ts'

const { onnx } = onnxProto
type NodeProto = onnxProto.onnx.INodeProto
type TensorProto = onnxProto.onnx.ITensorProto
type ValueInfoProto = onnxProto.onnx.IValueInfoProto

export const inputName = 'application'
export const outputNames = { probability: 'probability_of_default', approve: 'approve' } as const

const { FLOAT, UINT8, INT8, INT32, INT64 } = onnx.TensorProto.DataType

/** The bytes of a typed array in little-endian order, whatever the machine's own. */
function littleEndian(values: Float32Array | Int32Array | Int8Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.byteLength))
  values.forEach((value: number, index: number) => {
    if (values instanceof Float32Array) view.setFloat32(index * 4, value, true)
    else if (values instanceof Int32Array) view.setInt32(index * 4, value, true)
    else view.setInt8(index, value)
  })
  return new Uint8Array(view.buffer)
}

function tensor(name: string, dims: number[], values: Float32Array | Int32Array | Int8Array): TensorProto {
  const dataType = values instanceof Float32Array ? FLOAT : values instanceof Int32Array ? INT32 : INT8
  return { name, dims, dataType, rawData: littleEndian(values) }
}

function scalar(name: string, value: number): TensorProto {
  return tensor(name, [], Int32Array.of(value))
}

function node(
  opType: string,
  input: string[],
  output: string,
  attributes: Readonly<Record<string, number>> = {},
): NodeProto {
  return {
    opType,
    name: output,
    input,
    output: [output],
    attribute: Object.entries(attributes).map(([name, i]) => ({
      name,
      i,
      type: onnx.AttributeProto.AttributeType.INT,
    })),
  }
}

/** A matrix of one row per application and `width` columns. */
function matrix(name: string, elemType: number, width: number): ValueInfoProto {
  return { name, type: { tensorType: { elemType, shape: { dim: [{ dimParam: 'batch' }, { dimValue: width }] } } } }
}

/** Asks the indicators' questions of the raw values: comparisons are the only arithmetic on the input. */
const questionNodes: readonly NodeProto[] = [
  node('Gather', [inputName, 'category_columns'], 'given_codes', { axis: 1 }),
  node('Equal', ['given_codes', 'codes'], 'is_code'),
  node('Gather', [inputName, 'number_columns'], 'given_numbers', { axis: 1 }),
  node('GreaterOrEqual', ['given_numbers', 'cuts'], 'is_at_least'),
  node('Concat', ['is_code', 'is_at_least'], 'answers', { axis: 1 }),
  node('Cast', ['answers'], 'indicators', { to: UINT8 }),
]

/** The network in whole numbers, then a table from its logit to the probability. */
const networkNodes: readonly NodeProto[] = [
  node('MatMulInteger', ['indicators', 'hidden_weights'], 'hidden_products'),
  node('Add', ['hidden_products', 'hidden_biases'], 'hidden_sums'),
  node('Clip', ['hidden_sums', 'zero', 'largest_hidden_sum'], 'hidden_clipped'),
  node('Div', ['hidden_clipped', 'hidden_divisor'], 'hidden_scaled'),
  node('Cast', ['hidden_scaled'], 'hidden', { to: UINT8 }),
  node('MatMulInteger', ['hidden', 'output_weights'], 'output_product'),
  node('Add', ['output_product', 'output_bias'], 'output_sum'),
  node('Clip', ['output_sum', 'zero', 'largest_output_sum'], 'output_clipped'),
  node('Div', ['output_clipped', 'output_divisor'], 'table_entry'),
  node('Gather', ['probabilities', 'table_entry'], outputNames.probability, { axis: 0 }),
  node('Less', [outputNames.probability, 'threshold'], 'is_below_threshold'),
  node('Cast', ['is_below_threshold'], outputNames.approve, { to: INT64 }),
]

function questionTensors(indicators: readonly Indicator[]): TensorProto[] {
  const equal = indicators.filter(({ relation }) => relation === 'equal')
  const atLeast = indicators.filter(({ relation }) => relation === 'at-least')
  const columns = (of: readonly Indicator[]): Int32Array => Int32Array.from(of, ({ featureIndex }) => featureIndex)
  const values = (of: readonly Indicator[]): Float32Array => Float32Array.from(of, ({ value }) => value)
  return [
    tensor('category_columns', [equal.length], columns(equal)),
    tensor('codes', [equal.length], values(equal)),
    tensor('number_columns', [atLeast.length], columns(atLeast)),
    tensor('cuts', [atLeast.length], values(atLeast)),
  ]
}

/**
 * Writes the network as an ONNX model: raw values in, probability of default and decision out.
 *
 * Holds nothing that depends on when or where it was written. Every operator either compares, looks up, or computes in
 * whole numbers, so there is no rounding for two runtimes to disagree about.
 */
export function encodeModel(
  network: QuantisedNetwork,
  indicators: readonly Indicator[],
  inputWidth: number,
): Uint8Array {
  const { hiddenWidth } = network
  const model = onnx.ModelProto.create({
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    producerName: 'countersign',
    docString: 'Demonstration of credit decisions. Not for real lending. See MODEL_CARD.md.',
    graph: {
      name: 'credit',
      input: [matrix(inputName, FLOAT, inputWidth)],
      output: [matrix(outputNames.probability, FLOAT, 1), matrix(outputNames.approve, INT64, 1)],
      node: [...questionNodes, ...networkNodes],
      initializer: [
        ...questionTensors(indicators),
        tensor('hidden_weights', [network.inputWidth, hiddenWidth], network.hiddenWeights),
        tensor('hidden_biases', [hiddenWidth], network.hiddenBiases),
        scalar('zero', 0),
        scalar('largest_hidden_sum', largestHiddenSum(network)),
        scalar('hidden_divisor', network.hiddenDivisor),
        tensor('output_weights', [hiddenWidth, 1], network.outputWeights),
        scalar('output_bias', network.outputBias),
        scalar('largest_output_sum', largestOutputSum(network)),
        scalar('output_divisor', network.outputDivisor),
        tensor('probabilities', [network.probabilities.length], network.probabilities),
        tensor('threshold', [], Float32Array.of(network.threshold)),
      ],
    },
  })
  return onnx.ModelProto.encode(model).finish()
}
