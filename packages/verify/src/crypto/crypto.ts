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
}

/** SHA-256 of bytes that come in pieces, for what is too large to hold. Ends with `digest`; of no use afterwards. */
export interface RunningSha256 {
  update(part: Uint8Array): void
  /** 32 bytes. */
  digest(): Uint8Array
}
