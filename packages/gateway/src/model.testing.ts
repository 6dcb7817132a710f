/** A small model for tests: two outputs of two inputs, exact in every profile. */
import onnxProto from 'onnx-proto'

const { onnx } = onnxProto
const FLOAT = onnx.TensorProto.DataType.FLOAT

function value(name: string) {
  const dim = [{ dimParam: 'batch' }, { dimValue: 2 }]
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } }
}

function node(opType: string, output: string) {
  return { opType, name: opType, input: ['left', 'right'], output: [output] }
}

/** `sum` = `left` + `right`, `difference` = `left` − `right`; FP32 [batch, 2]. */
export function arithmeticModel(): Uint8Array {
  const model = onnx.ModelProto.create({
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'arithmetic',
      input: [value('left'), value('right')],
      output: [value('sum'), value('difference')],
      node: [node('Add', 'sum'), node('Sub', 'difference')],
    },
  })
  return onnx.ModelProto.encode(model).finish()
}

/** A request that the model answers. */
export function arithmeticRequest(left: readonly number[] = [1, 2], right: readonly number[] = [10, 20]): Uint8Array {
  const input = (name: string, data: readonly number[]) => ({
    name,
    datatype: 'FP32',
    shape: [data.length / 2, 2],
    data,
  })
  return Buffer.from(JSON.stringify({ inputs: [input('left', left), input('right', right)] }))
}
