/**
 * Finds the comment that carries the promise in a text/event-stream, in whatever pieces it arrives.
 *
 * @spec spec/commitment.md, WHATWG HTML §9.2
 */

/** Longest one-line form that is read: base64 of the largest note. Longer lines are no promise of ours. */
export const MAX_PROMISE_CHARACTERS = 87_384

/** Most comments that are kept; more than one is a fault already. */
const MAX_PROMISES = 2

const FIRST_BUFFER_BYTES = 1024
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Parsers pass one over at the start of a stream; the next line begins behind it. */
const BYTE_ORDER_MARK = /* @__PURE__ */ Uint8Array.of(0xef, 0xbb, 0xbf)

/** `: countersign-promise ` */
const MARK = /* @__PURE__ */ Uint8Array.from(': countersign-promise ', (character) => character.charCodeAt(0))

/**
 * `start`: in what may be a byte order mark. `text`: inside a line. `mark`: from a line's start, as far as it is ours.
 * `value`, `blank`: behind the mark.
 */
type State = 'start' | 'text' | 'mark' | 'value' | 'blank'

/**
 * Takes our comments out of a stream: a line that begins with `: countersign-promise `, and the blank line behind it,
 * both ended by a single LF. The rest comes out byte for byte, and is what `response-delivered` commits to.
 *
 * Reads no other frame, and checks no promise. A line of ours that is not of this form stays in, and is counted.
 */
export class PromiseComments {
  /** One-line forms found, the first two. */
  readonly promises: string[] = []
  /** Comments of ours, whether of the right form or not. */
  count = 0
  #state: State = 'start'
  /** How much of a byte order mark has come. */
  #orderMark = 0
  /** How much of the mark the line has. */
  #matched = 0
  #value = new Uint8Array(FIRST_BUFFER_BYTES)
  #length = 0

  /** What of the stream is not ours, up to what may yet turn out to be. Windows on `chunk`, or copies. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    const kept: Uint8Array[] = []
    let start = 0
    let at = 0
    while (at < chunk.length) {
      const byte = chunk[at] as number
      switch (this.#state) {
        case 'start':
          if (byte !== BYTE_ORDER_MARK[this.#orderMark]) this.#state = this.#orderMark === 0 ? 'mark' : 'text'
          else {
            if (++this.#orderMark === BYTE_ORDER_MARK.length) this.#state = 'mark'
            at++
          }
          break
        case 'text':
          at = lineEnd(chunk, at)
          if (at === chunk.length) break
          at++
          this.#state = 'mark'
          break
        case 'mark':
          if (byte !== MARK[this.#matched]) {
            if (this.#matched === 0) this.#state = 'text'
            else start = this.#release(kept, at)
            break
          }
          if (this.#matched === 0 && start < at) kept.push(chunk.subarray(start, at))
          if (++this.#matched === MARK.length) this.#state = 'value'
          start = ++at
          break
        case 'value':
          if (byte === LINE_FEED) this.#state = 'blank'
          else if (byte === CARRIAGE_RETURN || this.#length === MAX_PROMISE_CHARACTERS) {
            start = this.#release(kept, at)
            break
          } else this.#append(byte)
          start = ++at
          break
        case 'blank':
          if (byte !== LINE_FEED) {
            start = this.#release(kept, at)
            break
          }
          start = ++at
          this.#take()
          break
      }
    }
    if (start < chunk.length) kept.push(chunk.subarray(start))
    return kept
  }

  /** What was held back when the stream ended. */
  end(): readonly Uint8Array[] {
    const kept: Uint8Array[] = []
    this.#release(kept, 0)
    return kept
  }

  /** A whole comment: it is left out. */
  #take(): void {
    this.count++
    if (this.promises.length < MAX_PROMISES) this.promises.push(latin1(this.#value.subarray(0, this.#length)))
    this.#reset('mark')
  }

  /** What was held turns out not to be a comment of ours: it stays in. The byte at `at` is looked at again. */
  #release(kept: Uint8Array[], at: number): number {
    const isLine = this.#state === 'blank'
    if (this.#matched === MARK.length) this.count++
    if (this.#matched > 0) kept.push(MARK.subarray(0, this.#matched))
    if (this.#length > 0) kept.push(this.#value.slice(0, this.#length))
    if (isLine) kept.push(Uint8Array.of(LINE_FEED))
    this.#reset(isLine ? 'mark' : 'text')
    return at
  }

  #reset(state: State): void {
    this.#state = state
    this.#matched = 0
    this.#length = 0
  }

  /** The buffer doubles, up to the limit. */
  #append(byte: number): void {
    if (this.#length === this.#value.length) {
      const larger = new Uint8Array(this.#value.length * 2)
      larger.set(this.#value)
      this.#value = larger
    }
    this.#value[this.#length++] = byte
  }
}

/** Index of the next byte that ends a line, or the chunk's length. */
function lineEnd(chunk: Uint8Array, from: number): number {
  let at = from
  while (at < chunk.length && chunk[at] !== LINE_FEED && chunk[at] !== CARRIAGE_RETURN) at++
  return at
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
