/** What every profile begins with: the one piece of evidence whose signed bytes tie a key, and how those bytes are read. */
import { equalBytes, parseHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { Fields } from '../../bytes/shape.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised, EvidenceKind } from '../appraised.ts'
import type { EvidenceChecks } from '../checks.ts'
import type { UnverifiedEvidence } from '../evidence-file.ts'
import { isTeeKind } from '../vocabulary.ts'

/** The checks that stand first in every profile that binds anything. */
export const SIGNED_CHECKS = ['evidence', 'genuine'] as const
type SignedCheck = (typeof SIGNED_CHECKS)[number]

/** How the detail of a check begins that lacks what the provider says. */
export const LACKING_BESIDE = 'not given beside the evidence: '

/** Report data of TDX and SEV-SNP. */
export const REPORT_DATA_BYTES = 64

/** Why a challenge was not looked for, or not found where the kind of evidence looks for it itself. */
export const NO_CHALLENGE = 'no freshness: no challenge was given'
export const NO_ANSWER = 'no freshness: the evidence answers no challenge of the caller'

/**
 * The one processor's evidence in the file, when it is of a kind that the profile has a layout for and genuine; `undefined`
 * otherwise. Nothing that evidence binds counts before that.
 */
export function findSigned<Name extends string>(
  list: EvidenceChecks<Name | SignedCheck>,
  items: readonly Appraised[],
  kinds: readonly EvidenceKind[],
): Appraised | undefined {
  const item = list.attempt('evidence', () => requireOne(items, kinds))
  if (item === undefined) return undefined
  if (!item.isGenuine) {
    list.notChecked(
      'genuine',
      `the ${item.kind} evidence is not shown to be genuine, so what it binds counts for nothing`,
    )
    return undefined
  }
  list.attempt('genuine', () => undefined)
  return item
}

function requireOne(items: readonly Appraised[], kinds: readonly EvidenceKind[]): Appraised {
  const main = items.filter(({ kind }) => isTeeKind(kind))
  const [item] = main
  if (item === undefined) throw new CountersignError('evidence/malformed', 'there is no evidence of a processor')
  if (main.length > 1) {
    throw new CountersignError(
      'evidence/malformed',
      'there is evidence of more than one processor; a key is bound by one',
    )
  }
  if (kinds.includes(item.kind)) return item
  throw new CountersignError(
    'evidence/unsupported',
    `this profile binds keys in ${kinds.join(', ')}; how it does in ${item.kind} is not documented`,
  )
}

/**
 * The bytes that the guest chose and the hardware signed, of exactly `length` bytes.
 *
 * @throws {CountersignError} `evidence/malformed`
 */
export function boundBytes(item: Appraised, length: number): Uint8Array {
  if (item.boundData?.length === length) return item.boundData
  const found = item.boundData?.length ?? 0
  throw new CountersignError('evidence/malformed', `the bound data has ${found} bytes, and this layout has ${length}`)
}

/** @throws {CountersignError} `evidence/mismatch` */
export function requireEqual(found: Uint8Array, expected: Uint8Array, otherwise: string): void {
  if (!equalBytes(found, expected)) throw new CountersignError('evidence/mismatch', otherwise)
}

/** Whether bytes are all zero: a field that was never filled in, and no digest or key of anybody. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/** `bytes` with zeros behind them. */
export function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length)
  whole.set(bytes)
  return whole
}

/** The members that the provider put beside its evidence. Nothing in them is believed unless signed bytes agree. */
export function besideFields({ beside }: UnverifiedEvidence): Fields {
  return new Fields(beside as Json, 'beside')
}

/** Why a check cannot be made where nobody gave a member that it needs: as against one that is malformed, which fails. */
export function lackOf(evidence: UnverifiedEvidence, member: string): string | undefined {
  return besideFields(evidence).has(member) ? undefined : `${LACKING_BESIDE}${member}`
}

/** Reads what stands beside the evidence; where it lacks, notes that nobody looked. */
export function readBeside<Name extends string, T>(
  list: EvidenceChecks<Name>,
  what: Name,
  lacks: string | undefined,
  read: () => T,
): T | undefined {
  if (lacks === undefined) return list.attempt(what, read)
  list.notChecked(what, lacks)
  return undefined
}

/** As a member of the result, where it is one. */
export function lacking(lacks: string | undefined): { readonly lacks?: string } {
  return lacks === undefined ? {} : { lacks }
}

/**
 * Bytes of hexadecimal as providers write it: with or without `0x`, in either case.
 *
 * @throws {CountersignError} `shape/*`, `bytes/bad-hex`
 */
export function looseHex(fields: Fields, name: string, length: number): Uint8Array {
  const text = fields.text(name, { maxLength: 2 + 2 * length })
  return parseHex(text.replace(/^0x/, '').toLowerCase(), length)
}
