/** What became of one entry that an audit selected, and the file that holds many of them. @spec spec/audit.md */
import { FILE_LIMITS, type Json, parseJson } from '../bytes/json.ts'
import { Fields, type Path, ShapeError } from '../bytes/shape.ts'
import { optionalField } from './inference.ts'
import type { StatementDigest } from './statement.ts'

export const AUDIT_ENTRIES_FORMAT = 'countersign-audit-entries/v1'

/** Most entries of a results file: more than twice what an epoch may be expected to select. */
export const MAX_AUDITED_ENTRIES = 120_000

/**
 * What can become of an entry.
 *
 * - `agreed`, `differed`: it was opened and run again.
 * - `refused`: the operator said no. `evidence-missing`: it said nothing in time, or gave what does not open the entry.
 * - `not-comparable`: it was opened, and nobody can run it again: a language model, an upstream, an answer that broke off.
 * - `out-of-scope`: the operator says that it is of a deployment that this audit is not about.
 * - `not-an-answer`: it is another kind of statement, as its public text shows.
 * - `unavailable`: the auditor itself could not run it. Counts for nobody.
 */
export const AUDIT_OUTCOMES = [
  'agreed',
  'differed',
  'refused',
  'evidence-missing',
  'not-comparable',
  'out-of-scope',
  'not-an-answer',
  'unavailable',
] as const
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number]

export interface AuditedEntry {
  readonly index: number
  /** Hash of the log's leaf, hexadecimal: it names the statement and its signature. */
  readonly leafHash: string
  readonly outcome: AuditOutcome
  /** The statement, where the auditor was shown it. */
  readonly statement?: StatementDigest
  /** Profile that it was run in, where it was. */
  readonly profile?: string
  /** Why not, where it did not agree. */
  readonly code?: string
}

const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }

/** @throws {CountersignError} `shape/*` */
export function readAuditedEntry(item: Json, path: Path): AuditedEntry {
  const fields = new Fields(item, path)
  const entry: AuditedEntry = {
    index: fields.integer('index'),
    leafHash: fields.hex('leafHash', 32),
    outcome: fields.oneOf('outcome', AUDIT_OUTCOMES),
    ...optionalField('statement', fields, () => fields.hex('statement', 32)),
    ...optionalField('profile', fields, () => fields.text('profile', NAME)),
    ...optionalField('code', fields, () => fields.text('code', NAME)),
  }
  fields.end()
  const isCompared = entry.outcome === 'agreed' || entry.outcome === 'differed'
  if (isCompared && entry.statement === undefined) {
    throw new ShapeError('shape/missing-field', `${path}.statement`, 'what was compared has a statement')
  }
  return entry
}

/** Refuses entries that are not in the order of their index, each once. @throws {CountersignError} `shape/bad-value` */
export function checkOrder(entries: readonly AuditedEntry[], path: Path): readonly AuditedEntry[] {
  const astray = entries.findIndex((entry, i) => i > 0 && entry.index <= (entries[i - 1]?.index ?? 0))
  if (astray < 0) return entries
  throw new ShapeError('shape/bad-value', `${path}[${astray}].index`, 'expected a higher index than the one before')
}

/** A results file: the entries of an audit that selected more than a statement holds. */
export function formatAuditEntries(entries: readonly AuditedEntry[]): string {
  return `${JSON.stringify({ format: AUDIT_ENTRIES_FORMAT, entries })}\n`
}

/**
 * Reads a results file. Which audit it is of, the digest in that audit's result says.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`
 */
export function parseAuditEntries(bytes: Uint8Array): readonly AuditedEntry[] {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'results')
  fields.literal('format', AUDIT_ENTRIES_FORMAT)
  const entries = checkOrder(fields.list('entries', MAX_AUDITED_ENTRIES, readAuditedEntry), fields.at('entries'))
  fields.end()
  return entries
}
