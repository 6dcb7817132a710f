/** Cheap looks at the data of a frame, so that few of the many frames of a stream need to be read. */
import { objectIn, textIn } from './answer-facts.ts'
import { BACKSLASH, COLON, QUOTE, skipSpace, standsAt } from './json-syntax.ts'
import type { SseFrame } from './sse-frames.ts'

/** Longest type of an event that is looked at, in bytes. */
const MAX_TYPE_BYTES = 64
const LOWER_N = 0x6e
const LINE_FEED = 0x0a
const TAB = 0x09
const SPACE = 0x20
const DONE = /* @__PURE__ */ Buffer.from('[DONE]')

/** `{"type":"`, as most events begin. */
const TYPE_FIRST = /* @__PURE__ */ Uint8Array.from([0x7b, 0x22, 0x74, 0x79, 0x70, 0x65, 0x22, 0x3a, 0x22])

/** A member's name and the quote behind it, for {@link mayHold}: to look for the quote before it first would find many. */
export function memberMark(name: string): Uint8Array {
  return Buffer.from(`${name}"`)
}

/**
 * Whether a member with one of these marks may stand somewhere in `data` with a value other than null.
 *
 * Errs on the side of yes, and never misses a member whose name is spelled without escapes. No text inside a string
 * counts: a quote in it has a backslash before it.
 */
export function mayHold(data: Uint8Array, marks: readonly Uint8Array[]): boolean {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.length)
  for (let i = 0; i < marks.length; i++) {
    const mark = marks[i] as Uint8Array
    let at = buffer.indexOf(mark)
    while (at >= 0) {
      if (data[at - 1] === QUOTE && hasValue(data, at + mark.length)) return true
      at = buffer.indexOf(mark, at + mark.length)
    }
  }
  return false
}

function hasValue(data: Uint8Array, nameEnd: number): boolean {
  const colonAt = skipSpace(data, nameEnd)
  if (colonAt >= data.length || data[colonAt] !== COLON) return false
  const valueAt = skipSpace(data, colonAt + 1)
  return valueAt < data.length && data[valueAt] !== LOWER_N
}

/** Whether the frame is of one of these types, by its event's name or by what its data says: clients go by either. */
export function isOfType(frame: SseFrame, types: ReadonlySet<string>): boolean {
  if (frame.event !== undefined && types.has(frame.event)) return true
  const type = dataType(frame.data)
  return type !== undefined && types.has(type)
}

/**
 * Whether the frame's data is nothing, or one object in which no name stands twice: then it has one type to all clients.
 * Of several lines none may be an object by itself: some clients read line by line.
 */
export function isClearEvent({ data }: SseFrame): boolean {
  if (data === undefined || data.length === 0) return true
  if (objectIn(data) === undefined) return false
  let start = 0
  for (let end = data.indexOf(LINE_FEED); end >= 0; end = data.indexOf(LINE_FEED, start)) {
    if (objectIn(data.subarray(start, end)) !== undefined) return false
    start = end + 1
  }
  return start === 0 || objectIn(data.subarray(start)) === undefined
}

/** Whether a line of the data begins with `[DONE]`, blanks apart: clients that read line by line stop there. */
export function isDone({ data }: SseFrame): boolean {
  if (data === undefined) return false
  let start = 0
  for (;;) {
    while (data[start] === SPACE || data[start] === TAB) start++
    if (standsAt(data, start, DONE)) return true
    const end = data.indexOf(LINE_FEED, start)
    if (end < 0) return false
    start = end + 1
  }
}

function dataType(data: Uint8Array | undefined): string | undefined {
  if (data === undefined) return undefined
  if (!standsAt(data, 0, TYPE_FIRST)) return textIn(objectIn(data), 'type')
  const start = TYPE_FIRST.length
  const last = Math.min(data.length, start + MAX_TYPE_BYTES)
  for (let at = start; at < last; at++) {
    const byte = data[at] as number
    if (byte === QUOTE) return Buffer.from(data.buffer, data.byteOffset + start, at - start).toString('latin1')
    if (byte === BACKSLASH || byte >= 0x80) break
  }
  return textIn(objectIn(data), 'type')
}
