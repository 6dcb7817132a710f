/**
 * CBOR without surprises. `cborg` alone would take text that is not UTF-8, the end mark of a list as a value, floats as whole
 * numbers, keys that it cannot compare, and any depth. @spec RFC 8949 §3, §5.6
 */
import { decodeFirst, type Token, Tokenizer, Type } from 'cborg'
import { parseUtf8 } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'

/** Keys are texts or whole numbers, each there once. */
export type Cbor = null | boolean | number | string | Uint8Array | readonly Cbor[] | CborMap
export type CborMap = ReadonlyMap<string | number, Cbor>

export interface CborLimits {
  readonly maxBytes: number
  /** Most lists and maps in all; so no deeper than that either. */
  readonly maxContainers: number
  /** Most values in all. */
  readonly maxValues: number
  /** Whether lists and maps may end by a mark. Texts and byte strings never may. */
  readonly allowIndefinite: boolean
}

const SIMPLE = [Type.uint, Type.negint, Type.bytes, Type.string, Type.null, Type.true, Type.false]

/** Lets through what has one meaning, within the limits. */
class StrictTokenizer extends Tokenizer {
  readonly #limits: CborLimits
  #values = 0
  #containers = 0

  constructor(bytes: Uint8Array, options: ConstructorParameters<typeof Tokenizer>[1], limits: CborLimits) {
    super(bytes, options)
    this.#limits = limits
  }

  override next(): Token {
    const token = super.next()
    const is = (type: Type) => Type.equals(token.type, type)
    if (++this.#values > this.#limits.maxValues) throw malformed(`it has more than ${this.#limits.maxValues} values`)
    if (is(Type.array) || is(Type.map)) {
      if (++this.#containers > this.#limits.maxContainers) {
        throw malformed(`it has more than ${this.#limits.maxContainers} lists and maps`)
      }
    } else if (is(Type.string)) {
      requireUtf8(token)
    } else if (!is(Type.break) && !SIMPLE.some(is)) {
      throw malformed(`it has a value of the type ${token.type.name}`)
    }
    return token
  }
}

function requireUtf8({ value, byteValue }: Token): void {
  // The empty text alone comes without its bytes.
  if (byteValue === undefined ? value === '' : parseUtf8(byteValue) === value) return
  throw malformed('it has a text that is not plain UTF-8')
}

/**
 * The first value in `bytes`, and how many bytes it takes. Numbers and lengths are in their shortest form; there are no tags,
 * floats or undefined values.
 *
 * @throws {CountersignError} `cbor/malformed`
 */
export function parseFirstCbor(
  bytes: Uint8Array,
  limits: CborLimits,
): { readonly value: Cbor; readonly length: number } {
  if (bytes.length > limits.maxBytes) throw malformed(`it has more than ${limits.maxBytes} bytes`)
  const options = {
    ...{ strict: true, allowIndefinite: limits.allowIndefinite, allowUndefined: false, allowBigInt: false },
    ...{ allowInfinity: false, allowNaN: false, useMaps: true, rejectDuplicateMapKeys: true, retainStringBytes: true },
  }
  let decoded: readonly [unknown, Uint8Array]
  try {
    decoded = decodeFirst(bytes, { ...options, tokenizer: new StrictTokenizer(bytes, options, limits) })
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === 'cbor/malformed') throw thrown
    const why = thrown instanceof Error ? thrown.message.replace('CBOR decode error: ', '') : 'it cannot be read'
    throw new CountersignError('cbor/malformed', `not the CBOR that is read: ${why}`, { cause: thrown })
  }
  const [value, rest] = decoded
  requireComparable(value)
  return { value, length: bytes.length - rest.length }
}

/** The one value that `bytes` are. @throws {CountersignError} `cbor/malformed` */
export function parseCbor(bytes: Uint8Array, limits: CborLimits): Cbor {
  const { value, length } = parseFirstCbor(bytes, limits)
  if (length !== bytes.length) throw malformed('bytes are left over')
  return value
}

/** Refuses keys that are no texts or numbers, and the end mark where a value belongs. Depth is limited by then. */
function requireComparable(value: unknown): asserts value is Cbor {
  if (typeof value === 'symbol') throw malformed('a list or map ends inside an entry')
  if (Array.isArray(value)) for (const item of value) requireComparable(item)
  if (!(value instanceof Map)) return
  for (const [key, item] of value) {
    if (typeof key !== 'string' && typeof key !== 'number') throw malformed('a key is neither a text nor a number')
    requireComparable(item)
  }
}

function malformed(why: string): CountersignError {
  return new CountersignError('cbor/malformed', `not the CBOR that is read: ${why}`)
}
