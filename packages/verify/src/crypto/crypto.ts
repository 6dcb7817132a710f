/**
 * The crypto port. `verify` takes it as an argument: `node:crypto` where there is one, noble in browsers.
 *
 * Encodings are taken apart before they get here (`keys.ts`), so that the providers see fixed-width values alone and
 * cannot differ in how forgiving they are.
 */
export interface Crypto {
  /** SHA-256 of the parts, joined. 32 bytes. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array

  /**
   * Whether `signature` (64 bytes) over `message` checks under the Ed25519 `publicKey` (32 bytes).
   *
   * As OpenSSL decides it: s below the group order, no cofactor, the encoding of sB − kA compared with R byte by byte.
   * Malformed keys and signatures are not accepted; nothing is thrown. @spec RFC 8032 §5.1.7
   */
  ed25519Accepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean

  /**
   * Whether `signature` (r ‖ s, 64 bytes) over SHA-256 of `message` checks under the P-256 `publicKey` (65 bytes,
   * uncompressed). High s is accepted, as everywhere outside Bitcoin. @spec FIPS 186-5 §6.4.2
   */
  p256Accepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean

  /** SHA-384 of the parts, joined. 48 bytes. */
  sha384(...parts: readonly Uint8Array[]): Uint8Array

  /** SHA-512 of the parts, joined. 64 bytes. */
  sha512(...parts: readonly Uint8Array[]): Uint8Array

  /**
   * Whether `signature` (r ‖ s, 96 bytes) over SHA-384 of `message` checks under the P-384 `publicKey` (97 bytes,
   * uncompressed). High s is accepted. @spec FIPS 186-5 §6.4.2
   */
  p384Accepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean

  /**
   * Whether `signature` over `message` checks under the RSA `key`. The signature is as long as the modulus; moduli have
   * 2,048 to 4,096 bits, exponents are odd, from 65,537 to below 2^32. Anything else is not accepted. @spec RFC 8017 §8.1.2, §8.2.2
   */
  rsaAccepts(key: RsaKey, scheme: RsaScheme, message: Uint8Array, signature: Uint8Array): boolean
}

export type HashName = 'sha256' | 'sha384' | 'sha512'

/** An RSA public key: both numbers big-endian, without leading zeros. */
export interface RsaKey {
  readonly modulus: Uint8Array
  readonly exponent: Uint8Array
}

/** How a message is padded. PSS uses MGF1 with the same hash. */
export type RsaScheme =
  | { readonly padding: 'pkcs1-v1_5'; readonly hash: HashName }
  | { readonly padding: 'pss'; readonly hash: HashName; readonly saltBytes: number }

/** SHA-256 of bytes that come in pieces, for what is too large to hold. Ends with `digest`; of no use afterwards. */
export interface RunningSha256 {
  update(part: Uint8Array): void
  /** 32 bytes. */
  digest(): Uint8Array
}
