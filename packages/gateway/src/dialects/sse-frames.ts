/** What one frame of a text/event-stream says, and the removal of comments that pretend to be ours. @spec WHATWG HTML §9.2 */
import { standsAt } from './json-syntax.ts'

/** One frame. Its byte strings are windows on it, but for data of several lines. */
export interface SseFrame {
  /** Name of the event, where the frame gives one. */
  readonly event: string | undefined
  /** The data lines, joined by LF. */
  readonly data: Uint8Array | undefined
  /** Whether there are comments, and no other lines. */
  readonly isComment: boolean
  /** What stands behind the colon of each comment, for the first 64. */
  readonly comments: readonly Uint8Array[]
}

/** Comments of one frame that are listed; there may be millions of empty ones. */
const MAX_COMMENTS = 64

/** Longer names of events are cut: no dialect has them. */
const MAX_EVENT_BYTES = 128

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const COLON = 0x3a
const SPACE = 0x20

const DATA = /* @__PURE__ */ Uint8Array.from([0x64, 0x61, 0x74, 0x61])
const EVENT = /* @__PURE__ */ Uint8Array.from([0x65, 0x76, 0x65, 0x6e, 0x74])
/** Our name, in lower case. */
const OUR_NAME = /* @__PURE__ */ Uint8Array.from([0x63, 0x6f, 0x75, 0x6e, 0x74, 0x65, 0x72, 0x73, 0x69, 0x67, 0x6e])
const NO_COMMENTS: readonly Uint8Array[] = []

/**
 * Reads a frame as a client would: the last `event` line counts, `data` lines are joined, other fields are passed over.
 *
 * A frame without its blank line is read too, although clients drop it. The data is not checked to be UTF-8 or JSON.
 */
export function readFrame(frame: Uint8Array): SseFrame {
  let event: string | undefined
  let data: Uint8Array | undefined
  let joined: Uint8Array | undefined
  let comments: Uint8Array[] | undefined
  let hasFields = false
  let start = 0
  while (start < frame.length) {
    const end = lineEnd(frame, start)
    if (end === start) {
      // A blank line.
    } else if (frame[start] === COLON) {
      comments ??= []
      if (comments.length < MAX_COMMENTS) comments.push(frame.subarray(start + 1, end))
    } else {
      hasFields = true
      if (isField(frame, start, end, DATA)) {
        const value = fieldValue(frame, start + DATA.length, end)
        if (data === undefined) data = value
        else {
          joined ??= copyOf(data, frame.length)
          data = appendLine(joined, data.length, value)
        }
      } else if (isField(frame, start, end, EVENT)) {
        event = eventName(fieldValue(frame, start + EVENT.length, end))
      }
    }
    start = afterLineEnd(frame, end)
  }
  return { event, data, isComment: comments !== undefined && !hasFields, comments: comments ?? NO_COMMENTS }
}

/** The bytes at the start of a buffer that has room for all data of their frame. */
function copyOf(bytes: Uint8Array, length: number): Uint8Array {
  const copy = new Uint8Array(length)
  copy.set(bytes)
  return copy
}

function appendLine(joined: Uint8Array, length: number, line: Uint8Array): Uint8Array {
  joined[length] = LINE_FEED
  joined.set(line, length + 1)
  return joined.subarray(0, length + 1 + line.length)
}

/**
 * The frame without comments that have our name in them, in whatever case: an upstream must not be able to make a
 * promise in our place. Every other byte stays. The same bytes come back when there is nothing to take out.
 */
export function stripOurComments(frame: Uint8Array): { readonly frame: Uint8Array; readonly stripped: boolean } {
  if (!mayHaveComments(frame)) return { frame, stripped: false }
  let kept: Uint8Array | undefined
  let keptBytes = 0
  let keptFrom = 0
  let start = 0
  while (start < frame.length) {
    const end = lineEnd(frame, start)
    const next = afterLineEnd(frame, end)
    if (frame[start] === COLON && hasOurName(frame, start + 1, end)) {
      kept ??= new Uint8Array(frame.length)
      kept.set(frame.subarray(keptFrom, start), keptBytes)
      keptBytes += start - keptFrom
      // A line before that ends with a lone CR, and an LF behind, would become one line end: then our LF stays.
      const isJoined = kept[keptBytes - 1] === CARRIAGE_RETURN && frame[next] === LINE_FEED
      keptFrom = isJoined ? next - 1 : Math.min(next, frame.length)
    }
    start = next
  }
  if (kept === undefined) return { frame, stripped: false }
  kept.set(frame.subarray(keptFrom), keptBytes)
  return { frame: kept.subarray(0, keptBytes + frame.length - keptFrom), stripped: true }
}

function mayHaveComments(frame: Uint8Array): boolean {
  if (frame[0] === COLON) return true
  const buffer = Buffer.from(frame.buffer, frame.byteOffset, frame.length)
  return buffer.includes('\n:', 0, 'latin1') || buffer.includes('\r:', 0, 'latin1')
}

function hasOurName(frame: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at + OUR_NAME.length <= end; at++) {
    let matched = 0
    while (matched < OUR_NAME.length && ((frame[at + matched] as number) | 0x20) === OUR_NAME[matched]) matched++
    if (matched === OUR_NAME.length) return true
  }
  return false
}

/** Index of the first byte from `start` on that ends a line, or the frame's length. */
function lineEnd(frame: Uint8Array, start: number): number {
  let at = start
  while (at < frame.length) {
    const byte = frame[at] as number
    if (byte <= CARRIAGE_RETURN && (byte === LINE_FEED || byte === CARRIAGE_RETURN)) return at
    at++
  }
  return at
}

/** Index after the line end at `end`: CR LF is one. */
function afterLineEnd(frame: Uint8Array, end: number): number {
  return end + 1 < frame.length && frame[end] === CARRIAGE_RETURN && frame[end + 1] === LINE_FEED ? end + 2 : end + 1
}

function isField(frame: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  const nameEnd = start + name.length
  return nameEnd <= end && standsAt(frame, start, name) && (nameEnd === end || frame[nameEnd] === COLON)
}

/** What stands behind the colon and at most one space. */
function fieldValue(frame: Uint8Array, colonAt: number, end: number): Uint8Array {
  const start = colonAt + 1
  return frame.subarray(Math.min(end, start < end && frame[start] === SPACE ? start + 1 : start), end)
}

function eventName(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined
  let name = ''
  const end = Math.min(bytes.length, MAX_EVENT_BYTES)
  for (let i = 0; i < end; i++) {
    const byte = bytes[i] as number
    if (byte >= 0x80) return Buffer.from(bytes.subarray(0, end)).toString('utf8')
    name += String.fromCharCode(byte)
  }
  return name
}
