/** Tensors on their way into and out of a session: by name, type and shape. */
import { CountersignError, type Datatype, quote, type Tensor, type TensorData } from '@countersign/verify'
import type { InferenceSession, Tensor as SessionTensor } from 'onnxruntime-node'

/** What a model says of one of its inputs or outputs. A dimension that any size fits is −1. */
export interface TensorInfo {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
}

interface Representation {
  readonly sessionType: SessionTensor.Type
  readonly array: { new (length: number): TensorData }
}

const REPRESENTATIONS: { readonly [type in Datatype]: Representation } = {
  BOOL: { sessionType: 'bool', array: Uint8Array },
  UINT8: { sessionType: 'uint8', array: Uint8Array },
  INT8: { sessionType: 'int8', array: Int8Array },
  INT32: { sessionType: 'int32', array: Int32Array },
  INT64: { sessionType: 'int64', array: BigInt64Array },
  FP32: { sessionType: 'float32', array: Float32Array },
  FP64: { sessionType: 'float64', array: Float64Array },
}

const DATATYPE_OF = new Map(
  Object.entries(REPRESENTATIONS).map(([datatype, { sessionType }]) => [sessionType, datatype as Datatype]),
)

/** The engine's name for a datatype. */
export function sessionType(datatype: Datatype): SessionTensor.Type {
  return REPRESENTATIONS[datatype].sessionType
}

/**
 * Reads what a session says of its inputs or outputs.
 *
 * @throws {CountersignError} `execution/unsupported` for a value that is no tensor of a type that we carry
 */
export function readTensorInfo(metadata: InferenceSession.ValueMetadata): TensorInfo {
  const { name } = metadata
  const datatype = metadata.isTensor ? DATATYPE_OF.get(metadata.type) : undefined
  if (!metadata.isTensor || datatype === undefined) {
    const what = metadata.isTensor ? `a tensor of ${metadata.type}` : 'no tensor'
    throw new CountersignError('execution/unsupported', `the model's ${quote(name)} is ${what}, which is not supported`)
  }
  return { name, datatype, shape: metadata.shape.map((size) => (typeof size === 'number' ? size : -1)) }
}

/**
 * Proves that `tensor` is what the model takes for `info`, or throws. `path` names the field for the message.
 *
 * @throws {CountersignError} `tensor/wrong-datatype`, `tensor/wrong-shape`, `tensor/malformed`
 */
export function verifyTensor(tensor: Tensor, info: TensorInfo, path: string): void {
  const { name, datatype, shape, data } = tensor
  if (datatype !== info.datatype) {
    throw new CountersignError(
      'tensor/wrong-datatype',
      `${path}.datatype: ${quote(name)} is ${info.datatype}, not ${datatype}`,
    )
  }
  const fits = shape.length === info.shape.length && info.shape.every((size, i) => size === -1 || size === shape[i])
  if (!fits) {
    const wanted = info.shape.map((size) => (size === -1 ? 'any' : size)).join(', ')
    const message = `${path}.shape: ${quote(name)} has shape [${wanted}], not [${shape.join(', ')}]`
    throw new CountersignError('tensor/wrong-shape', message)
  }
  const count = shape.reduce((product, size) => product * size, 1)
  if (!(data instanceof REPRESENTATIONS[datatype].array) || data.length !== count) {
    throw new CountersignError('tensor/malformed', `${path}.data: expected ${count} values of ${datatype}`)
  }
  if (datatype === 'BOOL' && (data as Uint8Array).some((item) => item > 1)) {
    throw new CountersignError('tensor/malformed', `${path}.data: expected 0 or 1 for each BOOL`)
  }
}

/** A session's result as a tensor of ours. Shares its memory, which the session has let go of. */
export function toTensor(result: SessionTensor, { name, datatype }: TensorInfo): Tensor {
  const { array } = REPRESENTATIONS[datatype]
  if (!(result.data instanceof array)) {
    throw new CountersignError('execution/failed', `the engine gave ${quote(name)} as ${result.type}, not ${datatype}`)
  }
  return { name, datatype, shape: result.dims, data: result.data }
}
