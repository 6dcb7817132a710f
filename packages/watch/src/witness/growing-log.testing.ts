/** A log in memory, and the forks of it that its dishonest operator could show. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import {
  type AddCheckpoint,
  consistencyRanges,
  emptyRoot,
  formatAddCheckpoint,
  formatCheckpoint,
  formatNoteKey,
  type Hash,
  hashChildren,
  hashRange,
  NOTE_ED25519,
  type NoteKey,
  type NoteSignature,
  noteKey,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'

export const crypto = createNodeCrypto()

const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex')

/** An Ed25519 key from a seed, the same on each run. */
export function keyFrom(seed: string): KeyObject {
  const secret = createHash('sha256').update(seed).digest()
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, secret]), format: 'der', type: 'pkcs8' })
}

export interface LogNames {
  readonly origin: string
  /** Where it is not the origin. */
  readonly keyName?: string
}

export class GrowingLog {
  readonly origin: string
  readonly key: NoteKey
  readonly #secret: KeyObject
  /** Where this history leaves the first one, and which of the others it is. */
  readonly #forkedAt: number
  readonly #branch: number
  readonly #known = new Map<string, Hash>()

  constructor({ origin, keyName = origin }: LogNames, forkedAt = Number.POSITIVE_INFINITY, branch = 0) {
    this.origin = origin
    this.#secret = keyFrom(`log ${keyName}`)
    this.#forkedAt = forkedAt
    this.#branch = branch
    const spki = createPublicKey(this.#secret).export({ format: 'der', type: 'spki' })
    this.key = noteKey(crypto, keyName, NOTE_ED25519, new Uint8Array(spki.subarray(-32)))
  }

  get verifierKey(): string {
    return formatNoteKey(this.key)
  }

  /** The same log with another history from entry `at` on. */
  fork(at: number, branch = 1): GrowingLog {
    return new GrowingLog({ origin: this.origin, keyName: this.key.name }, at, branch)
  }

  root(size: number): Hash {
    return size === 0 ? emptyRoot(crypto) : hashRange(crypto, { start: 0, end: size }, this.#subtree)
  }

  proof(from: number, to: number): readonly Hash[] {
    if (from === 0 || from >= to) return []
    return consistencyRanges(from, to).map((range) => hashRange(crypto, range, this.#subtree))
  }

  text(size: number): string {
    return formatCheckpoint({ origin: this.origin, size, root: this.root(size) })
  }

  signature(text: string): NoteSignature {
    return { name: this.key.name, id: this.key.id, signature: sign(null, utf8(text), this.#secret) }
  }

  /** What an honest log would ask; `more` are extension lines. */
  request(from: number, to: number, more = ''): AddCheckpoint {
    const text = this.text(to) + more
    return {
      oldSize: from,
      proof: this.proof(from, to),
      checkpoint: { text, signatures: [this.signature(text)] },
    }
  }

  body(from: number, to: number, more = ''): string {
    return formatAddCheckpoint(this.request(from, to, more))
  }

  readonly #subtree = (height: number, index: number): Hash => {
    const name = `${height}/${index}`
    const before = this.#known.get(name)
    if (before !== undefined) return before
    const hash =
      height === 0
        ? crypto.sha256(utf8(`leaf ${index} of ${index < this.#forkedAt ? 0 : this.#branch}`))
        : hashChildren(crypto, this.#subtree(height - 1, index * 2), this.#subtree(height - 1, index * 2 + 1))
    this.#known.set(name, hash)
    return hash
  }
}

/** A signature line of somebody whom the witness does not know. */
export function strangersLine(text: string, name: string): NoteSignature {
  return { name, id: crypto.sha256(utf8(name)).slice(0, 4), signature: sign(null, utf8(text), keyFrom(name)) }
}
