/**
 * The promise: what leaves with the answer itself, before any checkpoint covers it. It binds the operator at once, as a
 * signed certificate timestamp with an index binds a certificate log.
 *
 * @spec spec/promise.md
 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { parseHex, utf8 } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import type { ReceiptId } from '../statement/inference.ts'
import type { StatementDigest } from '../statement/statement.ts'
import { HASH_BYTES, type Hash } from './merkle.ts'
import { type NoteKey, openNote, parseNote, type UnverifiedNote } from './note.ts'

const FIRST_LINE = 'countersign-promise/v1'

/** A receipt id, and the place in the log that its statement will have. */
export interface LogPromise {
  readonly origin: string
  readonly receipt: ReceiptId
  readonly statement: StatementDigest
  readonly index: number
  readonly leafHash: Hash
  /** Seconds since 1970: every head published after this covers the index. */
  readonly coverBySeconds: number
}

/** The text that the log's key signs. */
export function formatPromise(promise: LogPromise): string {
  const { origin, receipt, statement, index, leafHash, coverBySeconds } = promise
  return `${[FIRST_LINE, origin, receipt, statement, index, toBase64(leafHash), coverBySeconds].join('\n')}\n`
}

/**
 * Reads the text of a note as a promise; checks no signature. No text is both a promise and a checkpoint: a checkpoint's
 * third line is a root of 32 bytes, a promise's is a receipt id.
 *
 * @throws {CountersignError} `promise/malformed`
 */
export function parsePromise(text: string): LogPromise {
  const lines = text.split('\n')
  const [first, origin, receipt, statement, index, leafHash, coverBy] = lines
  if (first !== FIRST_LINE || lines.length !== 8 || lines[7] !== '') throw malformed('it does not have its seven lines')
  if (origin === undefined || origin === '' || receipt === undefined || statement === undefined)
    throw malformed('a line is empty')
  try {
    parseHex(receipt, 16)
    parseHex(statement, 32)
    const hash = parseBase64(leafHash ?? '')
    if (hash.length !== HASH_BYTES) throw malformed('the leaf hash has the wrong length')
    return { origin, receipt, statement, index: count(index), leafHash: hash, coverBySeconds: count(coverBy) }
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === 'promise/malformed') throw thrown
    throw malformed(thrown instanceof Error ? thrown.message : 'a line cannot be read')
  }
}

/**
 * The promise in `note`, after the log's signature on it was checked. Binds the log to it; that it was kept is shown by
 * an inclusion proof.
 *
 * @throws {CountersignError} `note/no-known-signature`, `note/bad-signature`, `promise/malformed`, `checkpoint/wrong-origin`
 */
export function openPromise(crypto: Crypto, note: UnverifiedNote, logKey: NoteKey): LogPromise {
  const promise = parsePromise(openNote(crypto, note, logKey))
  if (promise.origin !== logKey.name) {
    throw new CountersignError('checkpoint/wrong-origin', 'the promise is for another log than its key')
  }
  return promise
}

/** The one-line form of a signed promise, for a header or an SSE comment: base64 of the note. */
export function formatPromiseHeader(note: string): string {
  return toBase64(utf8(note))
}

/**
 * Reads the one-line form; checks no signature.
 *
 * @throws {CountersignError} `bytes/bad-base64`, `note/malformed`
 */
export function parsePromiseHeader(value: string): UnverifiedNote {
  return parseNote(parseBase64(value))
}

function count(text: string | undefined): number {
  const value = Number(text)
  if (text === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(value)) {
    throw malformed('a number is not below 2^53')
  }
  return value
}

function malformed(why: string): CountersignError {
  return new CountersignError('promise/malformed', `not a promise: ${why}`)
}
