/** Writes DER, and what is nearly DER. */
import { concat, parseHex, utf8 } from '../../bytes/bytes.ts'
import { TAG } from './der.ts'

/** Tag, shortest length, contents. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts)
  return concat(Uint8Array.of(tag), lengthOf(content.length), content)
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const digits: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return Uint8Array.of(0x80 | digits.length, ...digits)
}

export const sequence = (...parts: readonly Uint8Array[]) => der(TAG.sequence, ...parts)
export const set = (...parts: readonly Uint8Array[]) => der(TAG.set, ...parts)
export const boolean = (value: boolean) => der(TAG.boolean, Uint8Array.of(value ? 0xff : 0))
export const octets = (bytes: Uint8Array) => der(TAG.octetString, bytes)
export const bits = (bytes: Uint8Array, unused = 0) => der(TAG.bitString, Uint8Array.of(unused), bytes)
export const text = (value: string) => der(TAG.utf8String, utf8(value))

/** An INTEGER of big-endian digits that are not negative. */
export function unsigned(digits: Uint8Array): Uint8Array {
  let at = 0
  while (at < digits.length - 1 && digits[at] === 0) at++
  const short = digits.length === 0 ? Uint8Array.of(0) : digits.subarray(at)
  return der(TAG.integer, (short[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0), short)
}

export function integer(value: number): Uint8Array {
  const digits = value.toString(16)
  return unsigned(parseHex(digits.length % 2 === 0 ? digits : `0${digits}`))
}

export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(TAG.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)))
}

function base128(arc: number): readonly number[] {
  const digits = [arc % 128]
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift(0x80 | (rest % 128))
  return digits
}

/** UTCTime until 2049, GeneralizedTime later. @spec RFC 5280 §4.1.2.5 */
export function time(ms: number): Uint8Array {
  const digits = new Date(ms)
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replace(/\D/g, '')
  const isShort = digits < '2050'
  return der(isShort ? TAG.utcTime : TAG.generalizedTime, utf8(`${isShort ? digits.slice(2) : digits}Z`))
}
