/** Lists of revoked certificates. Parsed only: nothing here is proven. @spec RFC 5280 §5 */
import { toHex } from '../../bytes/bytes.ts'
import type { Memory } from '../../bytes/memory.ts'
import { CountersignError } from '../../errors.ts'
import { explicitExtensions, latin1, requireSameAlgorithm, serialOf, signedParts } from './certificate.ts'
import { type DerValue, integerOf, parseDer, sequenceOf, TAG, timeOf } from './der.ts'
import { commonNameOf, type Extensions, extensionsOf } from './extensions.ts'
import type { SignatureAlgorithm } from './signature.ts'

/** Unverified. */
export interface Crl {
  readonly bytes: Uint8Array
  readonly tbs: Uint8Array
  /** DER of the Name, hexadecimal. */
  readonly issuer: string
  readonly issuerCommonName: string | undefined
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number | undefined
  /** By serial number, as in `Certificate.serial`. */
  readonly revoked: ReadonlyMap<string, { readonly revokedAtMs: number }>
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly signature: Uint8Array
}

const VERSION_2 = 1
const EXPLICIT_EXTENSIONS = 0xa0

/**
 * Reads a list of version 2. Critical extensions of list or entry are refused: they would change whose certificates it speaks
 * of, or which of them. With a memory, the same bytes are read once.
 *
 * @throws {CountersignError} `der/malformed`, `certificate/malformed`, `bytes/bad-utf8`
 */
export function parseCrl(der: Uint8Array, memory?: Memory): Crl {
  return memory === undefined ? readCrl(der) : memory.recall('x509/crl', latin1(der), () => readCrl(der.slice()))
}

function readCrl(der: Uint8Array): Crl {
  const { tbs, signatureAlgorithm, signature, algorithm } = signedParts(parseDer(der), 'revocation list')
  const parts = [...tbs.children()]
  if (integerOf(parts.shift()) !== VERSION_2) {
    throw new CountersignError('certificate/malformed', 'the revocation list is not of version 2')
  }
  requireSameAlgorithm(parts.shift(), algorithm)
  const issuer = parts.shift()
  if (issuer === undefined) throw new CountersignError('certificate/malformed', 'the revocation list has no issuer')
  const thisUpdateMs = timeOf(parts.shift())
  const nextUpdateMs = isTime(parts[0]) ? timeOf(parts.shift()) : undefined
  const revoked = parts[0]?.tag === TAG.sequence ? revokedOf(sequenceOf(parts.shift(), 'revoked')) : new Map()
  requireNoneCritical(explicitExtensions(parts.shift(), EXPLICIT_EXTENSIONS))
  if (parts.length > 0) throw new CountersignError('certificate/malformed', 'the revocation list has parts too many')
  return {
    ...{ bytes: der, tbs: tbs.bytes, issuer: toHex(issuer.bytes), issuerCommonName: commonNameOf(issuer) },
    ...{ thisUpdateMs, nextUpdateMs, revoked, signatureAlgorithm, signature },
  }
}

function isTime(value: DerValue | undefined): boolean {
  return value?.tag === TAG.utcTime || value?.tag === TAG.generalizedTime
}

function revokedOf(entries: readonly DerValue[]): Map<string, { readonly revokedAtMs: number }> {
  const revoked = new Map<string, { readonly revokedAtMs: number }>()
  for (const entry of entries) {
    const [serialPart, date, extensions, ...more] = sequenceOf(entry, 'revoked certificate')
    const serial = serialOf(serialPart)
    if (more.length > 0 || revoked.has(serial)) {
      throw new CountersignError(
        'certificate/malformed',
        `the entry of ${serial} is there twice, or has parts too many`,
      )
    }
    if (extensions !== undefined) requireNoneCritical(extensionsOf(extensions))
    revoked.set(serial, { revokedAtMs: timeOf(date) })
  }
  return revoked
}

function requireNoneCritical(extensions: Extensions): void {
  for (const [oid, { critical }] of extensions) {
    if (critical) {
      throw new CountersignError('certificate/malformed', `the revocation list has a critical extension ${oid}`)
    }
  }
}
