/** The first entry of a log that follows another: which one, how far it can still be relied on, and why it ended. */
import type { Json } from '../bytes/json.ts'
import { Fields, readHex } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { optionalField, type ReceiptId } from './inference.ts'
import { type Statement, subjectDigest } from './statement.ts'

/** @spec spec/log-successor.md */
export const LOG_SUCCESSOR_TYPE = 'urn:countersign:log-successor/v1'

/** Requests that can have been under way: as many as a journal has slots. */
export const MAX_INTERRUPTED = 4096

const MAX_NOTE_TEXT = 64 * 1024

/** What the operator says of the log that ended. */
export interface LogSuccessor {
  /** Name of the log that ended. */
  readonly origin: string
  /** Its key, as policies have it. */
  readonly key: string
  /** The last signed head that is known of it, a note; missing where it never had one. */
  readonly head?: string
  /** The entries that are still there, and agree with that head: how many from the first on, and their root. */
  readonly whole: { readonly size: number; readonly root: string }
  readonly reason: string
  /** Receipts of requests that were under way, and of which nothing was recorded. */
  readonly interrupted: readonly ReceiptId[]
  readonly endedAtMs: number
}

/** The statement of a successor. Its subject is the log that ended, by the 32 bytes that its key is named by. */
export function logSuccessorStatement(successor: LogSuccessor, logKeyId: string): Statement {
  return {
    subjects: [{ name: successor.origin, digest: { sha256: logKeyId } }],
    predicateType: LOG_SUCCESSOR_TYPE,
    predicate: successor as unknown as Json,
  }
}

/**
 * Reads a successor statement. The key and the head are texts: `openLogSuccessor` looks into them.
 *
 * @throws {CountersignError} `statement/wrong-type`, `shape/*`
 */
export function parseLogSuccessor(statement: Statement): LogSuccessor {
  if (statement.predicateType !== LOG_SUCCESSOR_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${LOG_SUCCESSOR_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const successor: LogSuccessor = {
    origin: fields.text('origin', { maxLength: 256 }),
    key: fields.text('key', { maxLength: 512 }),
    ...optionalField('head', fields, () => fields.text('head', { maxLength: MAX_NOTE_TEXT, isMultiline: true })),
    whole: readWhole(fields.object('whole')),
    reason: fields.text('reason', { maxLength: 1024, isMultiline: true }),
    interrupted: fields.list('interrupted', MAX_INTERRUPTED, (item, path) => readHex(item, path, 16)),
    endedAtMs: fields.integer('endedAtMs'),
  }
  fields.end()
  if (statement.subjects.length !== 1 || subjectDigest(statement, successor.origin, 'sha256') === undefined) {
    throw new CountersignError('shape/bad-value', 'the one subject is the log that ended')
  }
  return successor
}

function readWhole(fields: Fields): LogSuccessor['whole'] {
  const whole = { size: fields.integer('size'), root: fields.hex('root', 32) }
  fields.end()
  return whole
}
