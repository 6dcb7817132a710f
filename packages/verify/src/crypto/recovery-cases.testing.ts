/** Signatures at the edges of recovering a secp256k1 key, with the key computed by the textbook: Q = (sR − zG) / r. */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concat, utf8 } from '../bytes/bytes.ts'
import { bigEndian, toInteger } from './rsa-keys.testing.ts'

export interface RecoveryCase {
  readonly name: string
  readonly digest: Uint8Array
  readonly signature: Uint8Array
  readonly isOdd: boolean
  /** The key to be found; `undefined` where there must be none. */
  readonly signer: Uint8Array | undefined
}

const { Point } = secp256k1
const ORDER = Point.Fn.ORDER
const FIELD = Point.Fp.ORDER
const SECRET = 0x1234_5678_9abc_def0_1234_5678_9abc_def1n
const NONCE = 0xfedc_ba98_7654_3210_0fed_cba9n
const DIGEST = keccak_256(utf8('an edge of recovery'))

const modulo = (value: bigint) => ((value % ORDER) + ORDER) % ORDER

export function recoveryCases(): readonly RecoveryCase[] {
  const nonce = Point.BASE.multiply(NONCE)
  const r = modulo(nonce.x)
  const s = modulo((toInteger(DIGEST) + r * SECRET) * Point.Fn.inv(NONCE))
  // With s negated, R is too: what is low signs with one parity, what is high with the other.
  const isHigh = s > ORDER / 2n
  const [low, isOdd] = [isHigh ? ORDER - s : s, isHigh !== (nonce.y % 2n === 1n)]
  const of = (name: string, first: bigint, second: bigint, odd = isOdd, digest: Uint8Array = DIGEST) => ({
    ...{ name, digest, isOdd: odd },
    signature: concat(bigEndian(first, 32), bigEndian(second, 32)),
  })
  const refused = (...args: Parameters<typeof of>) => ({ ...of(...args), signer: undefined })
  const found = (...args: Parameters<typeof of>) => {
    const made = of(...args)
    return { ...made, signer: textbook(toInteger(made.digest), args[1], args[2], made.isOdd) }
  }
  return [
    { ...of('honest', r, low), signer: Point.BASE.multiply(SECRET).toBytes(false) },
    found('honest, by the textbook', r, low),
    found('the other parity, which is somebody else', r, low, !isOdd),
    found('a digest of zero', r, low, isOdd, new Uint8Array(32)),
    found('a digest above the order', r, low, isOdd, new Uint8Array(32).fill(0xff)),
    found('s is one', r, 1n),
    found('the highest low s', r, ORDER / 2n),
    found('r is one', 1n, low),
    refused('the lowest high s', r, ORDER / 2n + 1n),
    refused('high s', r, ORDER - low, !isOdd),
    refused('r is zero', 0n, low),
    refused('s is zero', r, 0n),
    refused('both are zero', 0n, 0n),
    refused('r is the order', ORDER, low),
    refused('r is above the order, and x of a point', firstX(ORDER + 1n), low),
    refused('r is the field', FIELD, low),
    refused('r has all bits', 2n ** 256n - 1n, low),
    refused('s is the order', r, ORDER),
    refused('s has all bits', r, 2n ** 256n - 1n),
    refused('r is x of no point', firstX(1n, false), low),
    // sR = zG, so that the key would be the point at infinity.
    refused('the key would be at infinity', r, 1n, nonce.y % 2n === 1n, bigEndian(NONCE, 32)),
    { ...refused('a short signature', r, low), signature: new Uint8Array(63).fill(1) },
    { ...refused('a long signature', r, low), signature: new Uint8Array(65).fill(1) },
    refused('a short digest', r, low, isOdd, DIGEST.slice(1)),
    refused('a long digest', r, low, isOdd, concat(DIGEST, Uint8Array.of(0))),
    refused('an empty digest', r, low, isOdd, new Uint8Array(0)),
  ]
}

function textbook(z: bigint, r: bigint, s: bigint, isOdd: boolean): Uint8Array {
  const point = Point.fromBytes(concat(Uint8Array.of(isOdd ? 3 : 2), bigEndian(r, 32)))
  const inverse = Point.Fn.inv(r)
  const key = point.multiplyUnsafe(modulo(s * inverse)).add(Point.BASE.multiplyUnsafe(modulo(-z * inverse)))
  return key.toBytes(false)
}

/** The first number from `x` on that is, or is not, x of a point. */
function firstX(x: bigint, isPoint = true): bigint {
  for (let at = x; ; at++) {
    let found = true
    try {
      Point.fromBytes(concat(Uint8Array.of(2), bigEndian(at, 32)))
    } catch {
      found = false
    }
    if (found === isPoint) return at
  }
}
