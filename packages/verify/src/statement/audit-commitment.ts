/**
 * An auditor's word, given before there is anything to choose from, by which seed it will choose what to look at.
 *
 * @spec spec/audit.md
 */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readText, ShapeError } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { optionalField } from './inference.ts'
import type { Statement } from './statement.ts'

export const AUDIT_COMMITMENT_TYPE = 'urn:countersign:audit-commitment/v1'

/** Rates, confidences and rates of fraud are whole numbers of millionths: no two programs round them differently. */
export const MILLION = 1_000_000

/** Most entries of one epoch: their hashes are kept in memory. */
export const MAX_EPOCH_ENTRIES = 1_000_000

/** Most entries that an epoch may be expected to select. */
export const MAX_EXPECTED_SAMPLE = 50_000

/** Longest time that an operator may be given to answer: 31 days. */
export const MAX_ANSWER_SECONDS = 2_678_400

const MAX_DEPLOYMENTS = 64
const MAX_TIME_MS = 8_640_000_000_000_000
const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }

export interface AuditCommitment {
  /** The auditor's name. Whose key signed, the trust file says. */
  readonly auditor: string
  /** Origin of the log that is audited. The commitment must stand in the same one. */
  readonly log: string
  /** Whose entries count, by name of the deployment. */
  readonly deployments: 'all' | readonly string[]
  /** SHA-256 of the 32 bytes of the seed, hexadecimal. */
  readonly seedHash: string
  /** Share of the entries that is selected, in millionths. */
  readonly rateMillionths: number
  /** It begins right after the commitment, and ends by what is fixed here. */
  readonly epoch: {
    /** It has this many entries, or fewer where `untilMs` ends it sooner. */
    readonly entries: number
    /** It ends with the first head that was confirmed at this time or later. */
    readonly untilMs?: number
  }
  /** How long the operator has to answer, from when it is asked. */
  readonly answerWithinSeconds: number
  readonly committedAtMs: number
}

/** The statement of a commitment. Its one subject is the seed, by its hash. */
export function auditCommitmentStatement(commitment: AuditCommitment): Statement {
  return {
    subjects: [{ name: 'seed', digest: { sha256: commitment.seedHash } }],
    predicateType: AUDIT_COMMITMENT_TYPE,
    predicate: commitment as unknown as Json,
  }
}

/**
 * Reads a commitment.
 *
 * @throws {CountersignError} `statement/wrong-type`, `shape/*`
 */
export function parseAuditCommitment(statement: Statement): AuditCommitment {
  if (statement.predicateType !== AUDIT_COMMITMENT_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${AUDIT_COMMITMENT_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const commitment: AuditCommitment = {
    auditor: fields.text('auditor', { maxLength: 128 }),
    log: fields.text('log', { maxLength: 256 }),
    deployments: readDeployments(fields),
    seedHash: fields.hex('seedHash', 32),
    rateMillionths: fields.integer('rateMillionths', 1, MILLION),
    epoch: readEpoch(fields.object('epoch')),
    answerWithinSeconds: fields.integer('answerWithinSeconds', 1, MAX_ANSWER_SECONDS),
    committedAtMs: fields.integer('committedAtMs', 0, MAX_TIME_MS),
  }
  fields.end()
  if (commitment.rateMillionths * commitment.epoch.entries > MAX_EXPECTED_SAMPLE * MILLION) {
    throw new ShapeError('shape/bad-value', fields.path, `it would select more than ${MAX_EXPECTED_SAMPLE} entries`)
  }
  const [seed, ...others] = statement.subjects
  if (seed?.digest.sha256 !== commitment.seedHash || others.length > 0) {
    throw new ShapeError('shape/bad-value', 'subject', 'the one subject must be the seed, by its hash')
  }
  return commitment
}

/** Deployments in scope: each once, by its name. */
function readDeployments(fields: Fields): AuditCommitment['deployments'] {
  if (fields.any('deployments') === 'all') return 'all'
  const names = fields.list('deployments', MAX_DEPLOYMENTS, readName)
  if (names.length > 0 && new Set(names).size === names.length) return names
  throw new ShapeError('shape/bad-value', fields.at('deployments'), 'expected "all", or names, each once')
}

function readName(item: Json, path: Path): string {
  return readText(item, path, NAME)
}

function readEpoch(fields: Fields): AuditCommitment['epoch'] {
  const epoch = {
    entries: fields.integer('entries', 1, MAX_EPOCH_ENTRIES),
    ...optionalField('untilMs', fields, () => fields.integer('untilMs', 0, MAX_TIME_MS)),
  }
  fields.end()
  return epoch
}
