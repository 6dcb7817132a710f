/** The witness's own key: made at its first start, in a file for its user alone, never logged. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import {
  CountersignError,
  type Crypto,
  concat,
  cosignatureMessage,
  NOTE_COSIGNATURE,
  type NoteKey,
  type NoteSignature,
  noteKey,
  uint64BigEndian,
} from '@countersign/verify'

const MAX_KEY_FILE_BYTES = 16_384
const PUBLIC_KEY_BYTES = 32

export interface WitnessKey {
  readonly note: NoteKey
  /** The line that says: seen at this time, and nothing that contradicts it before. */
  cosign(text: string, timeSeconds: number): NoteSignature
}

/** A new key, as its file holds it. */
export function generateKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}

/**
 * The key in a PKCS#8 PEM file, under the witness's name.
 *
 * @throws {CountersignError} `config/missing-file`, `key/malformed`
 */
export function loadWitnessKey(crypto: Crypto, path: string, name: string): WitnessKey {
  return parseWitnessKey(crypto, readKeyFile(path), name)
}

/** The same from what stands in the file. @throws {CountersignError} `key/malformed` */
export function parseWitnessKey(crypto: Crypto, pem: string, name: string): WitnessKey {
  const secret = parsePem(pem)
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' })
  const note = noteKey(crypto, name, NOTE_COSIGNATURE, new Uint8Array(spki.subarray(-PUBLIC_KEY_BYTES)))
  return {
    note,
    cosign(text, timeSeconds) {
      const signature = sign(null, cosignatureMessage(timeSeconds, text), secret)
      return { name, id: note.id, signature: concat(uint64BigEndian(BigInt(timeSeconds)), signature) }
    },
  }
}

function parsePem(text: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(text)
  } catch {
    throw new CountersignError('key/malformed', 'the key file does not hold a private key in PEM')
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new CountersignError('key/malformed', 'the key is not Ed25519')
  return key
}

function readKeyFile(path: string): string {
  try {
    const { size, mode } = statSync(path)
    if (size > MAX_KEY_FILE_BYTES) throw new CountersignError('key/malformed', 'the key file is too large')
    if ((mode & 0o077) !== 0) {
      throw new CountersignError('key/malformed', 'others may read the key file; use chmod 600, or a new key')
    }
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('config/missing-file', `cannot read the key file ${JSON.stringify(path)}`)
  }
}
