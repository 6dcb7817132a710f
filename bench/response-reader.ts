/** Reads the responses of one HTTP/1.1 connection, one after another, and counts the events of a stream. Cheap to run. */

/** One response, whole. */
export interface Answer {
  readonly status: number
  readonly bodyBytes: number
  /** Events of the body that have an object as their data; those of a stream of tokens, but for its end. */
  readonly events: number
  /** When the first of them was there, in milliseconds on the reader's clock; `undefined` without any. */
  readonly firstEventAtMs: number | undefined
}

/** Most bytes of a head, and of the line before a chunk. */
const MAX_HEAD_BYTES = 64 * 1024
const MAX_LINE_BYTES = 1024

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
/** How the events of the benchmarks' upstream begin, each in one line. */
const EVENT = Buffer.from('data: {')
const NOTHING: Buffer = Buffer.alloc(0)

type Stage = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer'

/** A response has a length or comes in chunks; trailers are refused. */
export class ResponseReader {
  readonly #nowMs: () => number
  #stage: Stage = 'head'
  #pending: Buffer = NOTHING
  /** Bytes of the body, or of its chunk, that are still to come. */
  #left = 0
  #status = 0
  #bodyBytes = 0
  #events = 0
  #firstEventAtMs: number | undefined
  /** The body's last bytes, which may be the start of an event. */
  #end: Buffer = NOTHING

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /**
   * Takes bytes in; gives the answer once it is whole. Bytes behind it are an error: the next request is sent after it.
   *
   * @throws {Error} where the bytes are no such response
   */
  push(bytes: Buffer): Answer | undefined {
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    this.#pending = NOTHING
    for (;;) {
      if (this.#isWhole()) {
        if (rest.length > 0) throw new Error('there are bytes behind the response')
        return this.#take()
      }
      const used = this.#step(rest)
      if (used === 0) {
        this.#pending = rest
        return undefined
      }
      rest = rest.subarray(used)
    }
  }

  #isWhole(): boolean {
    return this.#stage === 'body' && this.#left === 0
  }

  /** Reads one part; how many bytes that took, 0 when more are needed. */
  #step(bytes: Buffer): number {
    switch (this.#stage) {
      case 'head':
        return this.#readUpTo(bytes, HEAD_END, MAX_HEAD_BYTES, (head) => this.#readHead(head))
      case 'chunk-size':
        return this.#readUpTo(bytes, LINE_END, MAX_LINE_BYTES, (line) => this.#readChunkSize(line))
      case 'chunk-end':
        return this.#readUpTo(bytes, LINE_END, LINE_END.length, () => {
          this.#stage = 'chunk-size'
        })
      case 'trailer':
        return this.#readUpTo(bytes, LINE_END, LINE_END.length, () => {
          this.#stage = 'body'
        })
      default:
        return this.#readBody(bytes)
    }
  }

  #readUpTo(bytes: Buffer, end: Buffer, maxBytes: number, read: (text: string) => void): number {
    const at = bytes.indexOf(end)
    if ((at < 0 ? bytes.length : at + end.length) > maxBytes) throw new Error('a part of the response is too long')
    if (at < 0) return 0
    read(bytes.toString('latin1', 0, at))
    return at + end.length
  }

  #readHead(head: string): void {
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? []
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? []
    const isChunked = /\r\ntransfer-encoding: *chunked/i.test(head)
    if (status === undefined || isChunked === (length !== undefined)) throw new Error('the response is no usual one')
    this.#status = Number(status)
    this.#left = Number(length ?? 0)
    this.#stage = isChunked ? 'chunk-size' : 'body'
  }

  #readChunkSize(line: string): void {
    if (!/^[0-9a-f]{1,8}$/i.test(line)) throw new Error('the response has a malformed chunk')
    this.#left = Number.parseInt(line, 16)
    this.#stage = this.#left === 0 ? 'trailer' : 'chunk'
  }

  #readBody(bytes: Buffer): number {
    const piece = bytes.subarray(0, this.#left)
    this.#bodyBytes += piece.length
    this.#left -= piece.length
    this.#countEvents(piece)
    if (this.#stage === 'chunk' && this.#left === 0) this.#stage = 'chunk-end'
    return piece.length
  }

  #countEvents(piece: Buffer): void {
    const text = this.#end.length === 0 ? piece : Buffer.concat([this.#end, piece])
    let from = 0
    for (let at = text.indexOf(EVENT); at >= 0; at = text.indexOf(EVENT, from)) {
      from = at + EVENT.length
      this.#events++
      this.#firstEventAtMs ??= this.#nowMs()
    }
    this.#end = text.subarray(Math.max(from, text.length - EVENT.length + 1))
  }

  #take(): Answer {
    const answer = {
      status: this.#status,
      bodyBytes: this.#bodyBytes,
      events: this.#events,
      firstEventAtMs: this.#firstEventAtMs,
    }
    this.#stage = 'head'
    this.#bodyBytes = 0
    this.#events = 0
    this.#firstEventAtMs = undefined
    this.#end = NOTHING
    return answer
  }
}
