/**
 * What an auditor found in one epoch, with the seed that shows what it had to look at.
 *
 * @spec spec/audit.md
 */
import type { Json } from '../bytes/json.ts'
import { Fields, ShapeError } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { MILLION } from './audit-commitment.ts'
import { AUDIT_OUTCOMES, type AuditedEntry, type AuditOutcome, checkOrder, readAuditedEntry } from './audited-entry.ts'
import { optionalField } from './inference.ts'
import type { Statement, StatementDigest } from './statement.ts'

export const AUDIT_RESULT_TYPE = 'urn:countersign:audit-result/v1'

/** Most entries that stand in the statement itself; of more, the digest of a file does. */
export const MAX_RESULT_ENTRIES = 1024

const MAX_TIME_MS = 8_640_000_000_000_000

/** How often each outcome came out, over all that was selected. */
export type AuditCounts = { readonly [outcome in AuditOutcome]: number }

export interface AuditResult {
  readonly auditor: string
  /** Digest of the commitment. */
  readonly commitment: StatementDigest
  readonly log: string
  /** The seed, 32 bytes in hexadecimal. */
  readonly seed: string
  /** Entries `from` up to but not including `to` were looked at. */
  readonly from: number
  readonly to: number
  /** The head under which they were read. */
  readonly head: {
    readonly size: number
    /** Hexadecimal. */
    readonly root: string
    /** When the policy's quorum had confirmed it, or, where the policy asks for none, when the auditor saw it. */
    readonly confirmedAtSeconds: number
  }
  readonly counts: AuditCounts
  /** All that was selected, by index; empty where `resultsFile` holds them. */
  readonly entries: readonly AuditedEntry[]
  /** SHA-256 of a results file, where there are more than {@link MAX_RESULT_ENTRIES}. */
  readonly resultsFile?: string
  readonly cost: {
    /** Time that running models took. */
    readonly computeMs: number
    readonly amountMicros?: number
    readonly currency?: string
  }
  /** With this confidence, no larger share of the answers is not as it should be. Refusals and silence count as not. */
  readonly bound: { readonly confidenceMillionths: number; readonly fraudMillionths: number }
  readonly endedAtMs: number
}

/** The statement of a result. Its one subject is the commitment. */
export function auditResultStatement(result: AuditResult): Statement {
  return {
    subjects: [{ name: 'audit-commitment', digest: { sha256: result.commitment } }],
    predicateType: AUDIT_RESULT_TYPE,
    predicate: result as unknown as Json,
  }
}

/**
 * Reads a result. Whether it is the whole of what the seed selects is for `verifyAudit` to say.
 *
 * @throws {CountersignError} `statement/wrong-type`, `shape/*`
 */
export function parseAuditResult(statement: Statement): AuditResult {
  if (statement.predicateType !== AUDIT_RESULT_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${AUDIT_RESULT_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const result: AuditResult = {
    auditor: fields.text('auditor', { maxLength: 128 }),
    commitment: fields.hex('commitment', 32),
    log: fields.text('log', { maxLength: 256 }),
    seed: fields.hex('seed', 32),
    from: fields.integer('from'),
    to: fields.integer('to'),
    head: readHead(fields.object('head')),
    counts: readCounts(fields.object('counts')),
    entries: checkOrder(fields.list('entries', MAX_RESULT_ENTRIES, readAuditedEntry), fields.at('entries')),
    ...optionalField('resultsFile', fields, () => fields.hex('resultsFile', 32)),
    cost: readCost(fields.object('cost')),
    bound: readBound(fields.object('bound')),
    endedAtMs: fields.integer('endedAtMs', 0, MAX_TIME_MS),
  }
  fields.end()
  checkTogether(result)
  const [commitment, ...others] = statement.subjects
  if (commitment?.digest.sha256 !== result.commitment || others.length > 0) {
    throw new ShapeError('shape/bad-value', 'subject', 'the one subject must be the commitment')
  }
  return result
}

function checkTogether({ from, to, head, entries, resultsFile }: AuditResult): void {
  const refuse = (why: string) => {
    throw new ShapeError('shape/bad-value', 'predicate', why)
  }
  if (from > to || to > head.size) refuse('the epoch ends before it begins, or beyond its head')
  if (entries.some(({ index }) => index < from || index >= to)) refuse('an entry is not of this epoch')
  if (resultsFile !== undefined && entries.length > 0)
    refuse('entries stand in the statement or in a file, not in both')
}

function readHead(fields: Fields): AuditResult['head'] {
  const head = {
    size: fields.integer('size'),
    root: fields.hex('root', 32),
    confirmedAtSeconds: fields.integer('confirmedAtSeconds'),
  }
  fields.end()
  return head
}

function readCounts(fields: Fields): AuditCounts {
  const counts = Object.fromEntries(AUDIT_OUTCOMES.map((outcome) => [outcome, fields.integer(outcome)]))
  fields.end()
  return counts as AuditCounts
}

function readCost(fields: Fields): AuditResult['cost'] {
  const cost = {
    computeMs: fields.integer('computeMs'),
    ...optionalField('amountMicros', fields, () => fields.integer('amountMicros')),
    ...optionalField('currency', fields, () => fields.text('currency', { maxLength: 3, pattern: /^[A-Z]{3}$/ })),
  }
  fields.end()
  if ((cost.amountMicros === undefined) !== (cost.currency === undefined)) {
    throw new ShapeError('shape/missing-field', fields.path, 'an amount has a currency')
  }
  return cost
}

function readBound(fields: Fields): AuditResult['bound'] {
  const bound = {
    confidenceMillionths: fields.integer('confidenceMillionths', 1, MILLION - 1),
    fraudMillionths: fields.integer('fraudMillionths', 0, MILLION),
  }
  fields.end()
  return bound
}
