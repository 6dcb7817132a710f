/** Commitments: what a statement says about content that it must not hold. */
import { equalBytes, parseHex, toHex, utf8 } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'

/** Name of the digest algorithm in in-toto subjects. @spec spec/commitment.md */
export const COMMITMENT_ALGORITHM = 'countersign-commitment-v1'

export const SALT_BYTES = 32

/** Salt and exact bytes. Whoever holds it can show what was committed; destroying all copies of it erases the content. */
export interface Opening {
  readonly salt: Uint8Array
  readonly content: Uint8Array
}

/**
 * Commits to exact bytes: SHA-256(salt ‖ content), in hexadecimal.
 *
 * Hiding needs a salt of 32 unguessable bytes, used for this content alone.
 */
export function commit(crypto: Crypto, { salt, content }: Opening): string {
  if (salt.length !== SALT_BYTES) throw new CountersignError('shape/bad-value', `a salt has ${SALT_BYTES} bytes`)
  return toHex(crypto.sha256(salt, content))
}

/**
 * Proves that `opening` holds the bytes that `commitment` was made over, or throws.
 *
 * Proves nothing about who made the commitment or when; that is the statement's signature and the log's job.
 *
 * @throws {CountersignError} `opening/commitment-mismatch`, `bytes/bad-hex`, `shape/bad-value`
 */
export function verifyOpening(crypto: Crypto, commitment: string, opening: Opening): void {
  if (!equalBytes(parseHex(commitment, 32), parseHex(commit(crypto, opening), 32))) {
    throw new CountersignError('opening/commitment-mismatch', 'the bytes are not the ones that were committed to')
  }
}

/**
 * The salt for one commitment of a receipt, from the receipt's 32-byte salt seed:
 * SHA-256(seed ‖ SHA-256("countersign-salt-v1:" label)). Always 64 bytes in, so that no salt extends another.
 *
 * With the seed a client checks all commitments of its answer; with one salt it can show one and hide the rest.
 */
export function saltFor(crypto: Crypto, seed: Uint8Array, label: string): Uint8Array {
  if (seed.length !== SALT_BYTES) throw new CountersignError('shape/bad-value', `a salt seed has ${SALT_BYTES} bytes`)
  return crypto.sha256(seed, crypto.sha256(utf8(`countersign-salt-v1:${label}`)))
}
