/**
 * The one spelling of a JSON value that others sign and hash. Nothing of ours is signed in it: our formats sign exact bytes.
 *
 * @spec RFC 8785 (JCS)
 */
import { CountersignError } from '../errors.ts'
import type { Json } from './json.ts'

const HALF_PAIR = /\p{Cs}/u

/** Deeper values cannot come from a text that was read with any of our limits. */
const MAX_DEPTH = 64

/**
 * A value's canonical text: members ordered by the UTF-16 units of their names, numbers as ECMAScript writes them, no white
 * space. A text with half a surrogate pair has no canonical form.
 *
 * @throws {CountersignError} `json/malformed`, `json/too-deep`
 */
export function canonicalJson(value: Json): string {
  return write(value, MAX_DEPTH)
}

function write(value: Json, depthLeft: number): string {
  if (depthLeft === 0) throw new CountersignError('json/too-deep', 'the JSON value is nested too deeply')
  if (typeof value === 'string') return writeText(value)
  if (typeof value === 'number') return writeNumber(value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item: Json) => write(item, depthLeft - 1)).join(',')}]`
  const members = Object.entries(value as { readonly [key: string]: Json }).sort(([a], [b]) => compareUnits(a, b))
  return `{${members.map(([name, item]) => `${writeText(name)}:${write(item, depthLeft - 1)}`).join(',')}}`
}

function writeText(text: string): string {
  if (HALF_PAIR.test(text)) {
    throw new CountersignError('json/malformed', 'a text with half a surrogate pair has no canonical form')
  }
  return JSON.stringify(text)
}

function writeNumber(value: number): string {
  if (Number.isFinite(value)) return JSON.stringify(value)
  throw new CountersignError('json/malformed', 'a number that is not finite has no canonical form')
}

function compareUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
