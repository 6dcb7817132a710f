/**
 * RSA keys for tests, from fixed primes: making such primes is slow, and these guard nothing. Raw RSA with the private
 * exponent can sign encodings that no library would make.
 */
import { concat, parseHex, toHex } from '../bytes/bytes.ts'
import type { RsaKey } from './crypto.ts'

/** Of 1,024 bits each, unless said. All less one are prime to every exponent that tests use. */
const PRIMES = [
  'ff72bd4bb267182bad5b1b7c26b7e9d6b6e02982f6f5574e6e549040bb73fa785d37299b51dd337e7dc0a543840ffc033cbe' +
    '144521308b5e6bf1fbbfd6d638028d78e0f8b176f2489ca19bc12ab60ca009054e4241dc71aea0670f7634d1c69141d8c37c' +
    '121829e8e8fd67c9d341908a805b9c3ee00f38d64488c40b10309081',
  'ffd674f0a9f18dc064f6bac494b1ecf11698b6351024f49d36f697646a4b865770c2bfa2b6ae722cc16cf3e1c5f3f6fa3387' +
    'df2da57e83b9b035b7a573f1c2f46c638a4a3881d54e8571e9e7f5a7bc9348dc02cd76d2d6c6511fc0e3e46b56ef012744b8' +
    '60589c64ee561d829c105610ccfda0f6f3b946a55deb7e8285029343',
  'ff76834d6d9fa73930a3be14aec6b05b771d3b697ad036d214ef55d1c885449ea7aad83e0c29a8818b956f70d85a7a4f4e21' +
    'fda88f9ae1e660e08aa1c115d425d2891950c4b310459ffd03822f6813d02471a34820b01cca344b515b334b533be8f00700' +
    'e8b306289643c29a5d5e04eaf9d808e1e4d73293d3cfc3dd1871ae63',
  'ff264293bc8e56e7378fb98f9d28f6398f6f541618b064dbe6d5cfd65902faba46fe0c77b4c1738dfd7b3492759722728630' +
    '65941e4d0c9f6d8dd1fac09092850febfbb1107ad3856aee4b8e43eba85bf40a4031778faa2cc8f4b33eeb341496f23cc71b' +
    'f84aacd10f84ff018431ce5175a7004435c78db1444348962c5467fd',
  // 1025 bits.
  '1ff0271e8e917ad86fdea6ec0af767404def45aeaf85bde0faf301c3555c6a2febaa1406d4ae2f5b59a9903b5c875e66969f' +
    'ec945a8454aef22270650e908db1ed07878b25061fe7a01c22c1c950d0dd1432e97893c8d901e012200d57916fff8fd3dd88' +
    '299d9b444f80938fd9c362f88a8cb74584a09f581e149f58ea52452d5',
  // 1023 bits.
  '7f914930f88d847b56845e1a8a9800157e999261b329aeb77d64d47959a1042c8225a19b67c27db0c2bad4b14c4709c17da1' +
    '695ebe060b78d59369ba6179ef23791e49a099c85873a09694251fc44759a5b77954b9de027e621911b74fbd07d927f70d93' +
    '5a7664b318b24547e97393d65587699072be7c1b5c2d32da10a7ac8d',
] as const

/** Factors of a modulus by its length in bits. Longer ones have more than two factors, which no verifier can tell. */
const FACTORS = { 2047: [0, 5], 2048: [0, 1], 2049: [0, 4], 4096: [0, 1, 2, 3], 4097: [0, 1, 2, 4] } as const
export type TestRsaBits = keyof typeof FACTORS

export interface TestRsaKey {
  readonly key: RsaKey
  readonly modulus: bigint
  /** The two primes, for a private key in other formats; more for the longer ones. */
  readonly primes: readonly bigint[]
  /** The number whose power is `encoded`, as long as the modulus. */
  signRaw(encoded: Uint8Array): Uint8Array
}

export function testRsaKey(bits: TestRsaBits, exponent = 65_537n): TestRsaKey {
  return rsaKeyOf(
    FACTORS[bits].map((at) => BigInt(`0x${PRIMES[at]}`)),
    exponent,
  )
}

/** A key whose modulus is even, with the signatures that fit it. */
export function evenRsaKey(): TestRsaKey {
  return rsaKeyOf([2n, ...testRsaKey(2048).primes], 65_537n)
}

function rsaKeyOf(primes: readonly bigint[], exponent: bigint): TestRsaKey {
  const modulus = primes.reduce((product, prime) => product * prime)
  const length = bigEndian(modulus).length
  return {
    key: { modulus: bigEndian(modulus, length), exponent: bigEndian(exponent) },
    modulus,
    primes,
    signRaw: (encoded) => bigEndian(rootOf(toInteger(encoded), primes, exponent), length),
  }
}

/** By each prime, then put together. */
function rootOf(value: bigint, primes: readonly bigint[], exponent: bigint): bigint {
  let root = 0n
  let modulus = 1n
  for (const prime of primes) {
    const residue = power(value % prime, inverse(exponent, prime - 1n), prime)
    const step = ((((residue - root) % prime) + prime) * inverse(modulus, prime)) % prime
    root += modulus * step
    modulus *= prime
  }
  return root
}

export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus
    if (bit === '1') result = (result * base) % modulus
  }
  return result
}

export function inverse(value: bigint, modulus: bigint): bigint {
  let [rest, next] = [modulus, value % modulus]
  let [before, factor] = [0n, 1n]
  while (next !== 0n) {
    const quotient = rest / next
    ;[rest, next] = [next, rest - quotient * next]
    ;[before, factor] = [factor, before - quotient * factor]
  }
  return before < 0n ? before + modulus : before
}

export function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x0${toHex(bytes)}`)
}

/** Big-endian, of `length` bytes, or as short as can be. */
export function bigEndian(value: bigint, length = 0): Uint8Array {
  const digits = value.toString(16)
  const bytes = parseHex(digits.length % 2 === 0 ? digits : `0${digits}`)
  return concat(new Uint8Array(Math.max(0, length - bytes.length)), bytes)
}
