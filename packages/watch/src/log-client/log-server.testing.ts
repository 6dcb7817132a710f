/** A log over HTTP, made with verify's functions: real tiles, checkpoints and entries; and on purpose, every lie. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import {
  cosignatureMessage,
  formatCheckpoint,
  formatEntries,
  formatLeaf,
  formatSignatureLine,
  type Hash,
  hashChildren,
  hashLeaf,
  hashRange,
  inclusionRanges,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  type NoteKey,
  noteKey,
  parseTilePath,
  type ReadSubtree,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileName,
  tileWidth,
  toBase64,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'

export const TEST_ORIGIN = 'example.org/watched-log'

const crypto = createNodeCrypto()

/** Signs notes: a log, or with a cosignature key a witness. */
export interface TestNoteSigner {
  readonly key: NoteKey
  /** The signature line over a text; for a witness, at a time. */
  sign(text: string, timeSeconds?: number): string
}

export function createNoteSigner(name: string, type = NOTE_ED25519): TestNoteSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = noteKey(
    crypto,
    name,
    type,
    new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
  )
  return {
    key,
    sign(text, timeSeconds = 0) {
      if (type !== NOTE_COSIGNATURE) return lineOf(key, sign(null, utf8(text), privateKey))
      const time = Buffer.alloc(8)
      time.writeBigUInt64BE(BigInt(timeSeconds))
      const signature = sign(null, cosignatureMessage(timeSeconds, text), privateKey)
      return lineOf(key, Buffer.concat([time, signature]))
    },
  }
}

function lineOf({ name, id }: NoteKey, signature: Uint8Array): string {
  return formatSignatureLine({ name, id, signature: new Uint8Array(signature) })
}

/** A P-256 key that signs statements. */
export interface TestStatementSigner {
  readonly spki: Uint8Array
  readonly privateKey: KeyObject
}

export function createStatementSigner(): TestStatementSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { spki: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })), privateKey }
}

const SOME_KEY = createStatementSigner().spki

/** A well-formed leaf of about 480 bytes for a statement that nobody ever made. */
export function inventedLeaf(seed: string): Uint8Array {
  const payloadHash = crypto.sha256(utf8(seed))
  const signature = new Uint8Array(71).fill(payloadHash[0] ?? 0)
  return formatLeaf({ payloadHash, signature, spki: SOME_KEY })
}

/** An append-only tree in memory with every complete subtree. */
export class TestTree {
  readonly entries: Uint8Array[] = []
  /** Roots of complete subtrees, by height. */
  readonly #levels: Hash[][] = [[]]

  /** The same entries up to `size`: where a fork begins. */
  fork(size: number): TestTree {
    const other = new TestTree()
    for (const entry of this.entries.slice(0, size)) other.append(entry)
    return other
  }

  append(entry: Uint8Array): number {
    this.entries.push(entry)
    let hash = hashLeaf(crypto, entry)
    for (let height = 0; ; height++) {
      const level = this.#levels[height] ?? []
      this.#levels[height] = level
      level.push(hash)
      const left = level.at(-2)
      if (level.length % 2 === 1 || left === undefined) break
      hash = hashChildren(crypto, left, hash)
    }
    return this.entries.length - 1
  }

  get size(): number {
    return this.entries.length
  }

  root(size = this.size): Hash {
    return hashRange(crypto, { start: 0, end: size }, this.read)
  }

  path(index: number, size = this.size): readonly Hash[] {
    return inclusionRanges(index, size).map((range) => hashRange(crypto, range, this.read))
  }

  /** What a tile holds in the tree of all entries, as far as its width. */
  tile({ level, index, width }: TileName): Uint8Array | undefined {
    if (tileWidth(level, index, this.size) < width) return undefined
    const first = index * TILE_WIDTH
    if (level === 'entries') return formatEntries(this.entries.slice(first, first + width))
    return Buffer.concat(Array.from({ length: width }, (_, i) => this.read(level * TILE_HEIGHT, first + i)))
  }

  readonly read: ReadSubtree = (height, index) => {
    const hash = this.#levels[height]?.[index]
    if (hash === undefined) throw new Error(`the tree has no subtree ${height}/${index}`)
    return hash
  }
}

/** A tree under a key. */
export class TestLog {
  readonly signer: TestNoteSigner
  tree = new TestTree()

  constructor(signer: TestNoteSigner = createNoteSigner(TEST_ORIGIN)) {
    this.signer = signer
  }

  /** Appends leaves of nothing in particular. */
  grow(count: number, seed = 'entry'): void {
    for (let i = 0; i < count; i++) this.tree.append(inventedLeaf(`${seed} ${this.tree.size}`))
  }

  /** The checkpoint of a size, with more signature lines after the log's own. */
  checkpoint(size = this.tree.size, cosign: readonly ((text: string) => string)[] = []): string {
    const text = formatCheckpoint({ origin: this.signer.key.name, size, root: this.tree.root(size) })
    return `${text}\n${[this.signer.sign(text), ...cosign.map((each) => each(text))].join('')}`
  }
}

/** What goes over the wire instead of the honest answer. */
export type Misdeed =
  | { readonly kind: 'body'; readonly body: Uint8Array | string; readonly headers?: Record<string, string> }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  /** Nothing, for as long as the client waits; or the first bytes and then nothing. */
  | { readonly kind: 'stall'; readonly after?: number }
  /** As many bytes as the client takes, up to a gigabyte. */
  | { readonly kind: 'gigabyte'; readonly isAnnounced: boolean }
  /** The connection ends in the middle of the answer. */
  | { readonly kind: 'cut' }
  /** Something that is not HTTP. */
  | { readonly kind: 'noise' }

export interface TestLogServer {
  /** The log's prefix. */
  readonly url: string
  /** Paths asked for so far, below the prefix. */
  readonly requests: string[]
  /** What is served; may be exchanged. */
  log: TestLog
  /** Entries under the checkpoint that is served; all when `undefined`. */
  publishedSize: number | undefined
  /** Lines after the log's own. */
  cosign: readonly ((text: string) => string)[]
  /** Decides for each path whether it is answered honestly. */
  misdeed: (path: string, request: IncomingMessage) => Misdeed | undefined
  stop(): Promise<void>
}

/** Serves a log below `/log` on a free port of loopback. */
export async function startLogServer(log = new TestLog()): Promise<TestLogServer> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/log\//, '')
    served.requests.push(path)
    const misdeed = served.misdeed(path, request)
    if (misdeed !== undefined) commit(misdeed, honestAnswer(served, path), response)
    else reply(response, honestAnswer(served, path))
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const served: TestLogServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/log`,
    requests: [],
    log,
    publishedSize: undefined,
    cosign: [],
    misdeed: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
  return served
}

function honestAnswer({ log, publishedSize, cosign }: TestLogServer, path: string): Uint8Array | undefined {
  if (path === 'checkpoint') return utf8(log.checkpoint(publishedSize ?? log.tree.size, cosign))
  try {
    return log.tree.tile(parseTilePath(path))
  } catch {
    return undefined
  }
}

function reply(response: ServerResponse, body: Uint8Array | undefined): void {
  response.writeHead(body === undefined ? 404 : 200, { 'content-length': String(body?.length ?? 0) })
  response.end(body)
}

const MEBIBYTE = 1024 * 1024

function commit(misdeed: Misdeed, honest: Uint8Array | undefined, response: ServerResponse): void {
  switch (misdeed.kind) {
    case 'body':
      response.writeHead(200, misdeed.headers ?? {})
      response.end(misdeed.body)
      return
    case 'status':
      response.writeHead(misdeed.status, { ...misdeed.headers })
      response.end('{"error":"on purpose"}')
      return
    case 'stall':
      if (misdeed.after === undefined) return
      response.writeHead(200)
      response.write((honest ?? utf8('some bytes')).subarray(0, misdeed.after))
      return
    case 'gigabyte':
      response.writeHead(200, misdeed.isAnnounced ? { 'content-length': String(1024 * MEBIBYTE) } : {})
      pour(response, 1024)
      return
    case 'cut':
      response.writeHead(200, { 'content-length': String(honest?.length ?? 20) })
      response.write(honest?.subarray(1) ?? 'some bytes', () => response.destroy())
      return
    case 'noise':
      response.socket?.end('this is not HTTP\r\n\r\n')
  }
}

function pour(response: ServerResponse, mebibytes: number): void {
  if (mebibytes === 0 || response.destroyed) return void response.end()
  response.write(Buffer.alloc(MEBIBYTE, 0x61), (error) => {
    if (!error) pour(response, mebibytes - 1)
  })
}

/** A trust file's policy lines and parties for a log. */
export function trustTextOf(
  { key }: TestNoteSigner,
  options: { readonly witnesses?: readonly (readonly [NoteKey, string?])[]; readonly operator?: Uint8Array } = {},
): string {
  const { witnesses = [], operator } = options
  const lines = witnesses.map(
    ([witness, url], i) => `  witness w${i} ${textOf(witness)}${url === undefined ? '' : ` ${url}`}\n`,
  )
  const quorum =
    witnesses.length === 0
      ? '  quorum none\n'
      : `  group g all ${witnesses.map((_, i) => `w${i}`).join(' ')}\n  quorum g\n`
  const parties =
    operator === undefined
      ? 'parties: []\n'
      : `parties:\n- name: Operator\n  owner: Operator Ltd\n  roles: [operator]\n  keys:\n  - spki: ${toBase64(operator)}\n`
  return `format: countersign-trust/v1\npolicy: |\n  log ${textOf(key)}\n${lines.join('')}${quorum}${parties}`
}

function textOf({ name, id, type, publicKey }: NoteKey): string {
  return `${name}+${Buffer.from(id).toString('hex')}+${toBase64(Buffer.concat([Uint8Array.of(type), publicKey]))}`
}
