import type { Json } from '../bytes/json.ts'

const MAX_BYTES = 1024 * 1024

/** Bytes that a list of their numbers stands for, as some tools write them; `undefined` where the value is no such list. */
export function bytesOfNumbers(value: Json | undefined): Uint8Array | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_BYTES) return undefined
  const isByte = (each: Json) => typeof each === 'number' && Number.isInteger(each) && each >= 0 && each < 256
  return value.every(isByte) ? Uint8Array.from(value as readonly number[]) : undefined
}
