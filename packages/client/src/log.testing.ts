/** A log in memory with keys of its own, that signs as a gateway does. */
import { generateKeyPairSync, sign } from 'node:crypto'
import {
  formatBundle,
  formatCheckpoint,
  formatLeaf,
  formatNote,
  formatNoteKey,
  formatPromise,
  formatPromiseHeader,
  fullKeyId,
  hashChildren,
  hashLeaf,
  hashRange,
  inclusionRanges,
  type Json,
  NOTE_ED25519,
  noteKey,
  preAuthEncoding,
  type ReadSubtree,
  statementDigest,
  toHex,
  type UnverifiedEnvelope,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'

const crypto = createNodeCrypto()
const COVER_BY_SECONDS = 4_000_000_000

interface Entry {
  readonly envelope: UnverifiedEnvelope
  readonly leaf: Uint8Array
}

/** One entry's receipt, promise and statement. */
export class LogDouble {
  readonly origin: string
  readonly key
  readonly #noteSecret
  readonly #statementSecret
  readonly #spki: Uint8Array
  readonly #entries: Entry[] = []

  constructor(origin = 'log.example/client-test') {
    const note = generateKeyPairSync('ed25519')
    const statement = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const raw = new Uint8Array(note.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
    this.origin = origin
    this.key = noteKey(crypto, origin, NOTE_ED25519, raw)
    this.#noteSecret = note.privateKey
    this.#statementSecret = statement.privateKey
    this.#spki = new Uint8Array(statement.publicKey.export({ format: 'der', type: 'spki' }))
  }

  /** What a relying party pins. */
  get verifierKey(): string {
    return formatNoteKey(this.key)
  }

  /** A trust file that knows the log and its operator. */
  get trustText(): string {
    const spki = Buffer.from(this.#spki).toString('base64')
    const party = `- name: Operator\n  owner: Operator Ltd\n  roles: [operator]\n  keys:\n  - spki: ${spki}\n`
    return `format: countersign-trust/v1\npolicy: |\n  log ${this.verifierKey}\n  quorum none\nparties:\n${party}`
  }

  append(payload: Uint8Array): { readonly index: number; readonly digest: string } {
    const signature = new Uint8Array(sign('sha256', preAuthEncoding(payload), this.#statementSecret))
    const keyId = toHex(crypto.sha256(this.#spki))
    const leaf = formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki: this.#spki })
    this.#entries.push({ envelope: { payload, signature, keyId }, leaf })
    return { index: this.#entries.length - 1, digest: statementDigest(crypto, payload) }
  }

  envelope(index: number): UnverifiedEnvelope {
    return this.#entry(index).envelope
  }

  /** The promise's one-line form. */
  promise(index: number, receipt: string): string {
    const { envelope, leaf } = this.#entry(index)
    const place = { origin: this.origin, receipt, index, coverBySeconds: COVER_BY_SECONDS }
    const statement = statementDigest(crypto, envelope.payload)
    const text = formatPromise({ ...place, statement, leafHash: hashLeaf(crypto, leaf) })
    return formatPromiseHeader(this.#note(text))
  }

  head(size = this.#entries.length) {
    return { size, root: hashRange(crypto, { start: 0, end: size }, this.#read) }
  }

  /** The receipt under the head of everything. */
  bundle(index: number): Json {
    const { envelope, leaf } = this.#entry(index)
    const { size, root } = this.head()
    return formatBundle({
      envelope,
      keyHint: envelope.keyId,
      logKeyId: fullKeyId(crypto, this.key),
      index,
      treeSize: size,
      root,
      path: inclusionRanges(index, size).map((range) => hashRange(crypto, range, this.#read)),
      checkpoint: this.#note(formatCheckpoint({ origin: this.origin, size, root })),
      leafBytes: leaf,
    })
  }

  /** The receipt of another log's entry, under a head that this log signs. */
  forge(log: LogDouble, index: number): Json {
    for (let i = 0; i <= index; i++) this.#entries.push(log.#entry(i))
    return this.bundle(index)
  }

  #note(text: string): string {
    const signature = new Uint8Array(sign(null, utf8(text), this.#noteSecret))
    return formatNote({ text, signatures: [{ name: this.key.name, id: this.key.id, signature }] })
  }

  #entry(index: number): Entry {
    const entry = this.#entries[index]
    if (entry === undefined) throw new Error(`no entry ${index}`)
    return entry
  }

  readonly #read: ReadSubtree = (height, index) =>
    height === 0
      ? hashLeaf(crypto, this.#entry(index).leaf)
      : hashChildren(crypto, this.#read(height - 1, index * 2), this.#read(height - 1, index * 2 + 1))
}
