/** The checks that stand first for every kind of evidence that is one token: whose word it is, and when it was given. */
import { parseUtf8 } from '../../bytes/bytes.ts'
import { Fields } from '../../bytes/shape.ts'
import type { AppraisalInput, Appraised } from '../appraised.ts'
import type { EvidenceChecks } from '../checks.ts'
import { type Claims, type JwsAlgorithm, parseJws } from './jws.ts'
import { requireValidAt, type TokenTimes, timesOf } from './token-claims.ts'
import { checkPins, checkSignatures, TOKEN_PINS } from './token-keys.ts'

export const TOKEN_CHECKS = ['format', 'issuer', 'signature', 'token-key', 'validity'] as const
type TokenCheck = (typeof TOKEN_CHECKS)[number]

/** A token that some key of the collateral signed. */
export interface SignedToken {
  readonly claims: Fields
  /** The same, as they came. */
  readonly raw: Claims
  readonly times: TokenTimes | undefined
  /** Until when certificates that the key rests on are valid, milliseconds. */
  readonly keyUntilMs: number
  /** Whether the policy vouches for that key, and the token is its issuer's. Until then the claims are anybody's. */
  readonly isVouched: boolean
}

/**
 * Makes the checks of `TOKEN_CHECKS`. `undefined` where a signature is not shown, or one of the first four failed: then nothing
 * in the token is worth looking at.
 */
export function openToken<Name extends string>(
  list: EvidenceChecks<Name | TokenCheck>,
  content: Uint8Array,
  input: AppraisalInput,
  algorithms: readonly JwsAlgorithm[],
  checkIssuer: (claims: Fields) => void,
): SignedToken | undefined {
  const token = list.attempt('format', () => {
    const text = parseUtf8(content)
    return { text, jws: parseJws(text, algorithms) }
  })
  if (token === undefined) return undefined
  const claims = new Fields(token.jws.claims, 'token')
  checkIssuer(claims)
  if (hasFailed(list, 'issuer')) return undefined
  const keys = checkSignatures(list, input, [token])
  if (keys === undefined) return undefined
  const keyUntilMs = checkPins(list, input, keys, TOKEN_PINS)
  if (hasFailed(list, 'token-key')) return undefined
  const times = list.attempt('validity', () => {
    const read = timesOf(claims)
    requireValidAt(read, input.atMs)
    return read
  })
  return {
    claims,
    raw: token.jws.claims,
    times,
    keyUntilMs,
    isVouched: list.passed('issuer', 'signature', 'token-key'),
  }
}

/** Times of a token whose issuer is known to have signed it; nothing of another's. */
export function timesShown(token: SignedToken | undefined): Pick<Appraised, 'madeAtMs' | 'currentUntilMs'> {
  if (token?.isVouched !== true || token.times === undefined) return { madeAtMs: undefined, currentUntilMs: undefined }
  const { issuedAtMs, expiresAtMs } = token.times
  return { madeAtMs: issuedAtMs, currentUntilMs: Math.min(expiresAtMs - 1, token.keyUntilMs) }
}

/** As against passed and not checked. */
export function hasFailed<Name extends string>(list: EvidenceChecks<Name>, ...names: readonly Name[]): boolean {
  const failed = list.list().filter(({ result }) => result === 'fail')
  return names.some((what) => failed.some(({ name }) => name === `${list.kind}/${what}`))
}
