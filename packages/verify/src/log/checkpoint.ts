/** Checkpoints: signed tree heads. @spec C2SP tlog-checkpoint v1.0.0, tlog-cosignature v1.0.1 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { utf8 } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError, quote } from '../errors.ts'
import { HASH_BYTES, type TreeHead } from './merkle.ts'
import { NOTE_COSIGNATURE, type NoteKey, openNote, signaturesBy, type UnverifiedNote } from './note.ts'

/** A tree head of a named log. */
export interface Checkpoint extends TreeHead {
  /** Name of the log, unique and unchanging. */
  readonly origin: string
}

/** A witness's word that it saw a checkpoint at a time, and nothing that contradicts it before. */
export interface Cosignature {
  readonly witness: NoteKey
  /** Seconds since 1970 by the witness's clock. */
  readonly timeSeconds: number
}

/** The text of a checkpoint that is signed. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/**
 * Reads the text of a note as a checkpoint; checks no signature. Extension lines are accepted and ignored.
 *
 * @throws {CountersignError} `checkpoint/malformed`
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n')
  const [origin, sizeText, rootText] = lines
  if (
    origin === undefined ||
    origin === '' ||
    sizeText === undefined ||
    rootText === undefined ||
    lines.at(-1) !== ''
  ) {
    throw malformed('it needs an origin, a size and a root, each on its line')
  }
  if (!/^(0|[1-9][0-9]{0,15})$/.test(sizeText) || !Number.isSafeInteger(Number(sizeText))) {
    throw malformed(`${quote(sizeText)} is not a size below 2^53`)
  }
  let root: Uint8Array
  try {
    root = parseBase64(rootText)
  } catch {
    throw malformed('the root is not base64')
  }
  if (root.length !== HASH_BYTES) throw malformed(`the root does not have ${HASH_BYTES} bytes`)
  return { origin, size: Number(sizeText), root }
}

/**
 * The checkpoint in `note`, after the log's own signature on it was checked and its origin found to be the log's name.
 *
 * Binds the operator of that key to one history up to here, as shown to us; that others were shown the same is what
 * cosignatures are for.
 *
 * @throws {CountersignError} `note/no-known-signature`, `note/bad-signature`, `checkpoint/malformed`,
 *   `checkpoint/wrong-origin`
 */
export function openCheckpoint(crypto: Crypto, note: UnverifiedNote, logKey: NoteKey): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(crypto, note, logKey))
  if (checkpoint.origin !== logKey.name) {
    throw new CountersignError(
      'checkpoint/wrong-origin',
      `the checkpoint is for ${quote(checkpoint.origin)}, the key for ${quote(logKey.name)}`,
    )
  }
  return checkpoint
}

/** What a witness signs: the time and the checkpoint's text. */
export function cosignatureMessage(timeSeconds: number, checkpointText: string): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timeSeconds}\n${checkpointText}`)
}

/**
 * The cosignature of `witness` on `note`, or `undefined` when it has none. The earliest counts where there are several.
 *
 * @throws {CountersignError} `note/bad-signature` where a line that names the witness does not check
 */
export function openCosignature(crypto: Crypto, note: UnverifiedNote, witness: NoteKey): Cosignature | undefined {
  if (witness.type !== NOTE_COSIGNATURE) return undefined
  let earliest: number | undefined
  for (const { signature } of signaturesBy(note, witness)) {
    const timeSeconds = readTime(signature)
    const accepted =
      timeSeconds !== undefined &&
      crypto.ed25519Accepts(witness.publicKey, cosignatureMessage(timeSeconds, note.text), signature.slice(8))
    if (!accepted) {
      throw new CountersignError('note/bad-signature', `the cosignature by ${quote(witness.name)} does not check`)
    }
    earliest = Math.min(timeSeconds, earliest ?? timeSeconds)
  }
  return earliest === undefined ? undefined : { witness, timeSeconds: earliest }
}

function readTime(signature: Uint8Array): number | undefined {
  if (signature.length !== 72) return undefined
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  return time <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(time) : undefined
}

function malformed(why: string): CountersignError {
  return new CountersignError('checkpoint/malformed', `not a checkpoint: ${why}`)
}
