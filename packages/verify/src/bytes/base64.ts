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
  let pending = 0
  let bits = 0
  let written = 0
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    const value = code < 256 ? at(values, code) : INVALID
    if (value === INVALID) throw malformed(`it has an illegal character at ${i}`)
    pending = ((pending << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[written++] = pending >> bits
    }
  }
  if (bits >= 6 || (pending & ((1 << bits) - 1)) !== 0) throw malformed('its last character has stray bits')
  return bytes
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}

function malformed(why: string): CountersignError {
  return new CountersignError('bytes/bad-base64', `not strict base64: ${why}`)
}
