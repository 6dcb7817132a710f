/** Signatures at the edges of Ed25519, where implementations are known to differ, made by computing with the curve. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concat, parseHex, utf8 } from '../bytes/bytes.ts'

/** A signature, and whether it must be accepted. */
export interface SignatureCase {
  readonly name: string
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly accepted: boolean
}

const { Point } = ed25519
type EdwardsPoint = InstanceType<typeof Point>

const ORDER = Point.Fn.ORDER
const FIELD = 2n ** 255n - 19n
const SECRET = 0x1234_5678_9abc_def0_1234_5678_9abc_def1n % ORDER
const NONCE = 0xfedc_ba98_7654_3210_0fed_cba9n
const MESSAGE = utf8('an edge of Ed25519')

export function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}

/** Encoding of a y coordinate, canonical or not, with a sign bit. */
function encodeY(y: bigint, sign: 0 | 1): Uint8Array {
  return littleEndian(y | (BigInt(sign) << 255n))
}

function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  const digest = sha512(concat(r, publicKey, message)).toReversed()
  return digest.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) % ORDER
}

/** A point of order 8: some point of the curve, times the order of the large subgroup. */
function pointOfOrderEight(): EdwardsPoint {
  for (let y = 2n; ; y++) {
    let point: EdwardsPoint
    try {
      point = Point.fromBytes(encodeY(y, 0), true)
    } catch {
      continue
    }
    const torsion = point.multiplyUnsafe(ORDER - 1n).add(point)
    if (!torsion.multiplyUnsafe(4n).equals(Point.ZERO)) return torsion
  }
}

/** The first message of a series for which `wanted` holds of the challenge. */
function messageWith(r: Uint8Array, publicKey: Uint8Array, wanted: (k: bigint) => boolean): Uint8Array {
  for (let i = 0; ; i++) {
    const message = utf8(`message ${i}`)
    if (wanted(challenge(r, publicKey, message))) return message
  }
}

export function ed25519Cases(): readonly SignatureCase[] {
  return [...plainCases(), ...scalarCases(), ...smallOrderCases(), ...mixedOrderCases(), ...nonceCases()]
}

/** An honest key and signature. */
function honest() {
  const publicKey = Point.BASE.multiply(SECRET).toBytes()
  const r = Point.BASE.multiply(NONCE).toBytes()
  const s = (NONCE + challenge(r, publicKey, MESSAGE) * SECRET) % ORDER
  return { publicKey, message: MESSAGE, r, s }
}

function plainCases(): readonly SignatureCase[] {
  const { publicKey, message, r, s } = honest()
  const signature = concat(r, littleEndian(s))
  const flipped = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
  return [
    { name: 'honest', publicKey, message, signature, accepted: true },
    { name: 'other message', publicKey, message: utf8('another'), signature, accepted: false },
    { name: 'changed R', publicKey, message, signature: flipped(signature, 3), accepted: false },
    { name: 'changed s', publicKey, message, signature: flipped(signature, 35), accepted: false },
    { name: 'changed key', publicKey: flipped(publicKey, 5), message, signature, accepted: false },
    { name: 'all zero', publicKey, message, signature: new Uint8Array(64), accepted: false },
    { name: 'short signature', publicKey, message, signature: signature.slice(0, 63), accepted: false },
    { name: 'long signature', publicKey, message, signature: concat(signature, Uint8Array.of(0)), accepted: false },
    { name: 'short key', publicKey: publicKey.slice(0, 31), message, signature, accepted: false },
    { name: 'empty key', publicKey: new Uint8Array(0), message, signature, accepted: false },
    { name: 'key off the curve', publicKey: encodeY(2n, 0), message, signature, accepted: false },
  ]
}

function scalarCases(): readonly SignatureCase[] {
  const { publicKey, message, r, s } = honest()
  const withS = (name: string, value: bigint) => ({
    ...{ name, publicKey, message, accepted: false },
    signature: concat(r, littleEndian(value)),
  })
  return [
    withS('s plus the order', s + ORDER),
    withS('s plus twice the order', s + 2n * ORDER),
    withS('s is the order', ORDER),
    withS('s is zero', 0n),
    withS('s has all bits', 2n ** 256n - 1n),
    withS('s with its highest bit set', s | (1n << 255n)),
  ]
}

/** Keys of order 1, 2, 4 and 8 in every spelling. Accepted when k·A is the identity, and refused when not. */
function smallOrderCases(): readonly SignatureCase[] {
  const eighth = pointOfOrderEight()
  const canonical = [2n, 1n].flatMap((n) => [eighth.multiplyUnsafe(n), eighth.multiplyUnsafe(n).negate()])
  const keys: readonly (readonly [string, Uint8Array, bigint])[] = [
    ['identity', encodeY(1n, 0), 1n],
    ['identity with sign bit', encodeY(1n, 1), 1n],
    ['identity with y above the field', encodeY(FIELD + 1n, 0), 1n],
    ['identity with y above the field and sign bit', encodeY(FIELD + 1n, 1), 1n],
    ['order 2', encodeY(FIELD - 1n, 0), 2n],
    ['order 2 with sign bit', encodeY(FIELD - 1n, 1), 2n],
    ['order 4 with y above the field', encodeY(FIELD, 0), 4n],
    ['order 4 with y above the field and sign bit', encodeY(FIELD, 1), 4n],
    ...canonical.map((point, i) => [`order ${i < 2 ? 4 : 8} number ${i}`, point.toBytes(), i < 2 ? 4n : 8n] as const),
  ]
  const s = 5n
  const r = Point.BASE.multiply(s).toBytes()
  const signature = concat(r, littleEndian(s))
  return keys.flatMap(([name, publicKey, order]) => {
    const accepting = messageWith(r, publicKey, (k) => k % order === 0n)
    const accepted = { name: `key ${name}`, publicKey, message: accepting, signature, accepted: true }
    if (order === 1n) return [accepted]
    const refusing = messageWith(r, publicKey, (k) => k % order !== 0n)
    return [
      accepted,
      { name: `key ${name}, k·A not the identity`, publicKey, message: refusing, signature, accepted: false },
    ]
  })
}

/** A key with a part of order 8: a check with the cofactor takes every signature, one without takes some. */
function mixedOrderCases(): readonly SignatureCase[] {
  const publicKey = Point.BASE.multiply(SECRET).add(pointOfOrderEight()).toBytes()
  const r = Point.BASE.multiply(NONCE).toBytes()
  const build = (name: string, accepted: boolean) => {
    const message = messageWith(r, publicKey, (k) => (k % 8n === 0n) === accepted)
    const s = (NONCE + challenge(r, publicKey, message) * SECRET) % ORDER
    return { name, publicKey, message, signature: concat(r, littleEndian(s)), accepted }
  }
  const { publicKey: plainKey, message } = honest()
  const mixedR = Point.BASE.multiply(NONCE).add(pointOfOrderEight()).toBytes()
  const s = (NONCE + challenge(mixedR, plainKey, message) * SECRET) % ORDER
  return [
    build('mixed-order key, torsion vanishes', true),
    build('mixed-order key, torsion stays', false),
    {
      name: 'mixed-order R',
      publicKey: plainKey,
      message,
      signature: concat(mixedR, littleEndian(s)),
      accepted: false,
    },
  ]
}

/** R is the identity, in each of its spellings: only the canonical one is what sB − kA encodes to. */
function nonceCases(): readonly SignatureCase[] {
  const { publicKey, message } = honest()
  const build = (name: string, r: Uint8Array, accepted: boolean) => {
    const s = (challenge(r, publicKey, message) * SECRET) % ORDER
    return { name, publicKey, message, signature: concat(r, littleEndian(s)), accepted }
  }
  const offCurve = encodeY(2n, 0)
  return [
    build('R is the identity', encodeY(1n, 0), true),
    build('R is the identity with sign bit', encodeY(1n, 1), false),
    build('R is the identity with y above the field', encodeY(FIELD + 1n, 0), false),
    build('R is off the curve', offCurve, false),
    build('R has all bits', parseHex('ff'.repeat(32)), false),
  ]
}
