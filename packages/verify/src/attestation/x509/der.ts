/**
 * DER, read strictly: one spelling of each length and number, nothing left over. Values are places in one array of bytes; nothing
 * is copied, and what is inside a value is only looked at when somebody asks for it. @spec ITU-T X.690 §8, §10, §11
 */
import { CountersignError } from '../../errors.ts'

/** Most bytes of one input: lists of revoked certificates of a large maker are the longest. */
export const MAX_DER_BYTES = 4 * 1024 * 1024

/** Most values inside one another, and most side by side. */
const MAX_DEPTH = 24
const MAX_CHILDREN = 131_072
const MAX_LENGTH_BYTES = 3
const MAX_OID_BYTES = 64

/** Tags of the types that certificates are made of. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

const CONSTRUCTED = 0x20

/** One value: its tag byte, and where it lies. */
export class DerValue {
  /** The whole tag byte: class, constructed bit, number. */
  readonly tag: number
  readonly #source: Uint8Array
  readonly #start: number
  readonly #contentStart: number
  readonly #end: number
  readonly #depth: number

  private constructor(source: Uint8Array, start: number, contentStart: number, end: number, depth: number) {
    this.tag = source[start] ?? 0
    this.#source = source
    this.#start = start
    this.#contentStart = contentStart
    this.#end = end
    this.#depth = depth
  }

  /** The value that begins at `start` and ends at `limit` at the latest. @throws {CountersignError} `der/malformed` */
  static readAt(source: Uint8Array, start: number, limit: number, depth: number): DerValue {
    const tag = source[start]
    const first = source[start + 1]
    if (tag === undefined || first === undefined || start + 2 > limit) throw malformed(start, 'it ends too early')
    if ((tag & 0x1f) === 0x1f) throw malformed(start, 'its tag has more than one byte')
    if (depth > MAX_DEPTH) throw malformed(start, 'it is nested too deeply')
    let contentStart = start + 2
    let length = first
    if (first >= 0x80) {
      const count = first & 0x7f
      if (count === 0) throw malformed(start, 'its length is indefinite')
      if (count > MAX_LENGTH_BYTES) throw malformed(start, 'its length is too large')
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + (source[contentStart + i] ?? 0)
      contentStart += count
      // Lengths below 128 have a form of their own, and no length begins with zeros.
      if (length < 0x80 || length < 256 ** (count - 1)) throw malformed(start, 'its length is not the shortest')
    }
    const end = contentStart + length
    if (end > limit) throw malformed(start, 'it ends too early')
    return new DerValue(source, start, contentStart, end, depth)
  }

  /** The value as it stands, with tag and length. */
  get bytes(): Uint8Array {
    return this.#source.subarray(this.#start, this.#end)
  }

  /** What stands after tag and length. */
  get content(): Uint8Array {
    return this.#source.subarray(this.#contentStart, this.#end)
  }

  get contentLength(): number {
    return this.#end - this.#contentStart
  }

  /** Where the value ends, counted from the begin of the input. */
  get end(): number {
    return this.#end
  }

  /** The values inside a constructed one. @throws {CountersignError} `der/malformed` */
  children(): readonly DerValue[] {
    if ((this.tag & CONSTRUCTED) === 0) throw malformed(this.#start, 'expected a value made of others')
    const children: DerValue[] = []
    let at = this.#contentStart
    while (at < this.#end) {
      if (children.length === MAX_CHILDREN) throw malformed(at, `it has more than ${MAX_CHILDREN} parts`)
      const child = DerValue.readAt(this.#source, at, this.#end, this.#depth + 1)
      children.push(child)
      at = child.end
    }
    return children
  }
}

/**
 * The one value that `bytes` are.
 *
 * Looks at its tag and length alone: what is inside is read, as strictly, when somebody asks for its children.
 *
 * @throws {CountersignError} `der/malformed`
 */
export function parseDer(bytes: Uint8Array): DerValue {
  if (bytes.length > MAX_DER_BYTES) {
    throw new CountersignError('der/malformed', `${bytes.length} bytes are too many, at most ${MAX_DER_BYTES}`)
  }
  const value = DerValue.readAt(bytes, 0, bytes.length, 0)
  if (value.end !== bytes.length) throw malformed(value.end, 'bytes are left over')
  return value
}

/** `value`, when it is there and of that type. @throws {CountersignError} `der/malformed` */
export function requireTag(value: DerValue | undefined, tag: number, what: string): DerValue {
  if (value?.tag === tag) return value
  const found = value === undefined ? 'nothing' : `tag ${value.tag}`
  throw new CountersignError('der/malformed', `${what}: expected tag ${tag}, found ${found}`)
}

/** The parts of a SEQUENCE. @throws {CountersignError} `der/malformed` */
export function sequenceOf(value: DerValue | undefined, what: string): readonly DerValue[] {
  return requireTag(value, TAG.sequence, what).children()
}

/** An object identifier as numbers with dots. @throws {CountersignError} `der/malformed` */
export function oidOf(value: DerValue | undefined): string {
  const content = requireTag(value, TAG.oid, 'object identifier').content
  const isWhole = content.length > 0 && content.length <= MAX_OID_BYTES && ((content.at(-1) ?? 0x80) & 0x80) === 0
  if (!isWhole) throw new CountersignError('der/malformed', 'an object identifier is empty, cut off or too long')
  const arcs: number[] = []
  let arc = 0
  let isFirstByte = true
  for (const byte of content) {
    if (isFirstByte && byte === 0x80) throw new CountersignError('der/malformed', 'an arc is not in its shortest form')
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) throw new CountersignError('der/malformed', 'an arc is too large')
    isFirstByte = byte < 0x80
    if (!isFirstByte) continue
    arcs.push(arc)
    arc = 0
  }
  const [first = 0, ...rest] = arcs
  const root = Math.min(2, Math.floor(first / 40))
  return [root, first - root * 40, ...rest].join('.')
}

/** A number from 0 to `maximum`. @throws {CountersignError} `der/malformed` */
export function integerOf(value: DerValue | undefined, maximum = Number.MAX_SAFE_INTEGER): number {
  const digits = unsignedOf(value)
  let number = 0
  for (const byte of digits) {
    number = number * 256 + byte
    if (number > maximum) throw new CountersignError('der/malformed', `a number is above ${maximum}`)
  }
  return number
}

/** Big-endian digits of a number that is not negative, without leading zeros; empty for zero. @throws {CountersignError} `der/malformed` */
export function unsignedOf(value: DerValue | undefined): Uint8Array {
  const content = requireTag(value, TAG.integer, 'number').content
  const [first, second] = content
  if (first === undefined) throw new CountersignError('der/malformed', 'a number has no digits')
  if (first >= 0x80) throw new CountersignError('der/malformed', 'a number is negative')
  if (first !== 0) return content
  if (second !== undefined && second < 0x80) {
    throw new CountersignError('der/malformed', 'a number is not in its shortest form')
  }
  return content.subarray(1)
}

/** TRUE or FALSE. @throws {CountersignError} `der/malformed` */
export function booleanOf(value: DerValue | undefined): boolean {
  const [byte, ...more] = requireTag(value, TAG.boolean, 'truth value').content
  if (more.length > 0 || (byte !== 0 && byte !== 0xff)) {
    throw new CountersignError('der/malformed', 'a truth value is neither 0 nor 255')
  }
  return byte === 0xff
}

/** The bytes of an OCTET STRING. @throws {CountersignError} `der/malformed` */
export function octetString(value: DerValue | undefined, what = 'octet string'): Uint8Array {
  return requireTag(value, TAG.octetString, what).content
}

/** The bytes of a BIT STRING of whole bytes. @throws {CountersignError} `der/malformed` */
export function bitString(value: DerValue | undefined, what = 'bit string'): Uint8Array {
  const content = requireTag(value, TAG.bitString, what).content
  if (content[0] !== 0) throw new CountersignError('der/malformed', `${what}: not of whole bytes`)
  return content.subarray(1)
}

/** Milliseconds of a UTCTime or GeneralizedTime: to the second, in UTC. @throws {CountersignError} `der/malformed` */
export function timeOf(value: DerValue | undefined): number {
  const isShort = value?.tag === TAG.utcTime
  const content = requireTag(value, isShort ? TAG.utcTime : TAG.generalizedTime, 'time').content
  const yearDigits = isShort ? 2 : 4
  let isShape = content.length === yearDigits + 11 && content.at(-1) === 0x5a
  for (let i = 0; i < content.length - 1; i++) isShape &&= isDigit(content[i])
  if (!isShape) throw new CountersignError('der/malformed', 'a time is not of the form YYMMDDHHMMSSZ')
  const two = (at: number) => ((content[at] ?? 0) - 0x30) * 10 + (content[at + 1] ?? 0) - 0x30
  const year = isShort ? two(0) + (two(0) < 50 ? 2000 : 1900) : two(0) * 100 + two(2)
  const at = (index: number) => two(yearDigits + index * 2)
  const [month, day, hour, minute, second] = [at(0), at(1), at(2), at(3), at(4)]
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  const read = new Date(ms)
  // What does not exist, such as 30 February or 24 o'clock, comes back as another time.
  const exists =
    read.getUTCMonth() === month - 1 && read.getUTCDate() === day && read.getUTCHours() === hour && second < 60
  if (!exists || minute > 59 || year < 1950) throw new CountersignError('der/malformed', 'a time does not exist')
  return ms
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function malformed(at: number, why: string): CountersignError {
  return new CountersignError('der/malformed', `the value at byte ${at} is not DER: ${why}`)
}
