/**
 * What Ethereum signs with, in plain JavaScript: `node:crypto` has neither its hash nor recovery, so there is nothing for a port to
 * choose between. Apart from the port, so that who never checks such a signature does not load it.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concat } from '../bytes/bytes.ts'

/** Keccak-256 of the parts, joined, with the padding that Ethereum kept: not SHA3-256. 32 bytes. */
export function keccak256(...parts: readonly Uint8Array[]): Uint8Array {
  return keccak_256(concat(...parts))
}

/**
 * The secp256k1 public key (65 bytes, uncompressed) whose signature (r ‖ s, 64 bytes) over the 32-byte `digest` this is, by
 * the parity of R's y; `undefined` where there is none. High s is refused, as Ethereum does. @spec SEC 1 §4.1.6
 */
export function recoverSecp256k1(digest: Uint8Array, signature: Uint8Array, isOdd: boolean): Uint8Array | undefined {
  if (digest.length !== 32 || signature.length !== 64) return undefined
  try {
    const parsed = secp256k1.Signature.fromBytes(signature, 'compact')
    if (parsed.hasHighS()) return undefined
    return parsed
      .addRecoveryBit(isOdd ? 1 : 0)
      .recoverPublicKey(digest)
      .toBytes(false)
  } catch {
    return undefined
  }
}
