/** Signatures and keys at the edges of ECDSA over P-256 and P-384, made by computing with the curve. */
import { p256, p384 } from '@noble/curves/nist.js'
import { sha256, sha384 } from '@noble/hashes/sha2.js'
import { concat, parseHex, toHex, utf8 } from '../bytes/bytes.ts'
import type { SignatureCase } from './ed25519-cases.testing.ts'

/** A curve, the hash that goes with it, and how many bytes its numbers have. */
interface Suite {
  readonly name: string
  readonly curve: typeof p256
  readonly hash: (bytes: Uint8Array) => Uint8Array
  readonly bytes: number
}

const P256: Suite = { name: 'P-256', curve: p256, hash: sha256, bytes: 32 }
const P384: Suite = { name: 'P-384', curve: p384, hash: sha384, bytes: 48 }

export function p256Cases(): readonly SignatureCase[] {
  return casesOf(P256)
}

export function p384Cases(): readonly SignatureCase[] {
  return casesOf(P384)
}

function casesOf(suite: Suite): readonly SignatureCase[] {
  return [...scalarCases(suite), ...keyCases(suite), ...wrappedCases(suite)]
}

function messageOf({ name }: Suite): Uint8Array {
  return utf8(`an edge of ${name}`)
}

function bigEndian(value: bigint, { bytes }: Suite): Uint8Array {
  return parseHex(value.toString(16).padStart(bytes * 2, '0'))
}

function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`)
}

/** The first point whose x coordinate is `x` or above. */
function firstPointFrom(x: bigint, suite: Suite) {
  for (let at = x; ; at++) {
    try {
      return { point: suite.curve.Point.fromBytes(concat(Uint8Array.of(2), bigEndian(at, suite))), x: at }
    } catch {
      // No point has that coordinate.
    }
  }
}

function honest(suite: Suite) {
  const { name, curve, hash, bytes } = suite
  const secret = hash(utf8(`test ${name} edge key`))
  const message = messageOf(suite)
  const signature = curve.sign(message, secret, { prehash: true, lowS: true })
  return {
    secret,
    publicKey: curve.getPublicKey(secret, false),
    message,
    signature,
    r: toInteger(signature.slice(0, bytes)),
    s: toInteger(signature.slice(bytes)),
  }
}

function scalarCases(suite: Suite): readonly SignatureCase[] {
  const { publicKey, message, signature, r, s } = honest(suite)
  const order = suite.curve.Point.Fn.ORDER
  const allBits = 2n ** BigInt(8 * suite.bytes) - 1n
  const build = (name: string, first: bigint, second: bigint, accepted = false) => ({
    ...{ name, publicKey, message, accepted },
    signature: concat(bigEndian(first, suite), bigEndian(second, suite)),
  })
  return [
    build('low s', r, s, true),
    build('high s', r, order - s, true),
    build('r is zero', 0n, s),
    build('s is zero', r, 0n),
    build('both are zero', 0n, 0n),
    build('r is the order', order, s),
    build('s is the order', r, order),
    build('r has all bits', allBits, s),
    build('s has all bits', r, allBits),
    build('r and s exchanged', s, r),
    build('r is one', 1n, s),
    build('s is one', r, 1n),
    build('r negated', order - r, s),
    { ...build('other message', r, s), message: utf8('another') },
    { ...build('short signature', r, s), signature: signature.slice(1) },
    { ...build('long signature', r, s), signature: concat(signature, Uint8Array.of(0)) },
  ]
}

function keyCases(suite: Suite): readonly SignatureCase[] {
  const { curve, bytes } = suite
  const { secret, publicKey, message, signature } = honest(suite)
  const field = curve.Point.Fp.ORDER
  const coordinate = (value: bigint) => bigEndian(value, suite)
  const x = publicKey.slice(1, 1 + bytes)
  const y = publicKey.slice(1 + bytes)
  const odd = (y[bytes - 1] ?? 0) & 1
  const small = firstPointFrom(1n, suite)
  const smallY = toInteger(small.point.toBytes(false).slice(1 + bytes))
  const build = (name: string, key: Uint8Array) => ({ name, publicKey: key, message, signature, accepted: false })
  const point = (first: number, ...coordinates: readonly Uint8Array[]) => concat(Uint8Array.of(first), ...coordinates)
  return [
    build('key off the curve', point(4, x, coordinate(toInteger(y) ^ 1n))),
    build('key negated', point(4, x, coordinate(field - toInteger(y)))),
    build('key at the origin', point(4, new Uint8Array(2 * bytes))),
    build('key at infinity, padded', point(0, new Uint8Array(2 * bytes))),
    build('key at infinity', Uint8Array.of(0)),
    build('compressed key', curve.getPublicKey(secret, true)),
    build('compressed key, padded', point(2 + odd, x, new Uint8Array(bytes))),
    build('hybrid key', point(6 + odd, x, y)),
    build('hybrid key of the wrong sign', point(7 - odd, x, y)),
    build('key with x above the field', point(4, coordinate(small.x + field), coordinate(smallY))),
    build('key with y above the field', point(4, coordinate(small.x), parseHex('ff'.repeat(bytes)))),
    build('key with x and y exchanged', point(4, y, x)),
    build('short key', publicKey.slice(0, 2 * bytes)),
    build('long key', concat(publicKey, Uint8Array.of(0))),
    build('empty key', new Uint8Array(0)),
  ]
}

/**
 * The nonce's point has an x between the group's order and the field's, so that r is x less the order. The key is
 * computed from the signature: nobody knows its secret.
 */
function wrappedCases(suite: Suite): readonly SignatureCase[] {
  const { Point } = suite.curve
  const order = Point.Fn.ORDER
  const { point, x } = firstPointFrom(order + 1n, suite)
  const r = x - order
  const s = 7n
  const digest = toInteger(suite.hash(messageOf(suite))) % order
  const inverse = Point.Fn.inv(r)
  const key = point
    .multiplyUnsafe((s * inverse) % order)
    .add(Point.BASE.multiplyUnsafe(((order - digest) * inverse) % order))
  const build = (name: string, first: bigint, accepted: boolean) => ({
    ...{ name, publicKey: key.toBytes(false), message: messageOf(suite), accepted },
    signature: concat(bigEndian(first, suite), bigEndian(s, suite)),
  })
  return [
    build('x of the nonce above the order', r, true),
    build('x of the nonce above the order, not reduced', x, false),
  ]
}
