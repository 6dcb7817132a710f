/** Bytes that come in pieces from somebody who chooses how small the pieces are. */

const FIRST_BYTES = 1024

/**
 * Gathers pieces into one buffer. A list of them would take some hundred bytes of memory for each, and whoever sends a body
 * one byte at a time would fill the memory with what is within every limit on bytes.
 */
export class GatheredBytes {
  #buffer = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies a piece: it holds no memory of whoever gave it. */
  add(piece: Uint8Array): void {
    const needed = this.#length + piece.length
    if (needed > this.#buffer.length) {
      // Most come in one piece, which then fits; many small ones double the buffer.
      const room = this.#length === 0 ? needed : Math.max(needed, this.#length * 2, FIRST_BYTES)
      this.#resize(room)
    }
    this.#buffer.set(piece, this.#length)
    this.#length = needed
  }

  /** All of them, in a buffer of just that size. The same each time, until another piece comes. */
  bytes(): Uint8Array {
    if (this.#buffer.length !== this.#length) this.#resize(this.#length)
    return this.#buffer
  }

  clear(): void {
    this.#buffer = new Uint8Array(0)
    this.#length = 0
  }

  #resize(length: number): void {
    const buffer = new Uint8Array(length)
    buffer.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = buffer
  }
}
