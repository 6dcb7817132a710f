/**
 * A small log in memory, with keys from fixed seeds and deterministic signatures, so that tests and vectors are the same
 * on every machine.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import { toBase64 } from './bytes/base64.ts'
import { concat, parseHex, toHex, uint64BigEndian, utf8 } from './bytes/bytes.ts'
import type { Json } from './bytes/json.ts'
import { createNobleCrypto } from './crypto/noble-provider.ts'
import { formatBundle } from './log/bundle.ts'
import { cosignatureMessage, formatCheckpoint } from './log/checkpoint.ts'
import { formatLeaf } from './log/leaf.ts'
import { emptyRoot, type Hash, hashChildren, hashLeaf, type TreeHead } from './log/merkle.ts'
import { consistencyRanges, hashRange, inclusionRanges, type ReadSubtree } from './log/merkle-ranges.ts'
import { fullKeyId, NOTE_COSIGNATURE, NOTE_ED25519, type NoteKey, noteKey } from './log/note.ts'
import { formatPromise } from './log/promise.ts'
import { preAuthEncoding } from './statement/dsse.ts'
import { formatStatement, type Statement, statementDigest } from './statement/statement.ts'

const crypto = createNobleCrypto()

export const ORIGIN = 'example.org/countersign-test-log'
export const NOW_MS = 1_790_000_000_000

/** A P-256 signer whose signatures are deterministic. */
export interface StatementSigner {
  readonly spki: Uint8Array
  readonly keyId: string
  sign(message: Uint8Array): Uint8Array
}

/** An Ed25519 signer of notes. */
export interface NoteSigner {
  readonly key: NoteKey
  /** Signature bytes over a text, with its key id and name. */
  sign(text: string): string
}

export function statementSigner(seed: string): StatementSigner {
  const secret = crypto.sha256(utf8(`test statement key ${seed}`))
  const header = parseHex('3059301306072a8648ce3d020106082a8648ce3d030107034200')
  const spki = concat(header, p256.getPublicKey(secret, false))
  return {
    spki,
    keyId: toHex(crypto.sha256(spki)),
    sign: (message) => p256.sign(message, secret, { prehash: true, lowS: false, format: 'der' }),
  }
}

export function logSigner(name: string, seed = name): NoteSigner {
  const secret = crypto.sha256(utf8(`test log key ${seed}`))
  const key = noteKey(crypto, name, NOTE_ED25519, ed25519.getPublicKey(secret))
  return {
    key,
    sign: (text) => signatureLine(key, ed25519.sign(utf8(text), secret)),
  }
}

/** A witness; cosigns the text of a checkpoint at a time. */
export function witnessSigner(name: string) {
  const secret = crypto.sha256(utf8(`test witness key ${name}`))
  const key = noteKey(crypto, name, NOTE_COSIGNATURE, ed25519.getPublicKey(secret))
  return {
    key,
    cosign(text: string, timeSeconds: number): string {
      const signature = ed25519.sign(cosignatureMessage(timeSeconds, text), secret)
      return signatureLine(key, concat(uint64BigEndian(BigInt(timeSeconds)), signature))
    },
  }
}

function signatureLine(key: NoteKey, signature: Uint8Array): string {
  return `— ${key.name} ${toBase64(concat(key.id, signature))}\n`
}

/** An append-only log of statements. */
export class TestLog {
  readonly signer: NoteSigner
  readonly #entries: {
    readonly payload: Uint8Array
    readonly signature: Uint8Array
    readonly leaf: Uint8Array
    signer: StatementSigner
  }[] = []

  constructor(signer: NoteSigner = logSigner(ORIGIN)) {
    this.signer = signer
  }

  get size(): number {
    return this.#entries.length
  }

  /** Another log under the same key, with the same first `size` entries. */
  fork(size: number): TestLog {
    const fork = new TestLog(this.signer)
    fork.#entries.push(...this.#entries.slice(0, size))
    return fork
  }

  /** Signs and appends; the entry's index and the statement's digest. */
  append(statement: Statement, signer: StatementSigner): { index: number; digest: string; leafHash: Hash } {
    return this.appendPayload(formatStatement(statement), signer)
  }

  appendPayload(payload: Uint8Array, signer: StatementSigner): { index: number; digest: string; leafHash: Hash } {
    const signature = signer.sign(preAuthEncoding(payload))
    const leaf = formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki: signer.spki })
    this.#entries.push({ payload, signature, leaf, signer })
    return { index: this.size - 1, digest: statementDigest(crypto, payload), leafHash: hashLeaf(crypto, leaf) }
  }

  head(size = this.size): TreeHead {
    return { size, root: size === 0 ? emptyRoot(crypto) : hashRange(crypto, { start: 0, end: size }, this.#read) }
  }

  /** The checkpoint of a size, signed by the log and whoever else signs its text. */
  checkpoint(size = this.size, cosigners: readonly ((text: string) => string)[] = []): string {
    const text = formatCheckpoint({ origin: this.signer.key.name, ...this.head(size) })
    return `${text}\n${[this.signer.sign, ...cosigners].map((sign) => sign(text)).join('')}`
  }

  /** The receipt of an entry under the head of a size. */
  bundle(index: number, size = this.size, checkpoint = this.checkpoint(size)): Json {
    const entry = this.#entries[index]
    if (entry === undefined) throw new Error(`no entry ${index}`)
    const path = index < size ? inclusionRanges(index, size).map((range) => hashRange(crypto, range, this.#read)) : []
    return formatBundle({
      envelope: { payload: entry.payload, signature: entry.signature, keyId: entry.signer.keyId },
      keyHint: entry.signer.keyId,
      logKeyId: fullKeyId(crypto, this.signer.key),
      index,
      treeSize: size,
      root: this.head(size).root,
      path,
      checkpoint,
      leafBytes: entry.leaf,
    })
  }

  consistency(from: number, to = this.size) {
    const path = consistencyRanges(from, to).map((range) => hashRange(crypto, range, this.#read))
    return { ...this.head(from), path }
  }

  /** The payload and the leaf of an entry. */
  entry(index: number): { readonly payload: Uint8Array; readonly signature: Uint8Array; readonly leaf: Uint8Array } {
    const entry = this.#entries[index]
    if (entry === undefined) throw new Error(`no entry ${index}`)
    return entry
  }

  promise(index: number, receipt: string, coverBySeconds = NOW_MS / 1000 + 60): string {
    const entry = this.entry(index)
    const statement = statementDigest(crypto, entry.payload)
    const leafHash = hashLeaf(crypto, entry.leaf)
    const text = formatPromise({ origin: this.signer.key.name, receipt, statement, index, leafHash, coverBySeconds })
    return `${text}\n${this.signer.sign(text)}`
  }

  readonly #read: ReadSubtree = (height, index) => {
    const entry = this.#entries[index]
    if (height === 0 && entry !== undefined) return hashLeaf(crypto, entry.leaf)
    return hashChildren(crypto, this.#read(height - 1, index * 2), this.#read(height - 1, index * 2 + 1))
  }
}

export function jsonBytes(value: Json): Uint8Array {
  return utf8(JSON.stringify(value))
}
