/**
 * The grammar of JSON, over bytes: where a value ends, or that there is none. Builds nothing, so that a request of many
 * megabytes costs one pass. Strings are not checked to be UTF-8: whoever decodes one does that. @spec RFC 8259
 */
import { CountersignError } from '@countersign/verify'

/** Most objects and lists inside one another, the outermost counted. */
export const MAX_DEPTH = 128

/** A string longer than this is read four bytes at a time: below, to prepare for that costs more than it saves. */
const LONG_STRING_BYTES = 256

export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const BACKSLASH = 0x5c
export const OPEN_LIST = 0x5b
export const CLOSE_LIST = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
const MINUS = 0x2d
const PLUS = 0x2b
const DOT = 0x2e
const SPACE = 0x20
const ZERO = 0x30
const LOWER_U = 0x75

const TRUE = /* @__PURE__ */ Uint8Array.from([0x74, 0x72, 0x75, 0x65])
const FALSE = /* @__PURE__ */ Uint8Array.from([0x66, 0x61, 0x6c, 0x73, 0x65])
const NULL = /* @__PURE__ */ Uint8Array.from([0x6e, 0x75, 0x6c, 0x6c])

/** What may follow a backslash, other than `u`: `"` `\` `/` `b` `f` `n` `r` `t`. */
const SHORT_ESCAPES = /* @__PURE__ */ new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74])

/** The error of a text that is not JSON at byte `at`. */
export function malformedAt(at: number): CountersignError {
  return new CountersignError('json/malformed', `the text is not JSON at byte ${at}`)
}

/** Index of the first byte from `at` on that is no white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let i = at
  while (i < bytes.length) {
    const byte = bytes[i] as number
    if (byte > SPACE || (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return i
    i++
  }
  return i
}

/**
 * Index after the value that starts at `at`, which `depthLeft` more objects and lists may be part of.
 *
 * @throws {CountersignError} `json/malformed`, `json/too-deep`
 */
export function skipValue(bytes: Uint8Array, at: number, depthLeft: number): number {
  if (at >= bytes.length) throw malformedAt(at)
  switch (bytes[at]) {
    case QUOTE:
      return skipString(bytes, at)
    case OPEN_OBJECT:
      return skipObject(bytes, at, depthLeft)
    case OPEN_LIST:
      return skipList(bytes, at, depthLeft)
    case TRUE[0]:
      return skipWord(bytes, at, TRUE)
    case FALSE[0]:
      return skipWord(bytes, at, FALSE)
    case NULL[0]:
      return skipWord(bytes, at, NULL)
    default:
      return skipNumber(bytes, at)
  }
}

function skipObject(bytes: Uint8Array, start: number, depthLeft: number): number {
  if (depthLeft === 0)
    throw new CountersignError('json/too-deep', `the JSON text is nested too deeply at byte ${start}`)
  let at = skipSpace(bytes, start + 1)
  if (at < bytes.length && bytes[at] === CLOSE_OBJECT) return at + 1
  for (;;) {
    at = skipColon(bytes, skipString(bytes, at))
    at = skipSpace(bytes, skipValue(bytes, at, depthLeft - 1))
    if (at >= bytes.length) throw malformedAt(at)
    if (bytes[at] === CLOSE_OBJECT) return at + 1
    if (bytes[at] !== COMMA) throw malformedAt(at)
    at = skipSpace(bytes, at + 1)
  }
}

function skipList(bytes: Uint8Array, start: number, depthLeft: number): number {
  if (depthLeft === 0)
    throw new CountersignError('json/too-deep', `the JSON text is nested too deeply at byte ${start}`)
  let at = skipSpace(bytes, start + 1)
  if (at < bytes.length && bytes[at] === CLOSE_LIST) return at + 1
  for (;;) {
    at = skipSpace(bytes, skipValue(bytes, at, depthLeft - 1))
    if (at >= bytes.length) throw malformedAt(at)
    if (bytes[at] === CLOSE_LIST) return at + 1
    if (bytes[at] !== COMMA) throw malformedAt(at)
    at = skipSpace(bytes, at + 1)
  }
}

/** Index of the value after the name that ends at `at`. @throws {CountersignError} `json/malformed` */
export function skipColon(bytes: Uint8Array, at: number): number {
  const colonAt = skipSpace(bytes, at)
  if (colonAt >= bytes.length || bytes[colonAt] !== COLON) throw malformedAt(colonAt)
  return skipSpace(bytes, colonAt + 1)
}

/** Index after the string whose opening quote is at `start`. @throws {CountersignError} `json/malformed` */
export function skipString(bytes: Uint8Array, start: number): number {
  if (start >= bytes.length || bytes[start] !== QUOTE) throw malformedAt(start)
  const shortEnd = Math.min(bytes.length, start + LONG_STRING_BYTES)
  let at = start + 1
  while (at < shortEnd) {
    const byte = bytes[at] as number
    if (byte === QUOTE) return at + 1
    if (byte === BACKSLASH) at = skipEscape(bytes, at)
    else if (byte < SPACE) throw malformedAt(at)
    else at++
  }
  return skipLongString(bytes, at)
}

/** The rest of a long string: four bytes at a time while none of them is a quote, a backslash or a control character. */
function skipLongString(bytes: Uint8Array, start: number): number {
  const shift = bytes.byteOffset & 3
  const words = new Int32Array(bytes.buffer, bytes.byteOffset - shift, (bytes.length + shift) >> 2)
  let at = start
  while (at < bytes.length) {
    if (((at + shift) & 3) === 0) {
      let word = (at + shift) >> 2
      while (word < words.length && isPlainWord(words[word] as number)) word++
      at = Math.max(at, word * 4 - shift)
      if (at >= bytes.length) break
    }
    const byte = bytes[at] as number
    if (byte === QUOTE) return at + 1
    if (byte === BACKSLASH) at = skipEscape(bytes, at)
    else if (byte < SPACE) throw malformedAt(at)
    else at++
  }
  throw malformedAt(at)
}

/** A byte's top bit comes up where the byte is below 0x20, or becomes zero by the exclusive or. */
function isPlainWord(word: number): boolean {
  const quotes = word ^ 0x22222222
  const backslashes = word ^ 0x5c5c5c5c
  const controls = (word - 0x20202020) & ~word
  return (
    ((controls | ((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes)) & 0x80808080) === 0
  )
}

function skipEscape(bytes: Uint8Array, at: number): number {
  if (at + 1 >= bytes.length) throw malformedAt(at)
  const byte = bytes[at + 1] as number
  if (SHORT_ESCAPES.has(byte)) return at + 2
  if (byte !== LOWER_U || at + 6 > bytes.length) throw malformedAt(at)
  for (let i = at + 2; i < at + 6; i++) if (!isHexDigit(bytes[i] as number)) throw malformedAt(i)
  return at + 6
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66)
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39
}

function skipWord(bytes: Uint8Array, at: number, word: Uint8Array): number {
  if (!standsAt(bytes, at, word)) throw malformedAt(at)
  return at + word.length
}

/** Whether `word` stands in `bytes` at `at`. */
export function standsAt(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  if (at + word.length > bytes.length) return false
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false
  return true
}

function skipNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start
  at = at < bytes.length && bytes[at] === ZERO ? at + 1 : skipDigits(bytes, at)
  if (at < bytes.length && bytes[at] === DOT) at = skipDigits(bytes, at + 1)
  if (at < bytes.length && ((bytes[at] as number) | 0x20) === 0x65) {
    const sign = at + 1 < bytes.length ? bytes[at + 1] : undefined
    at = skipDigits(bytes, sign === PLUS || sign === MINUS ? at + 2 : at + 1)
  }
  return at
}

/** Index after one or more digits. */
function skipDigits(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length && isDigit(bytes[at] as number)) at++
  if (at === start) throw malformedAt(at)
  return at
}
