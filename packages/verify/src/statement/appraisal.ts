/**
 * What an operator found when it asked a place for evidence, and appraised it: logged before answers of that place name it.
 *
 * The finding is the operator's word. Whoever has the evidence file and the collateral that the statement names repeats it.
 *
 * @spec spec/appraisal.md
 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readText, ShapeError } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { type BoundKey, readBoundKey } from './bound-key.ts'
import { optionalField } from './inference.ts'
import { FACT_STATUSES, FACTS, type FactName, type FactStatus } from './place-fact.ts'
import { readPolicyText } from './served-place.ts'
import type { Statement, Subject } from './statement.ts'

export const APPRAISAL_TYPE = 'urn:countersign:appraisal/v1'

/** `unproven`: nothing failed, and something needed was missing. `unavailable`: there was no evidence. */
export const APPRAISAL_OUTCOMES = ['accepted', 'refused', 'unproven', 'unavailable'] as const
export type AppraisalOutcome = (typeof APPRAISAL_OUTCOMES)[number]

/** What shows that evidence is not an old one: an answered challenge, its own signed time, nothing. */
export const FRESHNESS_KINDS = ['nonce', 'signed-time', 'none'] as const
export type Freshness = (typeof FRESHNESS_KINDS)[number]

export interface AppraisalPredicate {
  /** An upstream of a manifest by name and origin, or `gateway` with the origin `embedded`. */
  readonly place: { readonly name: string; readonly origin: string }
  /** The place policy that it was appraised by, as it is written in configuration. */
  readonly policy: Json
  /** How keys were to be bound, by name. */
  readonly profile: string
  readonly outcome: AppraisalOutcome
  readonly facts: readonly { readonly name: FactName; readonly status: FactStatus }[]
  readonly keys: readonly BoundKey[]
  readonly freshness: Freshness
  /** SHA-256 of the evidence file and the collateral bundle, hexadecimal; both are there unless evidence was unavailable. */
  readonly evidence?: string
  readonly collateral?: string
  /** The certificate that the place showed when it was asked, DER in base64: leads from a bound key to the certificate. */
  readonly tlsCertificate?: string
  /** Names of the checks that failed. */
  readonly failed: readonly string[]
  /** Operator's clock, milliseconds since 1970. */
  readonly gatheredAtMs: number
  readonly appraisedAtMs: number
  /** Answers after this time are not covered. */
  readonly validUntilMs: number
}

/** What a statement has room for; what a place shows beyond that, its writer leaves out. */
export const APPRAISAL_LIMITS = { keys: 16, failed: 256, certificateText: 16_384 } as const

const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }
const ORIGIN = { maxLength: 256, pattern: /^(embedded|https?:\/\/[A-Za-z0-9.:[\]_-]+)$/ }
const MAX_TIME_MS = 8_640_000_000_000_000

/**
 * The statement of an appraisal. Its subjects are the evidence file and the collateral bundle; where there was no evidence,
 * the place, by the SHA-256 of its policy as compact JSON.
 */
export function appraisalStatement(crypto: Crypto, predicate: AppraisalPredicate): Statement {
  const { place, policy, evidence, collateral } = predicate
  const subject = (name: string, sha256: string): Subject => ({ name, digest: { sha256 } })
  const policyDigest = toHex(crypto.sha256(utf8(JSON.stringify(policy))))
  const subjects =
    evidence === undefined || collateral === undefined
      ? [subject(place.name, policyDigest)]
      : [subject('evidence', evidence), subject('collateral', collateral)]
  return { subjects, predicateType: APPRAISAL_TYPE, predicate: predicate as unknown as Json }
}

/**
 * Reads an appraisal. That it is right is for whoever repeats it to say.
 *
 * @throws {CountersignError} `statement/wrong-type`, `shape/*`, `bytes/bad-base64`
 */
export function parseAppraisal(statement: Statement): AppraisalPredicate {
  if (statement.predicateType !== APPRAISAL_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${APPRAISAL_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const appraisal: AppraisalPredicate = {
    place: readPlace(fields.object('place')),
    policy: readPolicyText(fields),
    profile: fields.text('profile', NAME),
    outcome: fields.oneOf('outcome', APPRAISAL_OUTCOMES),
    facts: fields.list('facts', FACTS.length, readFact),
    keys: fields.list('keys', APPRAISAL_LIMITS.keys, readBoundKey),
    freshness: fields.oneOf('freshness', FRESHNESS_KINDS),
    ...optionalField('evidence', fields, () => fields.hex('evidence', 32)),
    ...optionalField('collateral', fields, () => fields.hex('collateral', 32)),
    ...optionalField('tlsCertificate', fields, () =>
      toBase64(fields.base64('tlsCertificate', APPRAISAL_LIMITS.certificateText)),
    ),
    failed: fields.list('failed', APPRAISAL_LIMITS.failed, (item, path) => readText(item, path, NAME)),
    gatheredAtMs: fields.integer('gatheredAtMs', 0, MAX_TIME_MS),
    appraisedAtMs: fields.integer('appraisedAtMs', 0, MAX_TIME_MS),
    validUntilMs: fields.integer('validUntilMs', 0, MAX_TIME_MS),
  }
  fields.end()
  checkTogether(appraisal)
  checkSubjects(statement, appraisal)
  return appraisal
}

/** The certificate that the place showed, as DER. */
export function tlsCertificateOf({ tlsCertificate }: AppraisalPredicate): Uint8Array | undefined {
  return tlsCertificate === undefined ? undefined : parseBase64(tlsCertificate)
}

function readPlace(fields: Fields): AppraisalPredicate['place'] {
  const place = { name: fields.text('name', NAME), origin: fields.text('origin', ORIGIN) }
  fields.end()
  return place
}

function readFact(item: Json, path: Path): AppraisalPredicate['facts'][number] {
  const fields = new Fields(item, path)
  const fact = { name: fields.oneOf('name', FACTS), status: fields.oneOf('status', FACT_STATUSES) }
  fields.end()
  return fact
}

function checkTogether({ outcome, facts, evidence, collateral, ...times }: AppraisalPredicate): void {
  const refuse = (why: string) => {
    throw new ShapeError('shape/bad-value', 'predicate', why)
  }
  const isThere = outcome !== 'unavailable'
  if ((evidence !== undefined) !== isThere || (collateral !== undefined) !== isThere) {
    refuse('evidence and collateral are named exactly where there was evidence')
  }
  if (new Set(facts.map(({ name }) => name)).size !== facts.length) refuse('a fact stands twice')
  if (times.appraisedAtMs < times.gatheredAtMs) refuse('it was appraised before it was gathered')
}

function checkSubjects({ subjects }: Statement, { place, evidence, collateral }: AppraisalPredicate): void {
  const [first, second] = subjects
  const isAbout =
    evidence === undefined
      ? subjects.length === 1 && first?.name === place.name
      : subjects.length === 2 &&
        first?.name === 'evidence' &&
        first.digest.sha256 === evidence &&
        second?.name === 'collateral' &&
        second.digest.sha256 === collateral
  if (isAbout && subjects.every(({ digest }) => Object.keys(digest).join() === 'sha256')) return
  throw new ShapeError('shape/bad-value', 'subject', 'expected the evidence and the collateral, or else the place')
}
