/** The gateway's own keys: made on first start, files 0600, never logged. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  concat,
  formatSignatureLine,
  NOTE_ED25519,
  type NoteKey,
  noteKey,
  parseP256Spki,
  toHex,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { writeDurably } from './durable-file.ts'

/** Signs statements: P-256. */
export interface StatementKey {
  readonly spki: Uint8Array
  /** SHA-256 of the SPKI, hexadecimal. */
  readonly keyId: string
  /** DER signature. */
  sign(message: Uint8Array): Uint8Array
}

/** Signs notes: Ed25519. */
export interface LogKey {
  readonly note: NoteKey
  /** The note with this key's signature under its text. */
  signNote(text: string): string
  /** The same, signed by another thread meanwhile: for notes by the thousand. */
  signNoteAside(text: string): Promise<string>
}

const SECRET_BYTES = 32
const crypto = /* @__PURE__ */ createNodeCrypto()

/**
 * The P-256 key in a PEM file, made there when the file does not exist and `create` says so.
 *
 * @throws {CountersignError} `key/malformed`, `config/missing-file`
 */
export function loadStatementKey(path: string, create: boolean): StatementKey {
  const secret = loadPem(path, create, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const spki = new Uint8Array(createPublicKey(secret).export({ format: 'der', type: 'spki' }))
  parseP256Spki(spki)
  const keyId = toHex(crypto.sha256(spki))
  return { spki, keyId, sign: (message) => new Uint8Array(sign('sha256', message, secret)) }
}

/**
 * The log's Ed25519 key in a PEM file, by the log's name.
 *
 * @throws {CountersignError} `key/malformed`, `config/missing-file`
 */
export function loadLogKey(path: string, origin: string, create: boolean): LogKey {
  const secret = loadPem(path, create, () => generateKeyPairSync('ed25519').privateKey)
  if (secret.asymmetricKeyType !== 'ed25519') throw new CountersignError('key/malformed', 'the log key is not Ed25519')
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' })
  const note = noteKey(crypto, origin, NOTE_ED25519, new Uint8Array(spki.subarray(spki.length - 32)))
  const withSignature = (text: string, signature: Uint8Array) =>
    `${text}\n${formatSignatureLine({ name: origin, id: note.id, signature })}`
  return {
    note,
    signNote: (text) => withSignature(text, sign(null, utf8(text), secret)),
    signNoteAside: (text) =>
      new Promise((resolve, reject) => {
        sign(null, utf8(text), secret, (error, signature) => {
          if (error === null) resolve(withSignature(text, signature))
          else reject(error)
        })
      }),
  }
}

/**
 * A 32-byte secret in a file, made there when it does not exist.
 *
 * @throws {CountersignError} `key/malformed`, `config/missing-file`
 */
export function loadSecret(path: string, create: boolean): Uint8Array {
  if (!existsSync(path) && create) writeDurably(path, utf8(`${randomBytes(SECRET_BYTES).toString('hex')}\n`))
  return parseSecret(readKeyFile(path).trim())
}

/** @throws {CountersignError} `key/malformed` */
export function parseSecret(text: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new CountersignError('key/malformed', 'a secret is 64 lower-case hexadecimal digits')
  }
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** The public half of a PEM file, private or public, as P-256 SPKI. */
export function readP256PublicKey(path: string): Uint8Array {
  try {
    const key = createPublicKey(readKeyFile(path))
    const spki = new Uint8Array(key.export({ format: 'der', type: 'spki' }))
    parseP256Spki(spki)
    return spki
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('key/malformed', 'the file does not hold a P-256 key in PEM')
  }
}

/** PEM of a public key, for handing out. */
export function formatPublicPem(spki: Uint8Array): string {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    .export({ format: 'pem', type: 'spki' })
    .toString()
}

/** DER SPKI of an Ed25519 public key, as trusted roots carry it. @spec RFC 8410 */
export function ed25519Spki(publicKey: Uint8Array): Uint8Array {
  return concat(Buffer.from('302a300506032b6570032100', 'hex'), publicKey)
}

/** Names of the key files in a data folder. */
export function keyPaths(folder: string) {
  return {
    statement: join(folder, 'statement.pem'),
    log: join(folder, 'log.pem'),
    /** Receipt secrets are derived from it. */
    root: join(folder, 'root.key'),
    /** Wraps the vault's keys, unless the configuration names another place. */
    vault: join(folder, 'vault.key'),
    /** Bearer token of the operator's own tools. */
    operatorToken: join(folder, 'operator.token'),
    /** There when the log key has signed a head. */
    used: join(folder, 'log.used'),
    /** Exists in the labelled example alone. */
    exampleAccountable: join(folder, 'example-accountable.pem'),
  }
}

function loadPem(path: string, create: boolean, generate: () => KeyObject): KeyObject {
  if (!existsSync(path) && create) {
    const pem = generate().export({ format: 'pem', type: 'pkcs8' }).toString()
    writeDurably(path, utf8(pem))
  }
  const text = readKeyFile(path)
  try {
    return createPrivateKey(text)
  } catch {
    throw new CountersignError('key/malformed', 'a key file does not hold a private key in PEM')
  }
}

function readKeyFile(path: string): string {
  try {
    if (statSync(path).size > 16_384) throw new CountersignError('key/malformed', 'a key file is too large')
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('config/missing-file', `cannot read the key file ${JSON.stringify(path)}`)
  }
}
