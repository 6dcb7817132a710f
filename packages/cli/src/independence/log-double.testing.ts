/** A small log with real keys, and a server that shows it: honest, or in whatever way a test wants it to lie. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import {
  concat,
  cosignatureMessage,
  formatBundle,
  formatCheckpoint,
  formatLeaf,
  formatNoteKey,
  formatSignatureLine,
  formatStatement,
  fullKeyId,
  type Hash,
  hashChildren,
  hashLeaf,
  hashRange,
  inclusionRanges,
  type Json,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  type NoteKey,
  noteKey,
  preAuthEncoding,
  type Statement,
  statementDigest,
  toBase64,
  toHex,
  uint64BigEndian,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'

const crypto = createNodeCrypto()

/** An Ed25519 key that signs notes. */
export class NoteSigner {
  readonly key: NoteKey
  readonly #privateKey: KeyObject

  constructor(name: string, type: number) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    this.#privateKey = privateKey
    this.key = noteKey(crypto, name, type, publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
  }

  /** Its line under a text, of those bytes of signature or what `before` puts in front. */
  line(message: Uint8Array, before: Uint8Array = new Uint8Array()): string {
    const signature = concat(before, sign(null, message, this.#privateKey))
    return formatSignatureLine({ name: this.key.name, id: this.key.id, signature })
  }
}

/** A P-256 key that signs statements. */
export class StatementSigner {
  readonly spki: Uint8Array
  readonly keyId: string
  readonly #privateKey: KeyObject

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#privateKey = privateKey
    this.spki = publicKey.export({ format: 'der', type: 'spki' })
    this.keyId = toHex(crypto.sha256(this.spki))
  }

  sign(message: Uint8Array): Uint8Array {
    return sign('sha256', message, this.#privateKey)
  }
}

export class LogDouble {
  readonly signer = new NoteSigner('log.example/double', NOTE_ED25519)
  readonly witnesses = ['a', 'b'].map((name) => new NoteSigner(`witness.example/${name}`, NOTE_COSIGNATURE))
  readonly #entries: { payload: Uint8Array; signature: Uint8Array; signer: StatementSigner; leaf: Uint8Array }[] = []

  append(statement: Statement, signer: StatementSigner): { readonly index: number; readonly digest: string } {
    const payload = formatStatement(statement)
    const signature = signer.sign(preAuthEncoding(payload))
    const leaf = formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki: signer.spki })
    this.#entries.push({ payload, signature, signer, leaf })
    return { index: this.#entries.length - 1, digest: statementDigest(crypto, payload) }
  }

  /** The newest head, cosigned at those seconds by the first witnesses. */
  checkpoint(...seconds: readonly number[]): string {
    const size = this.#entries.length
    const text = formatCheckpoint({ origin: this.signer.key.name, size, root: this.#root() })
    const lines = seconds.map((second, i) =>
      this.witnesses[i]?.line(cosignatureMessage(second, text), uint64BigEndian(BigInt(second))),
    )
    return `${text}\n${[this.signer.line(utf8(text)), ...lines].join('')}`
  }

  bundle(index: number): Json {
    const { payload, signature, signer, leaf } = this.#entry(index)
    const size = this.#entries.length
    return formatBundle({
      envelope: { payload, signature, keyId: signer.keyId },
      keyHint: signer.keyId,
      logKeyId: fullKeyId(crypto, this.signer.key),
      ...{ index, treeSize: size, root: this.#root(), checkpoint: this.checkpoint(), leafBytes: leaf },
      path: inclusionRanges(index, size).map((range) => hashRange(crypto, range, this.#read)),
    })
  }

  /** Lines of a trust file: the policy, with that end. */
  policyText(quorum: string): string {
    const witnesses = this.witnesses.map(({ key }, i) => `  witness ${'ab'[i]} ${formatNoteKey(key)}\n`)
    return `format: countersign-trust/v1\npolicy: |\n  log ${formatNoteKey(this.signer.key)}\n${witnesses.join('')}  ${quorum}\n`
  }

  #root(): Hash {
    return hashRange(crypto, { start: 0, end: this.#entries.length }, this.#read)
  }

  readonly #read = (height: number, index: number): Hash => {
    if (height === 0) return hashLeaf(crypto, this.#entry(index).leaf)
    return hashChildren(crypto, this.#read(height - 1, index * 2), this.#read(height - 1, index * 2 + 1))
  }

  #entry(index: number) {
    const entry = this.#entries[index]
    if (entry === undefined) throw new Error(`no entry ${index}`)
    return entry
  }
}

/** The trust file's lines for a party. */
export function partyText(name: string, owner: string, rest: string): string {
  return `- { name: ${name}, owner: ${owner}, ${rest} }\n`
}

export function keysText({ spki }: StatementSigner): string {
  return `keys: [{ spki: ${toBase64(spki)} }]`
}

/** Serves those bodies by path until the test is over; its URL. */
export async function serve(context: TestContext, pages: { readonly [path: string]: string | Json }): Promise<string> {
  const server = createServer((request, response) => {
    const page = pages[request.url ?? '']
    response.statusCode = page === undefined ? 404 : 200
    response.end(typeof page === 'string' ? page : JSON.stringify(page ?? { error: 'none', code: 'request/not-found' }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
