/** Chains of certificates up to a pinned root, and what their issuers revoked. @spec RFC 5280 §6, without policies and constraints of names */
import { toHex } from '../../bytes/bytes.ts'
import type { Memory } from '../../bytes/memory.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError, codeOf, quote } from '../../errors.ts'
import type { Certificate } from './certificate.ts'
import type { Crl } from './crl.ts'
import { BASIC_CONSTRAINTS, KEY_USAGE } from './extensions.ts'
import { verifySignature } from './signature.ts'

export { verifyMessage } from './signature.ts'

const MAX_CHAIN = 8
const UNDERSTOOD: readonly string[] = [BASIC_CONSTRAINTS, KEY_USAGE]

export interface ChainRules {
  /** SHA-256 of the DER of the roots that are trusted, hexadecimal. */
  readonly roots: readonly string[]
  /** The time at which every certificate must be valid. */
  readonly atMs: number
  /** Allowed common names, from the leaf to the root; where there are any, the chain is as long as they are. */
  readonly names?: readonly (readonly string[] | undefined)[]
  /** Whether the first certificate issues others itself. */
  readonly leafIsCa?: boolean
  /** Whether the pinned certificate may be one that another issued: where a maker does not hand out its root. */
  readonly endsBelowRoot?: boolean
  /** Critical extensions that the caller reads itself. */
  readonly allowedCritical?: readonly string[]
}

/**
 * Proves that `chain`, from the leaf to the root, is what its issuers made: the root is pinned by its bytes, each certificate
 * is named and signed by the one after it, which may issue, and all are valid at the time.
 *
 * The signature of the root over itself is not looked at: it would prove nothing beyond its digest. Proves nothing about
 * revocation; see {@link verifyCrl}. With a memory, signatures between remembered certificates are checked once; everything else
 * is checked each time.
 *
 * @throws {CountersignError} `certificate/wrong-chain`, `certificate/not-current`
 */
export function verifyChain(crypto: Crypto, chain: readonly Certificate[], rules: ChainRules, memory?: Memory): void {
  requireShape(chain, rules)
  requirePinnedRoot(crypto, chain.at(-1), rules.roots, memory)
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1] ?? (rules.endsBelowRoot ? undefined : certificate)
    if (issuer !== undefined) requireIssuedBy(certificate, issuer)
    requireUse(certificate, i, rules.leafIsCa ?? false)
    requireUnderstood(certificate, rules.allowedCritical ?? [])
  }
  for (const certificate of chain) verifyCurrent(certificate, rules.atMs)
  for (const [i, issuer] of chain.slice(1).entries()) {
    const signed = chain[i]
    if (signed !== undefined) verifySignedBy(crypto, signed, issuer, memory)
  }
}

/** The last moment at which all certificates of a chain are valid. */
export function chainCurrentUntilMs(chain: readonly Certificate[]): number {
  return chain.reduce((least, { notAfterMs }) => Math.min(least, notAfterMs), Number.MAX_SAFE_INTEGER)
}

/**
 * Proves that the key of `issuer` signed a certificate or a list that names it as issuer. Proves nothing about the issuer, not
 * even that it may issue.
 *
 * @throws {CountersignError} `certificate/wrong-chain`
 */
export function verifySignedBy(crypto: Crypto, signed: Certificate | Crl, issuer: Certificate, memory?: Memory): void {
  requireIssuedBy(signed, issuer)
  const prove = () => {
    try {
      verifySignature(crypto, issuer.publicKey, signed.signatureAlgorithm, signed.tbs, signed.signature)
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
      const message = `the signature on ${nameOf(signed)} was not made by ${nameOf(issuer)}`
      throw new CountersignError('certificate/wrong-chain', message, { cause: thrown })
    }
    return true
  }
  if (memory === undefined) prove()
  else memory.recallOf('x509/signed-by', signed, issuer, prove)
}

/** Proves that a certificate is valid at a time. @throws {CountersignError} `certificate/not-current` */
export function verifyCurrent(certificate: Certificate, atMs: number): void {
  const { notBeforeMs, notAfterMs } = certificate
  // Dates are to the second, and the last second counts whole.
  if (atMs >= notBeforeMs && atMs < notAfterMs + 1000) return
  throw new CountersignError(
    'certificate/not-current',
    `${nameOf(certificate)} is valid from ${textOf(notBeforeMs)} to ${textOf(notAfterMs)}, and not at ${textOf(atMs)}`,
  )
}

/**
 * Proves that `crl` is the word of `issuer` at the time: its name, its signature, its use, and its dates. A list without a date
 * for the next one never grows old, so it is refused.
 *
 * @throws {CountersignError} `certificate/wrong-chain`, `certificate/not-current`
 */
export function verifyCrl(crypto: Crypto, crl: Crl, issuer: Certificate, atMs: number, memory?: Memory): void {
  if (!issuer.isCa || issuer.keyUsage?.crlSign !== true) {
    throw wrong(`${nameOf(issuer)} may not issue revocation lists`)
  }
  verifySignedBy(crypto, crl, issuer, memory)
  const { thisUpdateMs, nextUpdateMs } = crl
  if (nextUpdateMs === undefined) {
    throw new CountersignError('certificate/not-current', `${nameOf(crl)} does not say until when it holds`)
  }
  if (atMs >= thisUpdateMs && atMs < nextUpdateMs + 1000) return
  throw new CountersignError(
    'certificate/not-current',
    `${nameOf(crl)} is of ${textOf(thisUpdateMs)} until ${textOf(nextUpdateMs)}, and not current at ${textOf(atMs)}`,
  )
}

/**
 * Checks that a list does not name the certificate. Says nothing about the list: take one that {@link verifyCrl} let through.
 *
 * @throws {CountersignError} `certificate/revoked`; `certificate/wrong-chain` when the list is of another issuer
 */
export function requireNotRevoked(certificate: Certificate, crl: Crl): void {
  if (certificate.issuer !== crl.issuer) {
    throw wrong(`${nameOf(crl)} does not speak of ${nameOf(certificate)}, which another issued`)
  }
  const entry = crl.revoked.get(certificate.serial)
  if (entry === undefined) return
  throw new CountersignError(
    'certificate/revoked',
    `${nameOf(certificate)}, serial number ${certificate.serial}, was revoked at ${textOf(entry.revokedAtMs)}`,
  )
}

function requireShape(chain: readonly Certificate[], { names }: ChainRules): void {
  if (chain.length < 2 || chain.length > MAX_CHAIN) {
    throw wrong(`the chain has ${chain.length} certificates, expected 2 to ${MAX_CHAIN}`)
  }
  if (names === undefined) return
  if (chain.length !== names.length) {
    throw wrong(`the chain has ${chain.length} certificates, expected ${names.length}`)
  }
  for (const [i, certificate] of chain.entries()) {
    const allowed = names[i]
    if (allowed === undefined || (certificate.commonName !== undefined && allowed.includes(certificate.commonName))) {
      continue
    }
    throw wrong(`certificate ${i} of the chain is ${nameOf(certificate)}, expected ${allowed.join(' or ')}`)
  }
}

function requirePinnedRoot(
  crypto: Crypto,
  root: Certificate | undefined,
  roots: readonly string[],
  memory: Memory | undefined,
): void {
  if (root === undefined) throw wrong('the chain has no root')
  const digest = () => toHex(crypto.sha256(root.bytes))
  const found = memory === undefined ? digest() : memory.recallOf('x509/digest', root, root, digest)
  if (!roots.includes(found)) throw wrong(`the chain ends at ${nameOf(root)}, ${found}, which is no pinned root`)
}

/** A root is its own issuer. */
function requireIssuedBy(signed: Certificate | Crl, issuer: Certificate): void {
  if (signed.issuer === issuer.subject) return
  throw wrong(`${nameOf(signed)} was issued by ${quote(signed.issuerCommonName ?? '')}, not by ${nameOf(issuer)}`)
}

/** CA flag, length of path, and use of the key. */
function requireUse(certificate: Certificate, index: number, leafIsCa: boolean): void {
  const { isCa, pathLength, keyUsage } = certificate
  const name = nameOf(certificate)
  if (index === 0 && !leafIsCa) {
    if (isCa) throw wrong(`${name} ends the chain and may issue certificates`)
    if (keyUsage !== undefined && !keyUsage.digitalSignature) throw wrong(`the key of ${name} is not for signatures`)
    return
  }
  if (!isCa) throw wrong(`${name} may not issue certificates`)
  if (keyUsage?.certSign !== true) throw wrong(`the key of ${name} is not for signing certificates`)
  if (pathLength !== undefined && index - 1 > pathLength) {
    throw wrong(`${name} allows ${pathLength} issuers below it, and there are ${index - 1}`)
  }
}

function requireUnderstood(certificate: Certificate, allowed: readonly string[]): void {
  for (const [oid, { critical }] of certificate.extensions) {
    if (!critical || UNDERSTOOD.includes(oid) || allowed.includes(oid)) continue
    throw wrong(`${nameOf(certificate)} has a critical extension ${oid}, which is not understood`)
  }
}

function nameOf(each: Partial<Certificate> & Partial<Crl>): string {
  if (each.commonName !== undefined) return quote(each.commonName)
  return each.thisUpdateMs === undefined
    ? 'a certificate without a name'
    : `the revocation list of ${quote(each.issuerCommonName ?? '')}`
}

function textOf(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

function wrong(why: string): CountersignError {
  return new CountersignError('certificate/wrong-chain', why)
}
