/** Public keys and signatures as certificates carry them. @spec RFC 5480, RFC 4055, RFC 8017 */
import { concat, toHex } from '../../bytes/bytes.ts'
import type { Crypto, HashName } from '../../crypto/crypto.ts'
import { CountersignError } from '../../errors.ts'
import { bitString, type DerValue, parseDer, requireTag, sequenceOf, TAG, unsignedOf } from './der.ts'

/** The keys that makers of hardware and cloud services use. */
export type PublicKey =
  /** `point`: uncompressed, 65 or 97 bytes. */
  | { readonly kind: 'p256' | 'p384'; readonly point: Uint8Array }
  /** Big-endian, without leading zeros. */
  | { readonly kind: 'rsa'; readonly modulus: Uint8Array; readonly exponent: Uint8Array }

export type SignatureAlgorithm =
  | 'ecdsa-sha256'
  | 'ecdsa-sha384'
  | 'rsa-pkcs1-sha256'
  | 'rsa-pkcs1-sha384'
  | 'rsa-pkcs1-sha512'
  | 'rsa-pss-sha384'

/** What a PSS algorithm begins with: SHA-384, MGF1 with SHA-384, salt of 48 bytes. */
const PSS_SHA384 =
  'a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130'

/** Whole AlgorithmIdentifiers in hexadecimal: no parameter is left to be read otherwise. */
const SIGNATURE_ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = /* @__PURE__ */ new Map([
  ['300a06082a8648ce3d040302', 'ecdsa-sha256'],
  ['300a06082a8648ce3d040303', 'ecdsa-sha384'],
  ['300d06092a864886f70d01010b0500', 'rsa-pkcs1-sha256'],
  ['300d06092a864886f70d01010c0500', 'rsa-pkcs1-sha384'],
  ['300d06092a864886f70d01010d0500', 'rsa-pkcs1-sha512'],
  [`304106092a864886f70d01010a3034${PSS_SHA384}`, 'rsa-pss-sha384'],
  // The older certificates of AMD spell out the trailer, which DER would leave out as the default.
  [`304606092a864886f70d01010a3039${PSS_SHA384}a303020101`, 'rsa-pss-sha384'],
])

/** AlgorithmIdentifiers of keys. */
const KEY_KINDS: ReadonlyMap<string, PublicKey['kind']> = /* @__PURE__ */ new Map([
  ['301306072a8648ce3d020106082a8648ce3d030107', 'p256'],
  ['301006072a8648ce3d020106052b81040022', 'p384'],
  ['300d06092a864886f70d0101010500', 'rsa'],
])

const POINT_BYTES = { p256: 65, p384: 97 } as const
const UNCOMPRESSED = 4
const MAX_MODULUS_BYTES = 512
const MAX_EXPONENT_BYTES = 4

/** @throws {CountersignError} `certificate/malformed` */
export function signatureAlgorithmOf(identifier: Uint8Array): SignatureAlgorithm {
  const algorithm = SIGNATURE_ALGORITHMS.get(toHex(identifier.subarray(0, 128)))
  if (algorithm !== undefined) return algorithm
  throw new CountersignError('certificate/malformed', 'the algorithm of the signature is none that is read')
}

/**
 * The key in a SubjectPublicKeyInfo. Whether a point is on its curve, and a modulus of an allowed length, is the provider's check,
 * when a signature is.
 *
 * @throws {CountersignError} `der/malformed`, `certificate/malformed`
 */
export function publicKeyOf(spki: DerValue): PublicKey {
  const [algorithm, key, ...more] = spki.children()
  if (algorithm === undefined || more.length > 0) {
    throw new CountersignError('certificate/malformed', 'the public key is not of two parts')
  }
  const bytes = bitString(key, 'public key')
  const kind = KEY_KINDS.get(toHex(algorithm.bytes.subarray(0, 64)))
  if (kind === undefined)
    throw new CountersignError('certificate/malformed', 'the public key is of no kind that is read')
  if (kind === 'rsa') return rsaKeyOf(bytes)
  if (bytes.length !== POINT_BYTES[kind] || bytes[0] !== UNCOMPRESSED) {
    throw new CountersignError('certificate/malformed', 'the public key is not an uncompressed point of its curve')
  }
  return { kind, point: bytes }
}

/**
 * The key in the bytes of a SubjectPublicKeyInfo, as {@link publicKeyOf}.
 *
 * @throws {CountersignError} `der/malformed`, `certificate/malformed`
 */
export function parsePublicKey(spki: Uint8Array): PublicKey {
  return publicKeyOf(requireTag(parseDer(spki), TAG.sequence, 'public key'))
}

function rsaKeyOf(bytes: Uint8Array): PublicKey {
  const [first, second, ...more] = sequenceOf(parseDer(bytes), 'RSA key')
  const [modulus, exponent] = [unsignedOf(first), unsignedOf(second)]
  if (more.length > 0 || modulus.length > MAX_MODULUS_BYTES || exponent.length > MAX_EXPONENT_BYTES) {
    throw new CountersignError('certificate/malformed', 'the RSA key is too large, or of more than two parts')
  }
  return { kind: 'rsa', modulus, exponent }
}

/**
 * Proves that `signature` over `message` was made with `key` in the way that `algorithm` says, or throws. ECDSA signatures are
 * DER here, as in certificates.
 *
 * @throws {CountersignError} `signature/invalid`, `signature/malformed`
 */
export function verifySignature(
  crypto: Crypto,
  key: PublicKey,
  algorithm: SignatureAlgorithm,
  message: Uint8Array,
  signature: Uint8Array,
): void {
  const hash = algorithm.slice(-6) as HashName
  if (key.kind !== 'rsa') {
    if (!algorithm.startsWith('ecdsa')) throw invalid()
    verifyMessage(crypto, key, hash, message, rawEcdsa(signature, key.kind === 'p256' ? 32 : 48))
    return
  }
  if (algorithm.startsWith('ecdsa')) throw invalid()
  const scheme =
    algorithm === 'rsa-pss-sha384'
      ? ({ padding: 'pss', hash, saltBytes: 48 } as const)
      : ({ padding: 'pkcs1-v1_5', hash } as const)
  if (!crypto.rsaAccepts(key, scheme, message, signature)) throw invalid()
}

/**
 * Proves that `signature` over `message` was made with `key`, or throws. ECDSA: r ‖ s, SHA-256 with P-256 and SHA-384 with
 * P-384 alone. RSA: PKCS #1 v1.5.
 *
 * @throws {CountersignError} `signature/invalid`
 */
export function verifyMessage(
  crypto: Crypto,
  key: PublicKey,
  hash: HashName,
  message: Uint8Array,
  signature: Uint8Array,
): void {
  if (!accepts(crypto, key, hash, message, signature)) throw invalid()
}

function accepts(crypto: Crypto, key: PublicKey, hash: HashName, message: Uint8Array, signature: Uint8Array): boolean {
  switch (key.kind) {
    case 'p256':
      return hash === 'sha256' && crypto.p256Accepts(key.point, message, signature)
    case 'p384':
      return hash === 'sha384' && crypto.p384Accepts(key.point, message, signature)
    case 'rsa':
      return crypto.rsaAccepts(key, { padding: 'pkcs1-v1_5', hash }, message, signature)
  }
}

/** r ‖ s of a DER signature, each `width` bytes long. @throws {CountersignError} `signature/malformed` */
function rawEcdsa(der: Uint8Array, width: number): Uint8Array {
  let parts: readonly Uint8Array[]
  try {
    parts = sequenceOf(parseDer(der), 'signature').map(unsignedOf)
  } catch (thrown) {
    throw new CountersignError('signature/malformed', 'the signature is not DER', { cause: thrown })
  }
  if (parts.length !== 2 || parts.some(({ length }) => length > width)) {
    throw new CountersignError('signature/malformed', 'the signature is not of two numbers of its curve')
  }
  return concat(...parts.flatMap((part) => [new Uint8Array(width - part.length), part]))
}

function invalid(): CountersignError {
  return new CountersignError('signature/invalid', 'the signature does not check')
}
