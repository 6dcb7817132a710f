/** Tokens for tests: keys of our own, key sets with them, and whatever header and claims a test wants signed. */
import { p256, p384 } from '@noble/curves/nist.js'
import { sha256, sha384 } from '@noble/hashes/sha2.js'
import { toBase64Url } from '../../bytes/base64.ts'
import { concat, parseHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { testRsaKey } from '../../crypto/rsa-keys.testing.ts'
import { jsonBytes } from '../../fixture.testing.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import type { CollateralBundle } from '../collateral.ts'
import { type PlacePolicy, readPlacePolicy } from '../place-policy.ts'
import { type PublicTokenKey, thumbprintOf } from './jwks.ts'
import type { JwsAlgorithm } from './jws.ts'

/** A key whose private half everybody has. */
export interface TestTokenKey {
  readonly keyId: string
  readonly algorithm: JwsAlgorithm
  readonly jwk: { readonly [name: string]: Json }
  readonly publicKey: PublicTokenKey
  readonly thumbprint: string
  sign(message: Uint8Array): Uint8Array
}

export type ClaimChanges = { readonly [name: string]: Json | undefined }

const RSA_SHA256_PREFIX = parseHex('3031300d060960864801650304020105000420')
const crypto = createNodeCrypto()

export function testTokenKey(algorithm: JwsAlgorithm, keyId: string): TestTokenKey {
  const made = algorithm === 'RS256' ? rsaKey(keyId) : pointKey(algorithm, keyId)
  return { keyId, algorithm, thumbprint: thumbprintOf(crypto, made.publicKey), ...made }
}

/** One of two keys: names that end in `2` have the other modulus. */
function rsaKey(keyId: string): Pick<TestTokenKey, 'jwk' | 'publicKey' | 'sign'> {
  const { key, signRaw } = testRsaKey(keyId.endsWith('2') ? 2049 : 2048)
  const length = key.modulus.length
  return {
    jwk: { kty: 'RSA', kid: keyId, use: 'sig', n: toBase64Url(key.modulus), e: toBase64Url(key.exponent) },
    publicKey: { kind: 'rsa', ...key },
    sign: (message) => {
      const info = concat(RSA_SHA256_PREFIX, sha256(message))
      const padding = new Uint8Array(length - 3 - info.length).fill(0xff)
      return signRaw(concat(Uint8Array.of(0, 1), padding, Uint8Array.of(0), info))
    },
  }
}

function pointKey(algorithm: 'ES256' | 'ES384', keyId: string): Pick<TestTokenKey, 'jwk' | 'publicKey' | 'sign'> {
  const [curve, crv] = algorithm === 'ES256' ? ([p256, 'P-256'] as const) : ([p384, 'P-384'] as const)
  const secret = (algorithm === 'ES256' ? sha256 : sha384)(utf8(`test token key ${keyId}`))
  const point = curve.getPublicKey(secret, false)
  const bytes = (point.length - 1) / 2
  const [x, y] = [point.slice(1, 1 + bytes), point.slice(1 + bytes)]
  return {
    jwk: { kty: 'EC', crv, kid: keyId, x: toBase64Url(x), y: toBase64Url(y) },
    publicKey: { kind: algorithm === 'ES256' ? 'p256' : 'p384', point },
    sign: (message) => curve.sign(message, secret, { prehash: true, lowS: false }),
  }
}

/** A compact token; `header` adds to what the key gives, and `undefined` takes away. */
export function signToken(key: TestTokenKey, claims: ClaimChanges, header: ClaimChanges = {}): string {
  return signText(
    key,
    JSON.stringify({ alg: key.algorithm, kid: key.keyId, typ: 'JWT', ...header }),
    JSON.stringify(claims),
  )
}

/** The same over texts, for what no JSON writer would write. */
export function signText(key: TestTokenKey, header: string, claims: string): string {
  const signed = `${toBase64Url(utf8(header))}.${toBase64Url(utf8(claims))}`
  return `${signed}.${toBase64Url(key.sign(utf8(signed)))}`
}

/** A bundle of one key set. */
export function keySet(...keys: readonly TestTokenKey[]): CollateralBundle {
  return { items: [{ kind: 'jwks', content: jsonBytes({ keys: keys.map(({ jwk }) => jwk) }) }] }
}

export function testPolicy(policy: Json): PlacePolicy {
  return readPlacePolicy(policy, 'policy')
}

export function testInput(input: Partial<AppraisalInput>): AppraisalInput {
  const nothing = { policy: undefined, nonce: undefined, memory: undefined }
  return { crypto, atMs: 0, collateral: { items: [] }, ...nothing, ...input }
}

/** Names of the checks that went so, without the kind. */
export function checksThat({ checks }: Appraised, result: 'pass' | 'fail' | 'not-checked'): readonly string[] {
  return checks.filter((check) => check.result === result).map(({ name }) => name.slice(name.indexOf('/') + 1))
}
