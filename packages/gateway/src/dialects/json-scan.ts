/**
 * One pass over a JSON object: it is checked to be JSON, and its own members are found, byte for byte. Nothing inside
 * them is built, so a gateway can read three fields of a request of twenty megabytes and hand on the rest as it came.
 */
import { CountersignError, parseUtf8, quote, ShapeError } from '@countersign/verify'
import {
  BACKSLASH,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COMMA,
  MAX_DEPTH,
  malformedAt,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  skipColon,
  skipSpace,
  skipString,
  skipValue,
} from './json-syntax.ts'

/** Most members of the outermost object. */
export const MAX_MEMBERS = 1024

/** Up to here, to add letters one by one is faster than a call into the platform. */
const SHORT_TEXT_BYTES = 24

export type JsonKind = 'object' | 'list' | 'text' | 'number' | 'boolean' | 'null'

/** From `start` on, up to but without `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** One member of the outermost object; its own span is its value's. */
export interface Member extends Span {
  readonly kind: JsonKind
  /** The name as it is spelled, quotes included. */
  readonly nameSpan: Span
}

/** An object whose syntax is checked, and the places of its members. What is inside a value nobody has looked at. */
export class ScannedObject {
  readonly bytes: Uint8Array
  /** By name, unescaped, in the order of the text. */
  readonly members: ReadonlyMap<string, Member>
  /** Where a first member would go: after the opening brace. */
  readonly contentStart: number

  constructor(bytes: Uint8Array, members: ReadonlyMap<string, Member>, contentStart: number) {
    this.bytes = bytes
    this.members = members
    this.contentStart = contentStart
  }

  kindOf(name: string): JsonKind | undefined {
    return this.members.get(name)?.kind
  }

  /** The place of a member's value. */
  spanOf(name: string): Span | undefined {
    return this.members.get(name)
  }

  /** The bytes of a member's value as they came. Not a copy. */
  bytesOf(name: string): Uint8Array | undefined {
    const member = this.members.get(name)
    return member === undefined ? undefined : this.bytes.subarray(member.start, member.end)
  }

  /** The value of a string. @throws {CountersignError} `shape/wrong-type`, `bytes/bad-utf8` */
  textOf(name: string): string | undefined {
    const member = this.#memberOf(name, 'text', 'a text')
    return member === undefined ? undefined : decodeString(this.bytes, member)
  }

  /** A number exactly as it is written: a seed of 64 bits stays one. @throws {CountersignError} `shape/wrong-type` */
  numberTextOf(name: string): string | undefined {
    const member = this.#memberOf(name, 'number', 'a number')
    return member === undefined ? undefined : asciiText(this.bytes, member)
  }

  /** @throws {CountersignError} `shape/wrong-type` */
  booleanOf(name: string): boolean | undefined {
    const member = this.#memberOf(name, 'boolean', 'true or false')
    return member === undefined ? undefined : member.end - member.start === 'true'.length
  }

  #memberOf(name: string, kind: JsonKind, expected: string): Member | undefined {
    const member = this.members.get(name)
    if (member !== undefined && member.kind !== kind) {
      throw new ShapeError('shape/wrong-type', name, `expected ${expected}`)
    }
    return member
  }
}

/**
 * Finds the members of the object that `bytes` is the JSON text of.
 *
 * Checks all of the syntax; refuses a name that stands twice in the outermost object, however it is spelled. Inside its
 * values a name may stand twice, and text that nobody reads may be other than UTF-8.
 *
 * @spec RFC 8259
 * @throws {CountersignError} `json/malformed`, `json/duplicate-key`, `json/too-deep`, `bytes/bad-utf8` for a name,
 *   `bytes/too-large` for more than 1,024 members, `shape/wrong-type` when it is JSON but no object
 */
export function scanObject(bytes: Uint8Array): ScannedObject {
  const start = skipSpace(bytes, 0)
  if (bytes[start] !== OPEN_OBJECT) {
    endOfText(bytes, skipValue(bytes, start, MAX_DEPTH))
    throw new ShapeError('shape/wrong-type', 'body', 'expected an object')
  }
  const members = new Map<string, Member>()
  let at = skipSpace(bytes, start + 1)
  if (at < bytes.length && bytes[at] === CLOSE_OBJECT) {
    endOfText(bytes, at + 1)
    return new ScannedObject(bytes, members, start + 1)
  }
  for (;;) {
    at = skipSpace(bytes, addMember(bytes, at, members))
    if (at >= bytes.length) throw malformedAt(at)
    if (bytes[at] === CLOSE_OBJECT) break
    if (bytes[at] !== COMMA) throw malformedAt(at)
    at = skipSpace(bytes, at + 1)
  }
  endOfText(bytes, at + 1)
  return new ScannedObject(bytes, members, start + 1)
}

/**
 * The first items of the list that `bytes` is the JSON text of, not copied; the rest is neither read nor checked.
 *
 * @throws {CountersignError} `json/malformed`, `json/too-deep`, `shape/wrong-type`
 */
export function scanItems(bytes: Uint8Array, maxItems: number): readonly Uint8Array[] {
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== OPEN_LIST) throw new ShapeError('shape/wrong-type', 'list', 'expected a list')
  at = skipSpace(bytes, at + 1)
  const items: Uint8Array[] = []
  if (at < bytes.length && bytes[at] === CLOSE_LIST) return items
  while (items.length < maxItems) {
    const end = skipValue(bytes, at, MAX_DEPTH - 1)
    items.push(bytes.subarray(at, end))
    at = skipSpace(bytes, end)
    if (at >= bytes.length) throw malformedAt(at)
    if (bytes[at] === CLOSE_LIST) break
    if (bytes[at] !== COMMA) throw malformedAt(at)
    at = skipSpace(bytes, at + 1)
  }
  return items
}

/** Adds the member whose name starts at `nameStart`; gives the index after its value. */
function addMember(bytes: Uint8Array, nameStart: number, members: Map<string, Member>): number {
  const nameSpan = { start: nameStart, end: skipString(bytes, nameStart) }
  const start = skipColon(bytes, nameSpan.end)
  const end = skipValue(bytes, start, MAX_DEPTH - 1)
  const name = decodeString(bytes, nameSpan)
  if (members.has(name)) {
    throw new CountersignError('json/duplicate-key', `the name ${quote(name)} stands twice`)
  }
  if (members.size === MAX_MEMBERS) {
    throw new CountersignError('bytes/too-large', `the object has more than ${MAX_MEMBERS} members`)
  }
  members.set(name, { kind: kindAt(bytes, start), nameSpan, start, end })
  return end
}

function kindAt(bytes: Uint8Array, start: number): JsonKind {
  switch (bytes[start]) {
    case QUOTE:
      return 'text'
    case OPEN_OBJECT:
      return 'object'
    case OPEN_LIST:
      return 'list'
    case 0x74: // t
    case 0x66: // f
      return 'boolean'
    case 0x6e: // n
      return 'null'
    default:
      return 'number'
  }
}

function endOfText(bytes: Uint8Array, at: number): void {
  const end = skipSpace(bytes, at)
  if (end < bytes.length) throw malformedAt(end)
}

/** The value of a string whose syntax is checked, quotes included in its span. @throws {CountersignError} `bytes/bad-utf8` */
function decodeString(bytes: Uint8Array, span: Span): string {
  let isEscaped = false
  for (let i = span.start; i < span.end; i++) {
    const byte = bytes[i] as number
    if (byte >= 0x80) return JSON.parse(parseUtf8(bytes.subarray(span.start, span.end))) as string
    if (byte === BACKSLASH) isEscaped = true
  }
  if (isEscaped) return JSON.parse(asciiText(bytes, span)) as string
  return asciiText(bytes, { start: span.start + 1, end: span.end - 1 })
}

function asciiText(bytes: Uint8Array, { start, end }: Span): string {
  if (end - start <= SHORT_TEXT_BYTES) {
    let text = ''
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number)
    return text
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
