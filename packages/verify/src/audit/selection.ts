/** Which entries an audit looks at: drawn by a seed that nobody but the auditor knew when they were made. @spec spec/audit.md */
import { concat, uint64BigEndian } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { HASH_BYTES, type Hash } from '../log/merkle.ts'
import { MILLION } from '../statement/audit-commitment.ts'

export const SEED_BYTES = 32

const BLOCK_BYTES = 64
const WHOLE = 2n ** 64n

/** Draws entries: whether the one with that index and leaf hash is selected. */
export type Draw = (index: number, leafHash: Hash) => boolean

/**
 * The draw of a seed and a rate.
 *
 * An entry is selected when the first eight bytes of HMAC-SHA-256(seed, index ‖ leaf hash), as an unsigned big-endian
 * number v, satisfy v · 10^6 < rate in millionths · 2^64. The index has eight bytes, big-endian.
 *
 * @spec RFC 2104, spec/audit.md
 * @throws {CountersignError} `shape/bad-value`
 */
export function createDraw(crypto: Crypto, seed: Uint8Array, rateMillionths: number): Draw {
  if (seed.length !== SEED_BYTES) throw new CountersignError('shape/bad-value', `a seed has ${SEED_BYTES} bytes`)
  if (!Number.isSafeInteger(rateMillionths) || rateMillionths < 1 || rateMillionths > MILLION) {
    throw new CountersignError('shape/bad-value', `a rate is 1 to ${MILLION} millionths`)
  }
  const key = concat(seed, new Uint8Array(BLOCK_BYTES - SEED_BYTES))
  const [inner, outer] = [0x36, 0x5c].map((pad) => key.map((byte) => byte ^ pad)) as [Uint8Array, Uint8Array]
  const limit = BigInt(rateMillionths) * WHOLE
  return (index, leafHash) => {
    const mac = crypto.sha256(outer, crypto.sha256(inner, uint64BigEndian(BigInt(index)), leafHash))
    const drawn = new DataView(mac.buffer, mac.byteOffset).getBigUint64(0)
    return drawn * BigInt(MILLION) < limit
  }
}

/** An entry that was drawn. */
export interface DrawnEntry {
  readonly index: number
  readonly leafHash: Hash
}

/** The entries that are drawn of those whose leaf hashes, joined, are `leafHashes`; the first has index `from`. */
export function drawEntries(draw: Draw, from: number, leafHashes: Uint8Array): readonly DrawnEntry[] {
  const drawn: DrawnEntry[] = []
  for (let offset = 0; offset < leafHashes.length; offset += HASH_BYTES) {
    const leafHash = leafHashes.subarray(offset, offset + HASH_BYTES)
    const index = from + offset / HASH_BYTES
    if (draw(index, leafHash)) drawn.push({ index, leafHash: leafHash.slice() })
  }
  return drawn
}
