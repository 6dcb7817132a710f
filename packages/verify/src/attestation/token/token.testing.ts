/** Tokens for tests: keys of our own, key sets with them, and whatever header and claims a test wants signed. */
import { toBase64, toBase64Url } from '../../bytes/base64.ts'
import { utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { jsonBytes } from '../../fixture.testing.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import type { CollateralBundle } from '../collateral.ts'
import { type PlacePolicy, readPlacePolicy } from '../place-policy.ts'
import { createTestKey, type TestKey } from '../x509/pki.testing.ts'
import type { PublicKey } from '../x509/signature.ts'
import { thumbprintOf } from './jwks.ts'
import type { JwsAlgorithm } from './jws.ts'

/** A key whose private half everybody has. */
export interface TestTokenKey {
  readonly keyId: string
  readonly algorithm: JwsAlgorithm
  readonly jwk: { readonly [name: string]: Json }
  readonly thumbprint: string
  /** For issuing certificates. */
  readonly key: TestKey
  readonly publicKey: PublicKey
  sign(message: Uint8Array): Uint8Array
}

export type ClaimChanges = { readonly [name: string]: Json | undefined }

const KINDS = { RS256: 'rsa2048', ES256: 'p256', ES384: 'p384' } as const
const crypto = createNodeCrypto()

/** The key of a name. There are two RSA keys: that of names which end in `2`, and that of all others. */
export function testTokenKey(algorithm: JwsAlgorithm, keyId: string): TestTokenKey {
  const isOther = algorithm === 'RS256' && keyId.endsWith('2')
  const key = createTestKey(KINDS[algorithm], isOther ? 'other' : `token ${keyId}`)
  const { publicKey } = key
  return {
    ...{ keyId, algorithm, key, publicKey, thumbprint: thumbprintOf(crypto, publicKey) },
    jwk: { kid: keyId, ...membersOf(publicKey) },
    sign: (message) => (algorithm === 'RS256' ? key.sign('rsa-pkcs1-sha256', message) : key.signRaw(message)),
  }
}

function membersOf(key: PublicKey): { readonly [name: string]: Json } {
  if (key.kind === 'rsa') {
    return { kty: 'RSA', use: 'sig', n: toBase64Url(key.modulus), e: toBase64Url(key.exponent) }
  }
  const bytes = (key.point.length - 1) / 2
  const [x, y] = [key.point.slice(1, 1 + bytes), key.point.slice(1 + bytes)]
  return { kty: 'EC', crv: key.kind === 'p256' ? 'P-256' : 'P-384', x: toBase64Url(x), y: toBase64Url(y) }
}

/** Certificates as `x5c` has them. */
export function x5cOf(certificates: readonly Uint8Array[]): readonly string[] {
  return certificates.map((certificate) => toBase64(certificate))
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
