import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384 } from '@noble/curves/nist.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { concat, equalBytes } from '../bytes/bytes.ts'
import type { Crypto, RunningSha256 } from './crypto.ts'
import { acceptsRsa } from './rsa.ts'

/** The crypto port in plain JavaScript, for browsers. Decides every input as the node provider does; slower. */
export function createNobleCrypto(): Crypto {
  return {
    sha256(...parts) {
      const hasher = sha256.create()
      for (const part of parts) hasher.update(part)
      return hasher.digest()
    },

    ed25519Accepts(publicKey, message, signature) {
      if (publicKey.length !== 32 || signature.length !== 64) return false
      try {
        return opensslAccepts(publicKey, message, signature)
      } catch {
        return false
      }
    },

    p256Accepts(publicKey, message, signature) {
      if (publicKey.length !== 65 || signature.length !== 64) return false
      try {
        return p256.verify(signature, message, publicKey, { lowS: false, prehash: true })
      } catch {
        return false
      }
    },

    sha384: (...parts) => sha384(concat(...parts)),
    sha512: (...parts) => sha512(concat(...parts)),

    p384Accepts(publicKey, message, signature) {
      if (publicKey.length !== 97 || publicKey[0] !== 4 || signature.length !== 96) return false
      try {
        return p384.verify(signature, message, publicKey, { lowS: false, prehash: true })
      } catch {
        return false
      }
    },

    rsaAccepts: acceptsRsa,
  }
}

/** SHA-256 in plain JavaScript, of bytes that come in pieces. */
export function startNobleSha256(): RunningSha256 {
  const hasher = sha256.create()
  return {
    update(part) {
      hasher.update(part)
    },
    digest: () => hasher.digest(),
  }
}

/**
 * Ed25519 as OpenSSL checks it, which is neither of noble's two modes: non-canonical and small-order keys are taken, s
 * must be below the order, and R is compared as bytes without the cofactor.
 */
function opensslAccepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519
  const r = signature.subarray(0, 32)
  const s = littleEndian(signature.subarray(32))
  if (s >= Point.Fn.ORDER) return false
  const key = Point.fromBytes(publicKey, true)
  const k = littleEndian(sha512(concat(r, publicKey, message))) % Point.Fn.ORDER
  const expected = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k))
  return equalBytes(expected.toBytes(), r)
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0)
  return value
}
