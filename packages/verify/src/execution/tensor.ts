/** Tensors as the Open Inference Protocol writes them. @spec Open Inference Protocol v2, "Tensor Data" */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readText } from '../bytes/shape.ts'
import { CountersignError, quote } from '../errors.ts'

/** The protocol's types that both our engines run. */
export const DATATYPES = ['BOOL', 'UINT8', 'INT8', 'INT32', 'INT64', 'FP32', 'FP64'] as const
export type Datatype = (typeof DATATYPES)[number]

export type TensorData = Uint8Array | Int8Array | Int32Array | BigInt64Array | Float32Array | Float64Array

/** A named array of numbers, row by row. */
export interface Tensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly data: TensorData
}

/** Most elements of one tensor, and most dimensions. */
export const MAX_ELEMENTS = 1 << 20
export const MAX_DIMENSIONS = 8

const INTEGER_BOUNDS: { readonly [type in Datatype]?: readonly [number, number] } = {
  UINT8: [0, 255],
  INT8: [-128, 127],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
}

/**
 * Reads a tensor. Integers that JSON cannot carry exactly are refused; numbers for FP32 are rounded to the nearest, and
 * refused when that is infinite.
 *
 * @throws {CountersignError} `tensor/malformed`, `tensor/wrong-shape`, `tensor/wrong-datatype`, `shape/*`
 */
export function parseTensor(value: Json, path: Path): Tensor {
  const fields = new Fields(value, path)
  const name = fields.text('name', { maxLength: 256 })
  const datatypeText = fields.text('datatype', { maxLength: 16 })
  const datatype = DATATYPES.find((known) => known === datatypeText)
  if (datatype === undefined) {
    throw new CountersignError('tensor/wrong-datatype', `${path}.datatype: expected one of ${DATATYPES.join(', ')}`)
  }
  const shape = fields.list('shape', MAX_DIMENSIONS, readDimension)
  refuseUnread(fields, 'parameters')
  const items = flatten(fields.required('data'), fields.at('data'))
  fields.end()
  const count = elementCount(shape)
  if (items.length !== count) {
    throw new CountersignError(
      'tensor/wrong-shape',
      `${path}.data: tensor ${quote(name)} of shape [${shape.join(', ')}] needs ${count} values, not ${items.length}`,
    )
  }
  return { name, datatype, shape, data: readData(datatype, items, `${path}.data`) }
}

function readDimension(item: Json, path: Path): number {
  if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0 || item > MAX_ELEMENTS) {
    throw new CountersignError('tensor/wrong-shape', `${path}: expected a dimension from 0 to ${MAX_ELEMENTS}`)
  }
  return item
}

function elementCount(shape: readonly number[]): number {
  const count = shape.reduce((product, dimension) => product * dimension, 1)
  if (count > MAX_ELEMENTS)
    throw new CountersignError('tensor/wrong-shape', `at most ${MAX_ELEMENTS} values in a tensor`)
  return count
}

/** The protocol allows data flat or nested as the shape is. */
function flatten(value: Json, path: Path): readonly Json[] {
  if (!Array.isArray(value)) throw new CountersignError('tensor/malformed', `${path}: expected a list`)
  const items: Json[] = value.flat(MAX_DIMENSIONS)
  if (items.length > MAX_ELEMENTS)
    throw new CountersignError('tensor/malformed', `${path}: at most ${MAX_ELEMENTS} values`)
  return items
}

function readData(datatype: Datatype, items: readonly Json[], path: Path): TensorData {
  if (datatype === 'BOOL') return Uint8Array.from(items, (item, i) => (readBoolean(item, `${path}[${i}]`) ? 1 : 0))
  const numbers = items.map((item, i) => readNumber(datatype, item, `${path}[${i}]`))
  switch (datatype) {
    case 'UINT8':
      return Uint8Array.from(numbers)
    case 'INT8':
      return Int8Array.from(numbers)
    case 'INT32':
      return Int32Array.from(numbers)
    case 'INT64':
      return BigInt64Array.from(numbers, BigInt)
    case 'FP32':
      return Float32Array.from(numbers)
    case 'FP64':
      return Float64Array.from(numbers)
  }
}

function readBoolean(item: Json, path: Path): boolean {
  if (typeof item !== 'boolean') throw new CountersignError('tensor/malformed', `${path}: expected true or false`)
  return item
}

function readNumber(datatype: Datatype, item: Json, path: Path): number {
  const bounds = INTEGER_BOUNDS[datatype]
  if (typeof item !== 'number') throw new CountersignError('tensor/malformed', `${path}: expected a number`)
  if (bounds !== undefined) {
    if (!Number.isInteger(item) || item < bounds[0] || item > bounds[1]) {
      throw new CountersignError('tensor/malformed', `${path}: expected an integer from ${bounds[0]} to ${bounds[1]}`)
    }
    return item
  }
  const rounded = datatype === 'FP32' ? Math.fround(item) : item
  if (!Number.isFinite(rounded)) throw new CountersignError('tensor/malformed', `${path}: the number is too large`)
  return rounded
}

/**
 * The JSON form of a tensor. Every finite value survives the round trip bit for bit.
 *
 * @throws {CountersignError} `tensor/malformed` for values that JSON has no number for
 */
export function formatTensor({ name, datatype, shape, data }: Tensor): Json {
  const values = Array.from(data as ArrayLike<number | bigint>, (value) => {
    const number = Number(value)
    const exact = typeof value === 'bigint' ? Number.isSafeInteger(number) : Number.isFinite(number)
    if (!exact)
      throw new CountersignError('tensor/malformed', `tensor ${quote(name)} has a value that JSON cannot carry`)
    return datatype === 'BOOL' ? number !== 0 : number
  })
  return { name, datatype, shape: [...shape], data: values }
}

/**
 * Refuses a field that the protocol allows and no engine here acts on: what is not compared must not stand in an answer.
 *
 * @throws {CountersignError} `execution/unsupported`
 */
export function refuseUnread(fields: Fields, name: string): void {
  if (fields.has(name)) throw new CountersignError('execution/unsupported', `${fields.at(name)}: not supported`)
}

/** Reads the name of a tensor or model. */
export function readName(value: Json, path: Path): string {
  return readText(value, path, { maxLength: 256 })
}
