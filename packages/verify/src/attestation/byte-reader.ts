import { CountersignError } from '../errors.ts'

/** Reads a binary layout from front to back. Every read is bounded; what comes out are views, not copies. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #offset = 0

  /** `what` is named in errors, as in "a TDX quote". */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  get offset(): number {
    return this.#offset
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  /** @throws {CountersignError} `evidence/malformed` when fewer bytes are left */
  take(length: number): Uint8Array {
    if (length > this.left) {
      throw new CountersignError(
        'evidence/malformed',
        `${this.#what} ends too early: ${length} bytes are missing at ${this.#offset}, where ${this.left} are left`,
      )
    }
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length)
    this.#offset += length
    return taken
  }

  uint8(): number {
    return littleEndian(this.take(1))
  }

  uint16(): number {
    return littleEndian(this.take(2))
  }

  uint32(): number {
    return littleEndian(this.take(4))
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.take(this.left)
  }

  /** @throws {CountersignError} `evidence/malformed` when anything is left */
  end(): void {
    if (this.left === 0) return
    throw new CountersignError('evidence/malformed', `${this.#what} has ${this.left} bytes too many`)
  }
}

/** The unsigned integer of up to six little-endian bytes. */
export function littleEndian(bytes: Uint8Array): number {
  let value = 0
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256 + (bytes[i] ?? 0)
  return value
}

/** Whether every byte is zero. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}
