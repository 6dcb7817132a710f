/** Bytes that come in pieces from somebody who chooses how small the pieces are. */

const BLOCK_BYTES = 16 * 1024
/** A piece from this size on may be kept as it is. */
const LARGE_BYTES = 4096

/**
 * Gathers pieces into blocks. A list of pieces would take some hundred bytes of memory for each, and whoever sends a body one
 * byte at a time would fill the memory with what is within every limit on bytes.
 */
export class GatheredBytes {
  /** All but the last are full. */
  #blocks: Uint8Array[] = []
  /** Bytes that the last block still has room for. */
  #room = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies a piece: it holds no memory of whoever gave it. */
  add(piece: Uint8Array): void {
    const last = this.#blocks.at(-1)
    const fitting = Math.min(this.#room, piece.length)
    if (last !== undefined) last.set(piece.subarray(0, fitting), last.length - this.#room)
    this.#room -= fitting
    this.#length += piece.length
    const rest = piece.length - fitting
    if (rest === 0) return
    // Most come in one piece, which then is all there is.
    const block = new Uint8Array(this.#blocks.length === 0 ? rest : Math.max(rest, BLOCK_BYTES))
    block.set(piece.subarray(fitting))
    this.#blocks.push(block)
    this.#room = block.length - rest
  }

  /** The same, but for a large piece, which is kept as it came: nobody may change it any more. */
  hold(piece: Uint8Array): void {
    if (piece.length < LARGE_BYTES) {
      this.add(piece)
      return
    }
    const last = this.#blocks.pop()
    if (last !== undefined) this.#blocks.push(last.subarray(0, last.length - this.#room))
    this.#blocks.push(piece)
    this.#room = 0
    this.#length += piece.length
  }

  /** All of them, in a buffer of just that size. The same each time, until another piece comes. */
  bytes(): Uint8Array {
    const [first] = this.#blocks
    const isWhole = this.#blocks.length === 1 && first?.buffer.byteLength === this.#length
    if (first !== undefined && isWhole) return first
    const joined = new Uint8Array(this.#length)
    let offset = 0
    for (const block of this.#blocks) {
      joined.set(block.subarray(0, this.#length - offset), offset)
      offset += block.length
    }
    this.#blocks = [joined]
    this.#room = 0
    return joined
  }

  clear(): void {
    this.#blocks = []
    this.#room = 0
    this.#length = 0
  }
}
