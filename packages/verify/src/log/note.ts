/** Signed notes: text with signature lines by named keys. @spec C2SP signed-note v1.0.0 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { concat, equalBytes, parseHex, parseUtf8, toHex, utf8 } from '../bytes/bytes.ts'
import type { Fields } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError, quote } from '../errors.ts'

/** Signature types that we check; lines of others are kept and ignored. */
export const NOTE_ED25519 = 0x01
export const NOTE_COSIGNATURE = 0x04

/** Most bytes of a note, and most signature lines read. The specification asks for at least 16. */
export const MAX_NOTE_BYTES = 64 * 1024
export const MAX_NOTE_SIGNATURES = 128

/** A key that may sign notes, as its holder publishes it: `name+hex(id)+base64(type ‖ key)`. */
export interface NoteKey {
  readonly name: string
  /** First four bytes of SHA-256(name ‖ LF ‖ type ‖ key). A hint: it can be made to collide. */
  readonly id: Uint8Array
  /** `NOTE_ED25519` or `NOTE_COSIGNATURE`. */
  readonly type: number
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

export interface NoteSignature {
  readonly name: string
  readonly id: Uint8Array
  /** What follows the key id. */
  readonly signature: Uint8Array
}

/** A note whose signatures nobody has checked. */
export interface UnverifiedNote {
  /** Ends in a line feed; this is what is signed. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** Makes the key that `name` signs notes with. */
export function noteKey(crypto: Crypto, name: string, type: number, publicKey: Uint8Array): NoteKey {
  checkName(name)
  return { name, id: crypto.sha256(keyIdInput(name, type, publicKey)).slice(0, 4), type, publicKey }
}

/** All 32 bytes that the note key id is the beginning of; Sigstore calls this the log's key id. */
export function fullKeyId(crypto: Crypto, key: NoteKey): Uint8Array {
  return crypto.sha256(keyIdInput(key.name, key.type, key.publicKey))
}

/** The published form of a key. */
export function formatNoteKey(key: NoteKey): string {
  return `${key.name}+${toHex(key.id)}+${toBase64(concat(Uint8Array.of(key.type), key.publicKey))}`
}

/**
 * Reads a published key and checks that its id is the one its bytes give.
 *
 * @throws {CountersignError} `key/malformed`
 */
export function parseNoteKey(crypto: Crypto, text: string): NoteKey {
  const match = /^([^+\s]{1,256})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text)
  const [, name, id, encoded] = match ?? []
  if (name === undefined || id === undefined || encoded === undefined) {
    throw new CountersignError('key/malformed', `${quote(text)} is not a key of the form name+id+base64`)
  }
  const bytes = decodeOr(() => parseBase64(encoded), 'key/malformed', 'the key is not base64')
  const type = bytes[0] ?? 0
  if ((type !== NOTE_ED25519 && type !== NOTE_COSIGNATURE) || bytes.length !== 33) {
    throw new CountersignError('key/malformed', `${quote(name)}: not an Ed25519 note or cosignature key`)
  }
  const key = noteKey(crypto, name, type, bytes.slice(1))
  if (!equalBytes(key.id, parseHex(id, 4))) {
    throw new CountersignError('key/malformed', `${quote(name)}: the key id is not the one that the key gives`)
  }
  return key
}

/**
 * Reads a note; checks no signature.
 *
 * @throws {CountersignError} `note/malformed`
 */
export function parseNote(bytes: Uint8Array): UnverifiedNote {
  if (bytes.length > MAX_NOTE_BYTES) throw malformed(`it has more than ${MAX_NOTE_BYTES} bytes`)
  return parseNoteText(decodeOr(() => parseUtf8(bytes), 'note/malformed', 'the note is not UTF-8'))
}

/** Reads a note that stands in a field of a JSON file. @throws {CountersignError} `note/malformed`, `shape/*` */
export function readNote(fields: Fields, name: string): UnverifiedNote {
  const text = fields.text(name, { maxLength: MAX_NOTE_BYTES, isMultiline: true })
  // Half a surrogate pair has no bytes of its own, so no signature could be over it.
  if (/\p{Surrogate}/u.test(text)) throw malformed('it has half a character')
  return parseNoteText(text)
}

function parseNoteText(whole: string): UnverifiedNote {
  const split = whole.lastIndexOf('\n\n')
  if (split < 0 || !whole.endsWith('\n')) throw malformed('it has no blank line before its signatures')
  const text = whole.slice(0, split + 1)
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) throw malformed('it has control characters')
  const lines = whole.slice(split + 2, -1).split('\n')
  if (lines.length > MAX_NOTE_SIGNATURES) throw malformed(`it has more than ${MAX_NOTE_SIGNATURES} signatures`)
  return { text, signatures: lines.map(parseSignatureLine) }
}

/** Reads one signature line without its line feed. @throws {CountersignError} `note/malformed` */
export function parseSignatureLine(line: string): NoteSignature {
  const [, name, encoded] = /^— ([^\s+]{1,256}) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? []
  if (name === undefined || encoded === undefined)
    throw malformed('a signature line is not of the form "— name base64"')
  const bytes = decodeOr(() => parseBase64(encoded), 'note/malformed', 'a signature is not base64')
  if (bytes.length < 5) throw malformed('a signature is shorter than its key id')
  return { name, id: bytes.slice(0, 4), signature: bytes.slice(4) }
}

/** The bytes of a note. */
export function formatNote({ text, signatures }: UnverifiedNote): string {
  return `${text}\n${signatures.map(formatSignatureLine).join('')}`
}

/** One signature line with its line feed. */
export function formatSignatureLine({ name, id, signature }: NoteSignature): string {
  return `— ${name} ${toBase64(concat(id, signature))}\n`
}

/**
 * The signatures of `note` that name `key`, each once: anyone can repeat a line as often as a note has room for. A name
 * and id that match are no proof: check each.
 */
export function signaturesBy(note: UnverifiedNote, key: NoteKey): readonly NoteSignature[] {
  const found: NoteSignature[] = []
  for (const each of note.signatures) {
    if (each.name !== key.name || !equalBytes(each.id, key.id)) continue
    if (!found.some(({ signature }) => equalBytes(signature, each.signature))) found.push(each)
  }
  return found
}

/**
 * The text of `note`, after the Ed25519 signature by `key` on it was checked.
 *
 * Other keys' lines are not looked at. A line that names `key` and does not check rejects the note, even beside one that
 * does.
 *
 * @throws {CountersignError} `note/no-known-signature`, `note/bad-signature`
 */
export function openNote(crypto: Crypto, note: UnverifiedNote, key: NoteKey): string {
  const signatures = signaturesBy(note, key)
  if (signatures.length === 0 || key.type !== NOTE_ED25519) {
    throw new CountersignError('note/no-known-signature', `no signature by ${quote(key.name)} with the trusted key`)
  }
  const message = utf8(note.text)
  for (const { signature } of signatures) {
    if (!crypto.ed25519Accepts(key.publicKey, message, signature)) {
      throw new CountersignError('note/bad-signature', `the signature by ${quote(key.name)} does not check`)
    }
  }
  return note.text
}

function keyIdInput(name: string, type: number, publicKey: Uint8Array): Uint8Array {
  return concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey)
}

function checkName(name: string): void {
  if (name === '' || name.length > 256 || /[\s+]/.test(name)) {
    throw new CountersignError(
      'key/malformed',
      `${quote(name)}: a key name has no spaces, no plus, at most 256 characters`,
    )
  }
}

function decodeOr<T>(decode: () => T, code: 'key/malformed' | 'note/malformed', message: string): T {
  try {
    return decode()
  } catch {
    throw new CountersignError(code, message)
  }
}

function malformed(why: string): CountersignError {
  return new CountersignError('note/malformed', `not a signed note: ${why}`)
}
