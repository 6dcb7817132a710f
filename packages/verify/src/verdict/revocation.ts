/** Revocations that count, and what they say of one piece of appraised evidence. @spec spec/revocation.md */
import type { Appraisal } from '../attestation/appraise.ts'
import type { Appraised } from '../attestation/appraised.ts'
import type { Json } from '../bytes/json.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import type { UnverifiedReceipt } from '../log/bundle.ts'
import { openReceipt } from '../log/receipt.ts'
import { type BoundKey, isSameKey } from '../statement/bound-key.ts'
import { parseRevocation, type RevocationPredicate, type Revoked } from '../statement/revocation.ts'
import { parseStatement, type StatementDigest } from '../statement/statement.ts'
import { findSigner, type Party, type RevokerRole, type Trust } from '../trust/trust-file.ts'

/** A revocation that stands in a trusted log, signed by a party whose revocations count. */
export interface Revocation extends RevocationPredicate {
  readonly statement: StatementDigest
  readonly by: Party
  /** By which of its roles it counts: an operator's counts for its own answers alone. */
  readonly role: RevokerRole
}

/**
 * A revocation out of its receipt, after log and signature were checked, and its key found in the trust file.
 *
 * Proves that the party says so. That it is true is for the relying party to believe.
 *
 * @throws {CountersignError} `policy/unknown-log`, `signature/unknown-key`, `statement/*`, `shape/*`, and what opening a
 *   receipt throws
 */
export function openRevocation(crypto: Crypto, trust: Trust, receipt: UnverifiedReceipt): Revocation {
  const origin = receipt.checkpoint.text.split('\n')[0] ?? ''
  const log = trust.policy.logs.find((each) => each.key.name === origin)
  if (log === undefined) throw new CountersignError('policy/unknown-log', 'the trust file has no key for this log')
  const { payload, statement, keyId, index } = openReceipt(crypto, receipt, log.key)
  const revocation = parseRevocation(parseStatement(payload))
  for (const role of trust.revokers) {
    const signer = findSigner(trust, keyId, role, { origin, index })
    if (signer !== undefined) return { ...revocation, statement, by: signer.party, role }
  }
  throw new CountersignError('signature/unknown-key', `no party whose revocations count has key ${keyId}`)
}

/** Where kinds of evidence say in which state their platform is. */
const STATE_CLAIMS = ['tdx_tcb_status', 'attester_tcb_status']

/** What an appraisal showed that a revocation may be about. */
export interface Revocable {
  readonly appraisal: Appraisal
  /** Keys beside those that the evidence binds: the certificate of the connection. */
  readonly keys: readonly BoundKey[]
}

/** Whether a revocation is about evidence of `operator`. */
export function concerns({ what, role, by }: Revocation, operator: Party, { appraisal, keys }: Revocable): boolean {
  if (role === 'operator' && by.name !== operator.name) return false
  return what.kind === 'key'
    ? [...appraisal.keys, ...keys].some((each) => isSameKey(each, what.key))
    : appraisal.items.some((item) => isAbout(item, what))
}

function isAbout(item: Appraised, what: Exclude<Revoked, { kind: 'key' }>): boolean {
  switch (what.kind) {
    case 'device':
      return [...item.deviceIds, ...(item.lastingIds?.values() ?? [])].some((id) => what.ids.includes(id))
    case 'certificate':
      return (item.certificates ?? []).some(({ issuer, serial }) => issuer === what.issuer && serial === what.serial)
    case 'measurement':
      return claimsOf(item, what.tee) !== undefined && item.measurements[what.register] === what.value
    case 'tcb':
      return isInState(claimsOf(item, what.tee), what)
  }
}

/** Claims of that kind of hardware: the item's own, or of what a virtual TPM stands on. */
function claimsOf({ kind, claims }: Appraised, tee: string): Claims | undefined {
  if (kind === tee) return claims
  const { submods } = claims
  return isObject(submods) && isObject(submods[tee]) ? submods[tee] : undefined
}

type Claims = { readonly [name: string]: Json }

function isObject(value: Json | undefined): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A platform, where one is named, and any of the states or advisories, where some are. */
function isInState(
  claims: Claims | undefined,
  { fmspc, states, advisories }: Extract<Revoked, { kind: 'tcb' }>,
): boolean {
  if (claims === undefined || (fmspc !== undefined && claims.tdx_fmspc !== fmspc)) return false
  if (states === undefined && advisories === undefined) return true
  const has = (names: readonly string[], words: readonly string[] = []) =>
    names.some((name) => textsOf(claims[name]).some((text) => words.includes(text)))
  return has(STATE_CLAIMS, states) || has(['tdx_advisory_ids'], advisories)
}

function textsOf(claim: Json | undefined): readonly string[] {
  const all = Array.isArray(claim) ? claim : [claim]
  return all.filter((each): each is string => typeof each === 'string')
}
