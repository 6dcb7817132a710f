/** Builds small ONNX models for tests. */
import { createHash } from 'node:crypto'
import onnxProto from 'onnx-proto'

const { onnx } = onnxProto
type NodeProto = onnxProto.onnx.INodeProto
type TensorProto = onnxProto.onnx.ITensorProto
type ValueInfoProto = onnxProto.onnx.IValueInfoProto

export const { BOOL, DOUBLE, FLOAT, FLOAT16, INT32, INT64, INT8, UINT8 } = onnx.TensorProto.DataType

export interface Graph {
  readonly input: ValueInfoProto[]
  readonly output: ValueInfoProto[]
  readonly node: NodeProto[]
  readonly initializer?: TensorProto[]
}

/** An input or output; a dimension that is text is a free one. */
export function value(name: string, elemType: number, shape: readonly (number | string)[]): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: { [name: string]: number } = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, i]) => ({
    name,
    i,
    type: onnx.AttributeProto.AttributeType.INT,
  }))
  return { opType, name: `${opType} ${output.join(' ')}`, input, output, attribute }
}

export function constant(name: string, dims: number[], dataType: number, data: ArrayBufferView): TensorProto {
  return { name, dims, dataType, rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
}

export function encodeModel(graph: Graph): Uint8Array {
  const model = onnx.ModelProto.create({
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    graph: { name: 'test', ...graph },
  })
  return onnx.ModelProto.encode(model).finish()
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** `sum` = `left` + `right`, FP32 [batch, 2]; `difference` = `left` − `right`. */
export function arithmeticModel(): Uint8Array {
  return encodeModel({
    input: [value('left', FLOAT, ['batch', 2]), value('right', FLOAT, ['batch', 2])],
    output: [value('sum', FLOAT, ['batch', 2]), value('difference', FLOAT, ['batch', 2])],
    node: [node('Add', ['left', 'right'], ['sum']), node('Sub', ['left', 'right'], ['difference'])],
  })
}

/** A dense layer in whole numbers: u8 input [batch, width], i8 weights within ±63, INT32 output [batch, width]. */
export function integerModel(width: number): Uint8Array {
  const weights = Int8Array.from({ length: width * width }, (_, i) => ((i * 37) % 127) - 63)
  return encodeModel({
    input: [value('input', UINT8, ['batch', width])],
    output: [value('output', INT32, ['batch', width])],
    node: [node('MatMulInteger', ['input', 'weights'], ['output'])],
    initializer: [constant('weights', [width, width], INT8, weights)],
  })
}
