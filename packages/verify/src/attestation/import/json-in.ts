/** JSON in files of others: whether a file is some. */
import { FILE_LIMITS, type Json, parseJson } from '../../bytes/json.ts'

export type JsonRecord = { readonly [name: string]: Json }

/**
 * The value of a file that begins as JSON does; `undefined` for every other.
 *
 * @throws {CountersignError} `json/*`, `bytes/*` for a file that begins so, and is none
 */
export function jsonIn(file: Uint8Array): Json | undefined {
  const start = firstMark(file)
  return start === '{' || start === '[' || start === '"' ? parseJson(file, FILE_LIMITS) : undefined
}

/** Whether a value is an object: not a list, not null. Says nothing of what stands in it. */
export function isRecord(value: Json | undefined): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const WHITE_SPACE: readonly number[] = [0x20, 0x09, 0x0a, 0x0d]

function firstMark(file: Uint8Array): string {
  let at = 0
  while (at < file.length && WHITE_SPACE.includes(file[at] ?? 0)) at++
  return String.fromCharCode(file[at] ?? 0)
}
