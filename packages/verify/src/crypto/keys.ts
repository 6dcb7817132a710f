/** Public keys and signatures in the encodings that files carry, read strictly. */
import { concat } from '../bytes/bytes.ts'
import { CountersignError } from '../errors.ts'
import type { Crypto } from './crypto.ts'

/** SubjectPublicKeyInfo up to the point: id-ecPublicKey, prime256v1, BIT STRING of 66 bytes. @spec RFC 5480 §2 */
const P256_SPKI_PREFIX = Uint8Array.of(
  ...[0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00],
)
const UNCOMPRESSED = 0x04
const POINT_BYTES = 65

/**
 * The uncompressed point in a P-256 SubjectPublicKeyInfo (DER, 91 bytes). One spelling only: no compressed points, no
 * explicit parameters. Whether the point is on the curve is the provider's check, when a signature is.
 *
 * @throws {CountersignError} `key/malformed`
 */
export function parseP256Spki(spki: Uint8Array): Uint8Array {
  const ok =
    spki.length === P256_SPKI_PREFIX.length + POINT_BYTES &&
    P256_SPKI_PREFIX.every((byte, i) => spki[i] === byte) &&
    spki[P256_SPKI_PREFIX.length] === UNCOMPRESSED
  if (!ok) throw new CountersignError('key/malformed', 'not a P-256 public key as uncompressed SubjectPublicKeyInfo')
  return spki.slice(P256_SPKI_PREFIX.length)
}

/**
 * r ‖ s (64 bytes) of a DER ECDSA signature for P-256.
 *
 * @spec RFC 3279 §2.2.3, X.690 DER: shortest lengths, shortest positive integers
 * @throws {CountersignError} `signature/malformed`
 */
export function parseP256Signature(der: Uint8Array): Uint8Array {
  if (der.length < 8 || der.length > 72 || der[0] !== 0x30 || der[1] !== der.length - 2) throw malformed()
  const r = parseInteger(der, 2)
  const s = parseInteger(der, r.end)
  if (s.end !== der.length) throw malformed()
  return concat(r.value, s.value)
}

function parseInteger(der: Uint8Array, start: number): { value: Uint8Array; end: number } {
  const length = der[start + 1] ?? 0
  const first = der[start + 2] ?? 0
  const second = der[start + 3] ?? 0
  const end = start + 2 + length
  const shortest = length > 0 && first < 0x80 && !(length > 1 && first === 0 && second < 0x80)
  if (der[start] !== 0x02 || length > 33 || end > der.length || !shortest) throw malformed()
  const digits = der.subarray(first === 0 && length > 1 ? start + 3 : start + 2, end)
  if (digits.length > 32) throw malformed()
  const value = new Uint8Array(32)
  value.set(digits, 32 - digits.length)
  return { value, end }
}

function malformed(): CountersignError {
  return new CountersignError('signature/malformed', 'not a DER-encoded P-256 signature')
}

/**
 * Proves that `signature` (DER) over `message` was made with the key in `spki`, or throws.
 *
 * Proves nothing about whose key that is; that is the trust file's job.
 *
 * @throws {CountersignError} `key/malformed`, `signature/malformed`, `signature/invalid`
 */
export function verifyP256(crypto: Crypto, spki: Uint8Array, message: Uint8Array, signature: Uint8Array): void {
  if (!crypto.p256Accepts(parseP256Spki(spki), message, parseP256Signature(signature))) {
    throw new CountersignError('signature/invalid', 'the ECDSA P-256 signature does not check')
  }
}
