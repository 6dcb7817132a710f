/**
 * Bytes and their text forms. Strict: each value has one accepted spelling, so that no two files mean the same thing.
 */
import { CountersignError } from '../errors.ts'

// The two globals this package uses; every browser, Node and worker has them.
declare const TextEncoder: { new (): { encode(text: string): Uint8Array } }
declare const TextDecoder: {
  new (label: string, options: { fatal: boolean; ignoreBOM: boolean }): { decode(bytes: Uint8Array): string }
}

const encoder = /* @__PURE__ */ new TextEncoder()
const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 bytes of `text`. A lone surrogate becomes U+FFFD, as the platform's encoder does. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/**
 * Text of UTF-8 `bytes`; a byte order mark is kept as a character, so that decoding loses nothing.
 *
 * @throws {CountersignError} `bytes/bad-utf8`
 */
export function parseUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new CountersignError('bytes/bad-utf8', 'the bytes are not valid UTF-8')
  }
}

/** Joins byte strings in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Whether two public byte strings are the same. Not constant-time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const HEX_DIGITS = '0123456789abcdef'
const HEX = /* @__PURE__ */ Array.from({ length: 256 }, (_, byte) => `${HEX_DIGITS[byte >> 4]}${HEX_DIGITS[byte & 15]}`)

/** Lower-case hexadecimal of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/**
 * Bytes of lower-case hexadecimal `text`, of exactly `length` bytes when given.
 *
 * @throws {CountersignError} `bytes/bad-hex`
 */
export function parseHex(text: string, length?: number): Uint8Array {
  if (text.length % 2 !== 0 || (length !== undefined && text.length !== length * 2)) throw badHex(length)
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const high = hexValue(text.charCodeAt(i * 2))
    const low = hexValue(text.charCodeAt(i * 2 + 1))
    if (high < 0 || low < 0) throw badHex(length)
    bytes[i] = (high << 4) | low
  }
  return bytes
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1
}

function badHex(length: number | undefined): CountersignError {
  const wanted = length === undefined ? 'an even number of' : `${length * 2}`
  return new CountersignError('bytes/bad-hex', `expected ${wanted} lower-case hexadecimal digits`)
}

/** Eight bytes, big-endian, of an unsigned integer below 2^64. */
export function uint64BigEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value)
  return bytes
}
