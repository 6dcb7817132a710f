import { CountersignError } from '../errors.ts'

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`

const INVALID = 255
const STANDARD_VALUES = /* @__PURE__ */ valuesOf(STANDARD)
const URL_SAFE_VALUES = /* @__PURE__ */ valuesOf(URL_SAFE)

function valuesOf(alphabet: string): Uint8Array {
  const values = new Uint8Array(256).fill(INVALID)
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i
  return values
}

/** Standard base64 with padding. @spec RFC 4648 §4 */
export function toBase64(bytes: Uint8Array): string {
  const text = encode(bytes, STANDARD)
  return text + '='.repeat((4 - (text.length % 4)) % 4)
}

/** URL-safe base64 without padding. @spec RFC 4648 §5 */
export function toBase64Url(bytes: Uint8Array): string {
  return encode(bytes, URL_SAFE)
}

/**
 * Bytes of standard base64 with its padding: no white space, no missing `=`, no stray bits in the last character.
 *
 * @throws {CountersignError} `bytes/bad-base64`
 */
export function parseBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw malformed('its length is not a multiple of four')
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return decode(text, text.length - padding, STANDARD_VALUES)
}

/**
 * Bytes of URL-safe base64 without padding, equally strict.
 *
 * @throws {CountersignError} `bytes/bad-base64`
 */
export function parseBase64Url(text: string): Uint8Array {
  if (text.length % 4 === 1) throw malformed('its length is impossible')
  return decode(text, text.length, URL_SAFE_VALUES)
}

function encode(bytes: Uint8Array, alphabet: string): string {
  const whole = bytes.length - (bytes.length % 3)
  let text = ''
  for (let i = 0; i < whole; i += 3) {
    const triple = (at(bytes, i) << 16) | (at(bytes, i + 1) << 8) | at(bytes, i + 2)
    text += `${alphabet[triple >> 18]}${alphabet[(triple >> 12) & 63]}${alphabet[(triple >> 6) & 63]}${alphabet[triple & 63]}`
  }
  if (bytes.length - whole === 1) {
    const last = at(bytes, whole)
    text += `${alphabet[last >> 2]}${alphabet[(last << 4) & 63]}`
  } else if (bytes.length - whole === 2) {
    const last = (at(bytes, whole) << 8) | at(bytes, whole + 1)
    text += `${alphabet[last >> 10]}${alphabet[(last >> 4) & 63]}${alphabet[(last << 2) & 63]}`
  }
  return text
}

function decode(text: string, length: number, values: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((length * 3) >> 2)
  const whole = length - (length % 4)
  let written = 0
  for (let i = 0; i < whole; i += 4) {
    const quad = (valueAt(text, i, values) << 18) | (valueAt(text, i + 1, values) << 12)
    const triple = quad | (valueAt(text, i + 2, values) << 6) | valueAt(text, i + 3, values)
    bytes[written++] = triple >> 16
    bytes[written++] = triple >> 8
    bytes[written++] = triple
  }
  decodeRest(text, whole, length, values, bytes, written)
  return bytes
}

/** The last two or three characters: one or two bytes, and bits that must be zero. */
function decodeRest(text: string, start: number, end: number, values: Uint8Array, bytes: Uint8Array, at: number): void {
  let pending = 0
  for (let i = start; i < end; i++) pending = (pending << 6) | valueAt(text, i, values)
  const bits = (end - start) * 6
  if (bits === 6 || (pending & ((1 << (bits % 8)) - 1)) !== 0) throw malformed('its last character has stray bits')
  for (let left = bits - 8, i = at; left >= 0; left -= 8, i++) bytes[i] = pending >> left
}

function valueAt(text: string, index: number, values: Uint8Array): number {
  const code = text.charCodeAt(index)
  const value = code < 256 ? at(values, code) : INVALID
  if (value === INVALID) throw malformed(`it has an illegal character at ${index}`)
  return value
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}

function malformed(why: string): CountersignError {
  return new CountersignError('bytes/bad-base64', `not strict base64: ${why}`)
}
