/**
 * RSA signatures over BigInt, for browsers: public keys alone, so nothing here needs to hide its timing. A signature is
 * checked by making the encoding that it must have and comparing the whole, never by taking one apart, wherever the scheme
 * allows it. @spec RFC 8017 §8.1.2, §8.2.2
 */
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, parseHex, toHex } from '../bytes/bytes.ts'
import type { HashName, RsaKey, RsaScheme } from './crypto.ts'

const MIN_MODULUS_BITS = 2048
const MAX_MODULUS_BYTES = 512
const MIN_EXPONENT = 65_537n
const MAX_EXPONENT_BYTES = 4

interface Hash {
  readonly bytes: number
  digest(message: Uint8Array): Uint8Array
  /** DigestInfo up to the digest, with the NULL that parameters must be. @spec RFC 8017 §9.2 note 1 */
  readonly prefix: Uint8Array
}

const HASHES: { readonly [name in HashName]: Hash } = {
  sha256: { bytes: 32, digest: sha256, prefix: /* @__PURE__ */ parseHex('3031300d060960864801650304020105000420') },
  sha384: { bytes: 48, digest: sha384, prefix: /* @__PURE__ */ parseHex('3041300d060960864801650304020205000430') },
  sha512: { bytes: 64, digest: sha512, prefix: /* @__PURE__ */ parseHex('3051300d060960864801650304020305000440') },
}

/**
 * Whether key and signature are of a shape that both providers look at: an odd modulus of 2,048 to 4,096 bits, an odd
 * exponent from 65,537 to below 2^32, no leading zero bytes, a signature as long as the modulus and below it, a salt that fits.
 */
export function isRsaShape({ modulus, exponent }: RsaKey, scheme: RsaScheme, signature: Uint8Array): boolean {
  const bits = bitLength(modulus)
  if (bits < MIN_MODULUS_BITS || modulus.length > MAX_MODULUS_BYTES || !isOddWithoutLeadingZero(modulus)) return false
  if (exponent.length > MAX_EXPONENT_BYTES || !isOddWithoutLeadingZero(exponent)) return false
  if (toInteger(exponent) < MIN_EXPONENT) return false
  if (signature.length !== modulus.length || !isBelow(signature, modulus)) return false
  return scheme.padding !== 'pss' || fitsSalt(scheme.saltBytes, bits, HASHES[scheme.hash].bytes)
}

/** See `Crypto.rsaAccepts`. */
export function acceptsRsa(key: RsaKey, scheme: RsaScheme, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isRsaShape(key, scheme, signature)) return false
  const hash = HASHES[scheme.hash]
  const encoded = raise(key, signature)
  const digest = hash.digest(message)
  return scheme.padding === 'pss'
    ? isPssEncoding(encoded, bitLength(key.modulus) - 1, hash, digest, scheme.saltBytes)
    : equalBytes(encoded, pkcs1Encoding(hash, digest, encoded.length))
}

/** EMSA-PKCS1-v1_5: the one encoding of a digest there is. @spec RFC 8017 §9.2 */
function pkcs1Encoding(hash: Hash, digest: Uint8Array, length: number): Uint8Array {
  const padding = new Uint8Array(length - 3 - hash.prefix.length - digest.length).fill(0xff)
  return concat(Uint8Array.of(0, 1), padding, Uint8Array.of(0), hash.prefix, digest)
}

/**
 * EMSA-PSS verification; MGF1 with the same hash, the salt of exactly that length. Where the modulus has one bit more than
 * whole bytes, the encoding is a byte shorter than it, and the first byte must be zero. @spec RFC 8017 §9.1.2
 */
function isPssEncoding(whole: Uint8Array, bits: number, hash: Hash, digest: Uint8Array, saltBytes: number): boolean {
  const length = Math.ceil(bits / 8)
  const encoded = whole.subarray(whole.length - length)
  if (whole.length > length && whole[0] !== 0) return false
  if (encoded[length - 1] !== 0xbc) return false
  const maskedLength = length - hash.bytes - 1
  const claimed = encoded.subarray(maskedLength, length - 1)
  const unusedMask = 0xff >> (8 * length - bits)
  if (((encoded[0] ?? 0) & ~unusedMask) !== 0) return false
  const mask = mgf1(hash, claimed, maskedLength)
  const block = encoded.subarray(0, maskedLength).map((byte, i) => byte ^ (mask[i] ?? 0))
  block[0] = (block[0] ?? 0) & unusedMask
  const saltAt = maskedLength - saltBytes
  for (let i = 0; i < saltAt - 1; i++) if (block[i] !== 0) return false
  if (block[saltAt - 1] !== 1) return false
  return equalBytes(hash.digest(concat(new Uint8Array(8), digest, block.subarray(saltAt))), claimed)
}

/** @spec RFC 8017 §B.2.1 */
function mgf1(hash: Hash, seed: Uint8Array, length: number): Uint8Array {
  const mask = new Uint8Array(Math.ceil(length / hash.bytes) * hash.bytes)
  for (let i = 0; i * hash.bytes < length; i++) {
    mask.set(hash.digest(concat(seed, Uint8Array.of(0, 0, 0, i))), i * hash.bytes)
  }
  return mask.subarray(0, length)
}

/** The signature to the power of the exponent, as many bytes as the modulus. */
function raise({ modulus, exponent }: RsaKey, signature: Uint8Array): Uint8Array {
  const n = toInteger(modulus)
  const base = toInteger(signature)
  let power = 1n
  // From the top bit down; an exponent has at most 32.
  for (const bit of toInteger(exponent).toString(2)) {
    power = (power * power) % n
    if (bit === '1') power = (power * base) % n
  }
  return parseHex(power.toString(16).padStart(modulus.length * 2, '0'))
}

function fitsSalt(saltBytes: number, modulusBits: number, hashBytes: number): boolean {
  const encodedBytes = Math.ceil((modulusBits - 1) / 8)
  return Number.isSafeInteger(saltBytes) && saltBytes >= 0 && saltBytes <= encodedBytes - hashBytes - 2
}

function isOddWithoutLeadingZero(number: Uint8Array): boolean {
  return number.length > 0 && number[0] !== 0 && ((number[number.length - 1] ?? 0) & 1) === 1
}

/** Of two numbers of one length. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) {
    const [mine, theirs] = [a[i] ?? 0, b[i] ?? 0]
    if (mine !== theirs) return mine < theirs
  }
  return false
}

/** Bits of a number without leading zero bytes. */
function bitLength(number: Uint8Array): number {
  return number.length === 0 ? 0 : number.length * 8 - (Math.clz32(number[0] ?? 0) - 24)
}

function toInteger(number: Uint8Array): bigint {
  return BigInt(`0x${toHex(number)}`)
}
