/** Cuts a text/event-stream at the ends of its frames, in whatever pieces it arrives. @spec WHATWG HTML §9.2 */
import { CountersignError } from '@countersign/verify'

/** Most bytes of one frame, unless the caller says otherwise. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024

/** A buffer larger than this is not kept once its frame is whole. */
const KEPT_BUFFER_BYTES = 64 * 1024
const FIRST_BUFFER_BYTES = 1024

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const BYTE_ORDER_MARK = /* @__PURE__ */ Uint8Array.from([0xef, 0xbb, 0xbf])

/**
 * Gives out frames as they become whole: the lines of one event, up to and with the blank line that ends it. Lines end
 * with LF, CR LF or CR.
 *
 * A byte order mark at the stream's start comes as a piece of its own, so that no frame begins with one. A blank line
 * that ends with CR is whole once the next byte shows that no LF follows, or at the end of the stream. All pieces and the
 * rest together are the stream, byte for byte. What a frame says is for {@link readFrame}.
 */
export class SseSplitter {
  readonly #maxFrameBytes: number
  /** The frame that is not whole yet, as far as it came in earlier chunks. */
  #buffer = new Uint8Array(0)
  #buffered = 0
  /** How much of a byte order mark has come; at its length or beyond, the stream's start is over. */
  #markSeen = 0
  #isLineEmpty = true
  /** The last byte was a CR: an LF that follows is part of the same line end. */
  #isAfterReturn = false
  /** That CR ended a blank line, and so the frame. */
  #isClosing = false

  constructor(maxFrameBytes: number = MAX_FRAME_BYTES) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Bytes that came and belong to no whole frame yet. */
  get pendingBytes(): number {
    return this.#buffered
  }

  /** Memory that is kept for such bytes, which is somewhat more. */
  get bufferBytes(): number {
    return this.#buffer.length
  }

  /**
   * The frames that `chunk` makes whole. One that lies inside the chunk is a window on it, not a copy.
   *
   * @throws {CountersignError} `bytes/too-large` for a frame above the limit; the splitter is of no use afterwards
   */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    const frames: Uint8Array[] = []
    let start = 0
    let at = 0
    if (this.#markSeen < BYTE_ORDER_MARK.length) {
      at = this.#passMark(chunk)
      if (at > 0 && this.#markSeen === BYTE_ORDER_MARK.length) {
        frames.push(this.#take(chunk, 0, at))
        start = at
      }
    }
    while (at < chunk.length) {
      const byte = chunk[at] as number
      if (this.#isAfterReturn) {
        this.#isAfterReturn = false
        const isFeed = byte === LINE_FEED
        if (isFeed) at++
        if (this.#isClosing) {
          this.#isClosing = false
          frames.push(this.#take(chunk, start, at))
          start = at
        }
        if (isFeed) continue
      }
      at++
      if (byte === LINE_FEED) {
        if (this.#isLineEmpty) {
          frames.push(this.#take(chunk, start, at))
          start = at
        }
        this.#isLineEmpty = true
      } else if (byte === CARRIAGE_RETURN) {
        this.#isClosing = this.#isLineEmpty
        this.#isLineEmpty = true
        this.#isAfterReturn = true
      } else {
        this.#isLineEmpty = false
        at = skipLine(chunk, at)
      }
    }
    this.#keep(chunk, start)
    return frames
  }

  /** What is left when the stream has ended, if anything. It is a whole frame only if it ends with a blank line. */
  end(): Uint8Array | undefined {
    return this.#buffered === 0 ? undefined : this.#take(new Uint8Array(0), 0, 0)
  }

  /** Index after what of the byte order mark stands at the chunk's start, if the stream started with the rest of it. */
  #passMark(chunk: Uint8Array): number {
    let at = 0
    while (at < chunk.length && this.#markSeen < BYTE_ORDER_MARK.length) {
      if (chunk[at] !== BYTE_ORDER_MARK[this.#markSeen]) {
        // Part of a mark is text like any other.
        this.#isLineEmpty = this.#markSeen === 0
        this.#markSeen = BYTE_ORDER_MARK.length + 1
        return at
      }
      this.#markSeen++
      at++
    }
    return at
  }

  /** The frame that ends at `end`: what was kept, and the chunk from `start` on. */
  #take(chunk: Uint8Array, start: number, end: number): Uint8Array {
    this.#checkSize(end - start)
    if (this.#buffered === 0) return chunk.subarray(start, end)
    const frame = new Uint8Array(this.#buffered + end - start)
    frame.set(this.#buffer.subarray(0, this.#buffered))
    frame.set(chunk.subarray(start, end), this.#buffered)
    this.#buffered = 0
    if (this.#buffer.length > KEPT_BUFFER_BYTES) this.#buffer = new Uint8Array(0)
    return frame
  }

  /** Copies the chunk's rest, so that it does not hold the chunk's memory. The buffer doubles, up to the greatest frame: many small chunks stay cheap. */
  #keep(chunk: Uint8Array, start: number): void {
    const length = chunk.length - start
    if (length === 0) return
    this.#checkSize(length)
    const needed = this.#buffered + length
    if (needed > this.#buffer.length) {
      const doubled = Math.min(this.#buffer.length * 2, this.#maxFrameBytes)
      const larger = new Uint8Array(Math.max(needed, doubled, FIRST_BUFFER_BYTES))
      larger.set(this.#buffer.subarray(0, this.#buffered))
      this.#buffer = larger
    }
    this.#buffer.set(start === 0 ? chunk : chunk.subarray(start), this.#buffered)
    this.#buffered = needed
  }

  #checkSize(added: number): void {
    if (this.#buffered + added <= this.#maxFrameBytes) return
    throw new CountersignError('bytes/too-large', `a frame of the stream has more than ${this.#maxFrameBytes} bytes`)
  }
}

/** Index of the next byte that may end a line. */
function skipLine(chunk: Uint8Array, start: number): number {
  let at = start
  while (at < chunk.length && (chunk[at] as number) > CARRIAGE_RETURN) at++
  return at
}
