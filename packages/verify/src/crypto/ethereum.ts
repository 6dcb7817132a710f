/** What Ethereum signs with, in plain JavaScript for both providers: `node:crypto` has neither its hash nor recovery. */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concat } from '../bytes/bytes.ts'

/** Keccak-256 of the parts, joined. */
export function keccak256(...parts: readonly Uint8Array[]): Uint8Array {
  return keccak_256(concat(...parts))
}

/** See `Crypto.secp256k1Signer`. */
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
