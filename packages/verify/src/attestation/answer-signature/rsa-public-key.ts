/** RSA keys of 2,048 bits in the one encoding that signers of answers use. */
import { equalBytes, parseHex } from '../../bytes/bytes.ts'
import type { RsaKey } from '../../crypto/crypto.ts'
import { CountersignError } from '../../errors.ts'

/** SubjectPublicKeyInfo up to the modulus: rsaEncryption, NULL, a modulus of 2,048 bits. @spec RFC 8017 §A.1.1, RFC 3279 §2.3.1 */
const PREFIX = /* @__PURE__ */ parseHex('30820122300d06092a864886f70d01010105000382010f003082010a0282010100')
/** The exponent 65,537. */
const SUFFIX = /* @__PURE__ */ parseHex('0203010001')
const MODULUS_BYTES = 256
const SPKI_BYTES = PREFIX.length + MODULUS_BYTES + SUFFIX.length
const TOP_BIT = 0x80

/**
 * The key in a SubjectPublicKeyInfo (DER, 294 bytes): 2,048 bits, exponent 65,537, and nothing else.
 *
 * @throws {CountersignError} `key/malformed`
 */
export function parseRsa2048Spki(spki: Uint8Array): RsaKey {
  const modulus = spki.slice(PREFIX.length, PREFIX.length + MODULUS_BYTES)
  const isOne =
    spki.length === SPKI_BYTES &&
    equalBytes(spki.subarray(0, PREFIX.length), PREFIX) &&
    equalBytes(spki.subarray(-SUFFIX.length), SUFFIX) &&
    ((modulus[0] ?? 0) & TOP_BIT) !== 0
  if (isOne) return { modulus, exponent: SUFFIX.slice(2) }
  throw new CountersignError(
    'key/malformed',
    'not an RSA public key of 2,048 bits with exponent 65,537, as SubjectPublicKeyInfo',
  )
}
