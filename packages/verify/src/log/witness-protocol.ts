/** What is said between a log and a witness: bodies of requests and replies. @spec C2SP tlog-witness v1.0.0 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { parseUtf8 } from '../bytes/bytes.ts'
import { CountersignError, quote } from '../errors.ts'
import { HASH_BYTES, type Hash } from './merkle.ts'
import {
  formatNote,
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  type NoteSignature,
  parseNote,
  parseSignatureLine,
  type UnverifiedNote,
} from './note.ts'

/** Most lines of a proof; the specification's own limit. */
export const MAX_WITNESS_PROOF_HASHES = 63

const MAX_OLD_LINE_BYTES = 'old 9007199254740991\n'.length
const PROOF_LINE_BYTES = 45

/** Most bytes before the checkpoint: the old size, a whole proof, a blank line. */
const MAX_HEAD_BYTES = MAX_OLD_LINE_BYTES + MAX_WITNESS_PROOF_HASHES * PROOF_LINE_BYTES + 1

/** Most bytes of a request: the longest proof, and the longest note. */
export const MAX_ADD_CHECKPOINT_BYTES = MAX_HEAD_BYTES + MAX_NOTE_BYTES

/** What a log asks of a witness. Nothing in it is checked. */
export interface AddCheckpoint {
  /** Size of the tree that the log believes the witness cosigned last; 0 when none. */
  readonly oldSize: number
  /** Consistency proof from `oldSize` to the checkpoint. */
  readonly proof: readonly Hash[]
  readonly checkpoint: UnverifiedNote
}

/**
 * The body of a request.
 *
 * @throws {CountersignError} `witness/malformed` for a proof longer than any witness reads
 */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  if (proof.length > MAX_WITNESS_PROOF_HASHES) throw tooManyHashes()
  const lines = proof.map((hash) => `${toBase64(hash)}\n`)
  return `old ${oldSize}\n${lines.join('')}\n${formatNote(checkpoint)}`
}

/**
 * Reads the body of a request; checks no signature and no proof, nor that the note is a checkpoint.
 *
 * @throws {CountersignError} `witness/malformed`
 */
export function parseAddCheckpoint(bytes: Uint8Array): AddCheckpoint {
  if (bytes.length > MAX_ADD_CHECKPOINT_BYTES) throw malformed(`it has more than ${MAX_ADD_CHECKPOINT_BYTES} bytes`)
  const end = blankLine(bytes)
  const [old = '', ...proof] = decodeOr(() => parseUtf8(bytes.subarray(0, end)), 'its head is not UTF-8').split('\n')
  const [, sizeText] = /^old (0|[1-9][0-9]{0,15})$/.exec(old) ?? []
  if (sizeText === undefined || !Number.isSafeInteger(Number(sizeText))) {
    throw malformed(`${quote(old)} is not "old" and a size below 2^53`)
  }
  if (proof.length > MAX_WITNESS_PROOF_HASHES) throw tooManyHashes()
  return {
    oldSize: Number(sizeText),
    proof: proof.map(parseHashLine),
    checkpoint: decodeOr(() => parseNote(bytes.subarray(end + 2)), 'what follows the blank line is not a signed note'),
  }
}

/**
 * The signature lines of a witness's reply; checks none of them. Lines of keys that nobody asked for may be among them.
 *
 * @throws {CountersignError} `witness/malformed`
 */
export function parseCosignatureLines(text: string): readonly NoteSignature[] {
  if (text.length > MAX_NOTE_BYTES) throw malformed(`the reply has more than ${MAX_NOTE_BYTES} bytes`)
  if (!text.endsWith('\n')) throw malformed('the reply does not end in a line feed')
  const lines = text.slice(0, -1).split('\n')
  if (lines.length > MAX_NOTE_SIGNATURES) throw malformed(`the reply has more than ${MAX_NOTE_SIGNATURES} lines`)
  return lines.map((line) => decodeOr(() => parseSignatureLine(line), 'the reply has a line that is no signature'))
}

/** Where the head ends: the line feed before the first blank line, looked for no further than a head may reach. */
function blankLine(bytes: Uint8Array): number {
  const last = Math.min(bytes.length, MAX_HEAD_BYTES) - 1
  for (let i = 0; i < last; i++) if (bytes[i] === 0x0a && bytes[i + 1] === 0x0a) return i
  throw malformed(`it has no blank line after at most ${MAX_WITNESS_PROOF_HASHES} lines of proof`)
}

function parseHashLine(line: string): Hash {
  const hash = decodeOr(() => parseBase64(line), 'a line of the proof is not base64')
  if (hash.length !== HASH_BYTES) throw malformed(`a line of the proof does not have ${HASH_BYTES} bytes`)
  return hash
}

function decodeOr<T>(decode: () => T, why: string): T {
  try {
    return decode()
  } catch (cause) {
    throw malformed(cause instanceof CountersignError ? `${why}: ${cause.message}` : why)
  }
}

function tooManyHashes(): CountersignError {
  return malformed(`a proof has at most ${MAX_WITNESS_PROOF_HASHES} lines`)
}

function malformed(why: string): CountersignError {
  return new CountersignError('witness/malformed', `not a message between log and witness: ${why}`)
}
