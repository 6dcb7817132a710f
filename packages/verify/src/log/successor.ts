/** A log that follows another: what its first entry says of the one that ended, looked into. @spec spec/log-successor.md */
import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { type LogSuccessor, parseLogSuccessor } from '../statement/log-successor.ts'
import { type Statement, subjectDigest } from '../statement/statement.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { fullKeyId, type NoteKey, parseNote, parseNoteKey } from './note.ts'

export interface OpenedLogSuccessor extends Omit<LogSuccessor, 'key' | 'head'> {
  /** Key of the log that ended, as the statement has it. */
  readonly key: NoteKey
  /** Its last head, with the signature of that key; `undefined` where it had none. */
  readonly head: Checkpoint | undefined
}

/**
 * The successor statement, after its parts were found to agree: key and origin, the signature on the last head, the whole
 * entries as no more than that head covers.
 *
 * Proves that the head was signed with that key. Whose key it is, the trust file says; that the entries are whole, the
 * operator's word.
 *
 * @throws {CountersignError} `statement/wrong-type`, `statement/mismatch`, `shape/*`, `key/malformed`, `note/*`, `checkpoint/*`
 */
export function openLogSuccessor(crypto: Crypto, statement: Statement): OpenedLogSuccessor {
  const { key: keyText, head: note, ...successor } = parseLogSuccessor(statement)
  const key = parseNoteKey(crypto, keyText)
  const { origin, whole } = successor
  if (key.name !== origin || subjectDigest(statement, origin, 'sha256') !== toHex(fullKeyId(crypto, key))) {
    throw mismatch('its key is not that of the log that it names')
  }
  const head = note === undefined ? undefined : openCheckpoint(crypto, parseNote(utf8(note)), key)
  if (whole.size > (head?.size ?? 0)) throw mismatch('more entries are whole than its last head covers')
  if (head !== undefined && whole.size === head.size && whole.root !== toHex(head.root)) {
    throw mismatch('the whole entries have another root than its last head')
  }
  return { ...successor, key, head }
}

function mismatch(why: string): CountersignError {
  return new CountersignError('statement/mismatch', `the successor statement contradicts itself: ${why}`)
}
