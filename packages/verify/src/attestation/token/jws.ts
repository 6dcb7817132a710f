/**
 * Signed tokens: JSON Web Signatures in compact form, read strictly. Keys that a header gives or points to (`jwk`, `jku`,
 * `x5u`) are never looked at: a token cannot vouch for itself. Certificates in it count as far as a policy pins their issuer.
 *
 * @spec RFC 7515 §3.1, §5.2; RFC 8725 §3.1
 */
import { parseBase64Url } from '../../bytes/base64.ts'
import { utf8 } from '../../bytes/bytes.ts'
import { type Json, type JsonLimits, parseJson } from '../../bytes/json.ts'
import { Fields } from '../../bytes/shape.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError, quote } from '../../errors.ts'
import { verifyMessage } from '../x509/chain.ts'
import { readCertificates, type TokenKey } from './jwks.ts'

/** Algorithms that the services whose tokens are read here sign with. */
export const JWS_ALGORITHMS = ['RS256', 'ES256', 'ES384'] as const
export type JwsAlgorithm = (typeof JWS_ALGORITHMS)[number]

/** What a token says. */
export type Claims = { readonly [name: string]: Json }

/** A token, taken apart. Nothing in it is proven. */
export interface UnverifiedJws {
  readonly algorithm: JwsAlgorithm
  /** Names the key; a hint and no more. */
  readonly keyId: string | undefined
  /** The certificates that it brings along, DER, the key's first. Anybody can bring some. */
  readonly certificates: readonly Uint8Array[]
  readonly claims: Claims
  /** Header and payload as they were signed, in ASCII. */
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

/** Longest token, in characters. Those of Google carry the whole environment of a container. */
export const MAX_TOKEN_LENGTH = 256 * 1024

const HEADER_LIMITS: JsonLimits = { maxBytes: 64 * 1024, maxDepth: 4 }
const CLAIMS_LIMITS: JsonLimits = { maxBytes: MAX_TOKEN_LENGTH, maxDepth: 16 }
const MAX_KEY_ID_LENGTH = 512

/** Extensions that change what is signed or how a header is to be understood. @spec RFC 7515 §4.1.11, RFC 7797 §3 */
const UNSUPPORTED_HEADERS = ['crit', 'b64', 'zip', 'enc']

/**
 * Takes a token apart: three parts of strict base64url, no white space, no duplicate keys, one of the caller's algorithms.
 * Proves nothing; that is {@link verifyJws}.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`, `bytes/*`, `json/*`, `shape/*`
 */
export function parseJws(token: string, algorithms: readonly JwsAlgorithm[]): UnverifiedJws {
  if (token.length > MAX_TOKEN_LENGTH) throw malformed(`it has more than ${MAX_TOKEN_LENGTH} characters`)
  const [header, payload, signature, ...more] = token.split('.', 4)
  if (!header || !payload || !signature || more.length > 0) throw malformed('it does not have three parts')
  const fields = new Fields(parseJson(parseBase64Url(header), HEADER_LIMITS), 'token header')
  const unsupported = UNSUPPORTED_HEADERS.find((name) => fields.has(name))
  if (unsupported !== undefined) {
    throw new CountersignError('evidence/unsupported', `the token's header has ${unsupported}, which is not known here`)
  }
  const claims = parseJson(parseBase64Url(payload), CLAIMS_LIMITS)
  if (claims === null || typeof claims !== 'object' || Array.isArray(claims))
    throw malformed('its claims are no object')
  return {
    algorithm: algorithmOf(fields.text('alg', { maxLength: 32 }), algorithms),
    keyId: fields.optional('kid', () => fields.text('kid', { maxLength: MAX_KEY_ID_LENGTH })),
    certificates: readCertificates(fields),
    claims: claims as Claims,
    signed: utf8(`${header}.${payload}`),
    signature: parseBase64Url(signature),
  }
}

function algorithmOf(name: string, algorithms: readonly JwsAlgorithm[]): JwsAlgorithm {
  const algorithm = algorithms.find((each) => each === name)
  if (algorithm !== undefined) return algorithm
  throw new CountersignError(
    'evidence/unsupported',
    `the token is signed by ${quote(name)}; its issuer signs by ${algorithms.join(', ')}`,
  )
}

/** The kind of key and the hash of each algorithm. How long a signature must be is the provider's check. */
const NEEDS = {
  RS256: { kind: 'rsa', hash: 'sha256' },
  ES256: { kind: 'p256', hash: 'sha256' },
  ES384: { kind: 'p384', hash: 'sha384' },
} as const

/**
 * Proves that the token was signed with that key, or throws. The algorithm must be the key's own: what the header says can
 * choose between keys, never what a key is used for.
 *
 * Proves nothing about whose key that is: key sets are unsigned, so a key counts when a policy pins it.
 *
 * @throws {CountersignError} `signature/invalid`
 * @spec RFC 7518 §3.3, §3.4
 */
export function verifyJws(crypto: Crypto, jws: UnverifiedJws, { key, algorithm }: TokenKey): void {
  const { kind, hash } = NEEDS[jws.algorithm]
  if (kind !== key.kind || (algorithm !== undefined && algorithm !== jws.algorithm)) {
    throw new CountersignError('signature/invalid', `the token is signed by ${jws.algorithm}, which its key is not for`)
  }
  verifyMessage(crypto, key, hash, jws.signed, jws.signature)
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', `not a compact signed token: ${why}`)
}
