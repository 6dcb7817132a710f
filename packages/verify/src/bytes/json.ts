/**
 * JSON without surprises: valid UTF-8, no duplicate keys, bounded size and depth.
 *
 * Two programs that read one signed file must read the same thing. `JSON.parse` keeps the last of two equal keys, others
 * keep the first; so a duplicate is refused. @spec RFC 8259, I-JSON (RFC 7493 §2.3)
 */
import { CountersignError } from '../errors.ts'
import { parseUtf8 } from './bytes.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export interface JsonLimits {
  /** Most bytes of the text. */
  readonly maxBytes: number
  /** Most objects and arrays inside one another. */
  readonly maxDepth: number
}

/** Most values of one text: each costs memory many times its length. */
const MAX_VALUES = 2 ** 21

/** Limits for a file of ours that stands alone: 64 MiB, 32 deep. */
export const FILE_LIMITS: JsonLimits = { maxBytes: 64 * 1024 * 1024, maxDepth: 32 }

/** Limits for a signed payload: 1 MiB, 16 deep. */
export const PAYLOAD_LIMITS: JsonLimits = { maxBytes: 1024 * 1024, maxDepth: 16 }

/**
 * The value of a JSON text.
 *
 * @throws {CountersignError} `bytes/too-large`, `bytes/bad-utf8`, `json/malformed`, `json/duplicate-key`, `json/too-deep`
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): Json {
  if (bytes.length > limits.maxBytes) {
    throw new CountersignError('bytes/too-large', `the JSON text has ${bytes.length} bytes, at most ${limits.maxBytes}`)
  }
  const text = parseUtf8(bytes)
  const { members, separators, depth } = countMarks(text)
  // Before the text is parsed: of brackets alone the parser makes a value each, in seconds and gigabytes.
  if (depth > limits.maxDepth) throw new CountersignError('json/too-deep', 'the JSON text is nested too deeply')
  if (separators > MAX_VALUES) {
    throw new CountersignError('bytes/too-large', `the JSON text has more than ${MAX_VALUES} values`)
  }
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    throw new CountersignError('json/malformed', 'the text is not JSON')
  }
  if (members !== countKeys(value)) {
    throw new CountersignError('json/duplicate-key', 'an object has the same key twice')
  }
  return value
}

/** Keys in the parsed value, whose depth is limited by then: what is left after `JSON.parse` dropped duplicates. */
function countKeys(value: Json): number {
  if (value === null || typeof value !== 'object') return 0
  let keys = 0
  if (Array.isArray(value)) {
    for (const item of value) keys += countKeys(item)
    return keys
  }
  for (const item of Object.values(value)) keys += 1 + countKeys(item)
  return keys
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/**
 * Members in the text: in valid JSON each has one colon outside strings. So more members than keys means that a key
 * came twice, whatever way it was escaped. `depth` is how many objects and arrays are inside one another at most.
 */
function countMarks(text: string): { readonly members: number; readonly separators: number; readonly depth: number } {
  let members = 0
  let separators = 0
  let open = 0
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === COLON) members++
    else if (code === COMMA) separators++
    else if (code === QUOTE) i = endOfString(text, i)
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth = Math.max(depth, ++open)
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) open--
  }
  return { members, separators, depth }
}

/** Index of the quote that ends the string whose opening quote is at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end < 0 ? text.length : end
}

function isEscaped(text: string, quoteAt: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(quoteAt - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

const OPENING = /* @__PURE__ */ new Set([OPEN_BRACE, OPEN_BRACKET])
const CLOSING = /* @__PURE__ */ new Set([CLOSE_BRACE, CLOSE_BRACKET])
const BLANKS = /* @__PURE__ */ new Set([0x20, 0x09, 0x0a, 0x0d])

/**
 * The text of one member of the outermost object, exactly as it stands, for signatures that were made over it. `undefined`
 * when there is no such member, or its name is written with escapes. `text` must be JSON that {@link parseJson} accepts.
 */
export function rawMember(text: string, name: string): string | undefined {
  let at = afterBlanks(text, 0)
  if (text.charCodeAt(at) !== 0x7b) return undefined
  at = afterBlanks(text, at + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at) + 1
    const start = afterBlanks(text, afterBlanks(text, nameEnd) + 1)
    const end = endOfValue(text, start)
    if (text.slice(at, nameEnd) === `"${name}"`) return text.slice(start, end).trimEnd()
    at = afterBlanks(text, end + 1)
  }
  return undefined
}

/** Index of the comma or bracket that follows the value at `start`. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) i = endOfString(text, i)
    else if (OPENING.has(code)) depth++
    else if (depth === 0 && (code === COMMA || CLOSING.has(code))) return i
    else if (CLOSING.has(code)) depth--
  }
  return text.length
}

function afterBlanks(text: string, start: number): number {
  let at = start
  while (BLANKS.has(text.charCodeAt(at))) at++
  return at
}
