/** What the tokens of all services have in common: times, nonces, and how a policy's lists are compared. */
import { toBase64, toBase64Url } from '../../bytes/base64.ts'
import { toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { Fields, type Path, readText, ShapeError } from '../../bytes/shape.ts'
import { CountersignError, quote } from '../../errors.ts'
import type { EvidenceChecks } from '../checks.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { refused } from '../refusals.ts'
import type { Claims } from './jws.ts'

const MS_PER_SECOND = 1000
const MAX_SECONDS = 2 ** 40
const MAX_TEXTS = 64

export interface TokenTimes {
  readonly issuedAtMs: number
  readonly notBeforeMs: number
  /** The first moment at which the token is no longer valid. */
  readonly expiresAtMs: number
}

/**
 * The times of a token; without `nbf` it is valid from when it was issued.
 *
 * @throws {CountersignError} `shape/*`
 * @spec RFC 7519 §4.1.4 to §4.1.6
 */
export function timesOf(claims: Fields): TokenTimes {
  const seconds = (name: string) => claims.integer(name, 0, MAX_SECONDS) * MS_PER_SECOND
  const issuedAtMs = seconds('iat')
  const notBeforeMs = claims.optional('nbf', () => seconds('nbf')) ?? issuedAtMs
  return { issuedAtMs, notBeforeMs, expiresAtMs: seconds('exp') }
}

/**
 * Refuses a token that is not valid at `atMs`: issued later, not valid yet, or expired. No tolerance for clocks.
 *
 * @throws {CountersignError} `collateral/not-current`
 */
export function requireValidAt({ issuedAtMs, notBeforeMs, expiresAtMs }: TokenTimes, atMs: number): void {
  const from = Math.max(issuedAtMs, notBeforeMs)
  if (atMs >= from && atMs < expiresAtMs) return
  const span = `${new Date(from).toISOString()} to ${new Date(expiresAtMs).toISOString()}`
  throw new CountersignError('collateral/not-current', `the token is valid from ${span}`)
}

/**
 * A claim that is a text or a list of texts; none where there is no such claim.
 *
 * @throws {CountersignError} `shape/*`
 */
export function textsOf(claims: Fields, name: string, maxItems = MAX_TEXTS): readonly string[] {
  const value = claims.any(name)
  if (value === undefined || value === null) return []
  if (typeof value === 'string') return [readText(value, claims.at(name))]
  return claims.list(name, maxItems, (item: Json, path: Path) => readText(item, path))
}

/**
 * The check `nonce`: one of the token's nonces is the caller's challenge, in hexadecimal, base64 or base64url. Whether it is.
 */
export function checkNonce<Name extends string>(
  list: EvidenceChecks<Name | 'nonce'>,
  found: () => readonly string[],
  nonce: Uint8Array | undefined,
): boolean {
  if (nonce === undefined) {
    list.notChecked('nonce', 'no freshness: no challenge was given')
    return false
  }
  list.attempt('nonce', () => {
    const spellings = [toHex(nonce), toBase64(nonce), toBase64Url(nonce)]
    if (nonce.length > 0 && found().some((each) => spellings.includes(each))) return
    throw new CountersignError('evidence/mismatch', 'the token does not answer the challenge')
  })
  return list.passed('nonce')
}

export const NO_POLICY = 'no policy was given'

/** A check of a list of the policy's signers: every value that was found is on it, and there is one. */
export function checkListed<Name extends string>(
  list: EvidenceChecks<Name>,
  what: Name,
  policy: PlacePolicy | undefined,
  signer: string,
  found: () => readonly string[],
): void {
  const allowed = policy?.signers[signer]
  if (allowed === undefined) {
    list.notChecked(what, policy === undefined ? NO_POLICY : `the policy has no signers.${signer}`)
    return
  }
  list.attempt(what, () => {
    const values = found()
    if (values.length === 0) throw refused(`the token has no ${signer}`)
    const other = values.find((each) => !allowed.includes(each))
    if (other !== undefined) throw refused(`${quote(other)} is not in the policy's signers.${signer}`)
  })
}

/**
 * Refuses a claim that is not the one value that it must be.
 *
 * @throws {CountersignError} `shape/missing-field`, `evidence/refused`
 */
export function requireClaim(claims: Fields, name: string, expected: string | number | boolean): void {
  const found = claims.required(name)
  if (found === expected) return
  const shown = typeof found === 'object' ? 'something else' : quote(String(found))
  throw refused(`${claims.at(name)} is ${shown}, not ${expected}`)
}

/** The fields of an object within claims; an empty object where there is none. */
export function objectOf(claims: Fields, name: string): Fields {
  const value = claims.any(name)
  return new Fields(value === undefined || value === null ? {} : value, claims.at(name))
}

/** Hexadecimal of `byteLength` bytes, in either case as services write it; lower-case. @throws {CountersignError} `shape/*` */
export function hexOf(claims: Fields, name: string, byteLength: number): string {
  const text = claims.text(name, { maxLength: byteLength * 2 }).toLowerCase()
  if (text.length === byteLength * 2 && /^[0-9a-f]*$/.test(text)) return text
  throw new ShapeError('shape/bad-value', claims.at(name), `expected ${byteLength * 2} hexadecimal digits`)
}

/** Those of the claims that are there, to be shown. */
export function shownClaims(claims: Claims, names: readonly string[]): Claims {
  const found = names.filter((name) => Object.hasOwn(claims, name))
  return Object.fromEntries(found.map((name) => [name, claims[name] as Json]))
}

/** An object within claims, for showing: an empty one where it is something else. */
export function memberOf(claims: Claims, name: string): Claims {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined
  return value === null || typeof value !== 'object' || Array.isArray(value) ? {} : (value as Claims)
}
