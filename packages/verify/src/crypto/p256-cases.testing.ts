/** Signatures and keys at the edges of ECDSA over P-256, made by computing with the curve. */
import { p256 } from '@noble/curves/nist.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, parseHex, utf8 } from '../bytes/bytes.ts'
import type { SignatureCase } from './ed25519-cases.testing.ts'

const { Point } = p256
type CurvePoint = InstanceType<typeof Point>

const ORDER = Point.Fn.ORDER
const FIELD = Point.Fp.ORDER
const SECRET = sha256(utf8('test P-256 edge key'))
const MESSAGE = utf8('an edge of P-256')

function bigEndian(value: bigint): Uint8Array {
  return parseHex(value.toString(16).padStart(64, '0'))
}

function toInteger(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

/** A point with that x coordinate, where the curve has one. */
function pointAt(x: bigint): CurvePoint | undefined {
  try {
    return Point.fromBytes(concat(Uint8Array.of(2), bigEndian(x)))
  } catch {
    return undefined
  }
}

function firstPointFrom(x: bigint): { readonly point: CurvePoint; readonly x: bigint } {
  for (let at = x; ; at++) {
    const point = pointAt(at)
    if (point !== undefined) return { point, x: at }
  }
}

export function p256Cases(): readonly SignatureCase[] {
  return [...scalarCases(), ...keyCases(), ...wrappedCases()]
}

function honest() {
  const signature = p256.sign(MESSAGE, SECRET, { prehash: true, lowS: true })
  return {
    publicKey: p256.getPublicKey(SECRET, false),
    message: MESSAGE,
    signature,
    r: toInteger(signature.slice(0, 32)),
    s: toInteger(signature.slice(32)),
  }
}

function scalarCases(): readonly SignatureCase[] {
  const { publicKey, message, signature, r, s } = honest()
  const build = (name: string, first: bigint, second: bigint, accepted = false) => ({
    ...{ name, publicKey, message, accepted },
    signature: concat(bigEndian(first), bigEndian(second)),
  })
  return [
    build('low s', r, s, true),
    build('high s', r, ORDER - s, true),
    build('r is zero', 0n, s),
    build('s is zero', r, 0n),
    build('both are zero', 0n, 0n),
    build('r is the order', ORDER, s),
    build('s is the order', r, ORDER),
    build('r has all bits', 2n ** 256n - 1n, s),
    build('s has all bits', r, 2n ** 256n - 1n),
    build('r and s exchanged', s, r),
    build('r is one', 1n, s),
    build('s is one', r, 1n),
    build('r negated', ORDER - r, s),
    { ...build('other message', r, s), message: utf8('another') },
    { ...build('short signature', r, s), signature: signature.slice(1) },
    { ...build('long signature', r, s), signature: concat(signature, Uint8Array.of(0)) },
  ]
}

function keyCases(): readonly SignatureCase[] {
  const { publicKey, message, signature } = honest()
  const x = publicKey.slice(1, 33)
  const y = publicKey.slice(33)
  const odd = (y[31] ?? 0) & 1
  const small = firstPointFrom(1n)
  const smallY = toInteger(small.point.toBytes(false).slice(33))
  const build = (name: string, key: Uint8Array) => ({ name, publicKey: key, message, signature, accepted: false })
  const point = (first: number, ...coordinates: readonly Uint8Array[]) => concat(Uint8Array.of(first), ...coordinates)
  return [
    build('key off the curve', point(4, x, bigEndian(toInteger(y) ^ 1n))),
    build('key negated', point(4, x, bigEndian(FIELD - toInteger(y)))),
    build('key at the origin', point(4, new Uint8Array(64))),
    build('key at infinity, padded', point(0, new Uint8Array(64))),
    build('key at infinity', Uint8Array.of(0)),
    build('compressed key', p256.getPublicKey(SECRET, true)),
    build('compressed key, padded', point(2 + odd, x, new Uint8Array(32))),
    build('hybrid key', point(6 + odd, x, y)),
    build('hybrid key of the wrong sign', point(7 - odd, x, y)),
    build('key with x above the field', point(4, bigEndian(small.x + FIELD), bigEndian(smallY))),
    build('key with y above the field', point(4, bigEndian(small.x), parseHex('ff'.repeat(32)))),
    build('key with x and y exchanged', point(4, y, x)),
    build('short key', publicKey.slice(0, 64)),
    build('long key', concat(publicKey, Uint8Array.of(0))),
    build('empty key', new Uint8Array(0)),
  ]
}

/**
 * The nonce's point has an x between the group's order and the field's, so that r is x less the order. The key is
 * computed from the signature: nobody knows its secret.
 */
function wrappedCases(): readonly SignatureCase[] {
  const { point, x } = firstPointFrom(ORDER + 1n)
  const r = x - ORDER
  const s = 7n
  const digest = toInteger(sha256(MESSAGE)) % ORDER
  const inverse = Point.Fn.inv(r)
  const key = point
    .multiplyUnsafe((s * inverse) % ORDER)
    .add(Point.BASE.multiplyUnsafe(((ORDER - digest) * inverse) % ORDER))
  const build = (name: string, first: bigint, accepted: boolean) => ({
    ...{ name, publicKey: key.toBytes(false), message: MESSAGE, accepted },
    signature: concat(bigEndian(first), bigEndian(s)),
  })
  return [
    build('x of the nonce above the order', r, true),
    build('x of the nonce above the order, not reduced', x, false),
  ]
}
