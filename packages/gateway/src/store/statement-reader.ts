/** Reads statements by index, digest, receipt or kind. */
import { type Crypto, equalBytes, Fields, PAYLOAD_LIMITS, parseHex, parseJson } from '@countersign/verify'
import { FOREIGN_KINDS, type StatementKind } from '../log/sequencer.ts'
import { conversationName, indexPrefix, type Sqlite } from './database.ts'
import { type Lookup, type LookupKind, NO_LOOKUP } from './lookup.ts'

/** A statement as it is kept. */
export interface StatementRow {
  readonly index: number
  readonly kind: StatementKind
  /** Deployment of an answer; else what the statement is about. */
  readonly name: string
  readonly digest: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly spki: Uint8Array
  readonly leafHash: Uint8Array
  readonly coverBySeconds: number
}

type Row = [number, StatementKind, string, Uint8Array, Uint8Array, Uint8Array, number, Uint8Array]

const COLUMNS = `SELECT s.idx, s.kind, s.name, s.payload, s.signature, s.spki, s.cover_by, e.leaf_hash
  FROM statements s JOIN entries e ON e.idx = s.idx`

/** What is known of the first request with an idempotency key. */
export interface FirstAnswer {
  /** HMAC of the request. */
  readonly request: Uint8Array
  readonly receipt: Uint8Array
  readonly status: number
  readonly contentType: string
}

export class StatementReader {
  readonly #crypto: Crypto
  readonly #lookup: Lookup
  readonly #byIndex
  readonly #recent
  readonly #byKind
  readonly #byKindOldest
  readonly #vault
  readonly #generation
  readonly #count
  readonly #coverBy
  readonly #next
  readonly #names
  readonly #upstream
  readonly #kept
  readonly #holder
  readonly #first
  readonly #cited
  readonly #citedOver

  /** Without a lookup, finding by digest or receipt reads a few bytes of every statement. */
  constructor(crypto: Crypto, database: Sqlite, lookup: Lookup = NO_LOOKUP) {
    this.#crypto = crypto
    this.#lookup = lookup
    this.#byIndex = database.prepare(`${COLUMNS} WHERE s.idx = ?`).raw()
    const recent = (column: string) =>
      database
        .prepare(`SELECT idx FROM statements INDEXED BY statements_recent WHERE idx >= ? AND ${column} = ?`)
        .pluck()
    this.#recent = { digest: recent('digest_prefix'), receipt: recent('receipt_prefix') }
    this.#byKind = database
      .prepare(`${COLUMNS} WHERE s.kind = ? AND s.kind <> 'inference' AND s.name = ? ORDER BY s.idx DESC LIMIT ?`)
      .raw()
    this.#byKindOldest = database
      .prepare(`${COLUMNS} WHERE s.kind = ? AND s.kind <> 'inference' AND s.name = ? ORDER BY s.idx`)
      .raw()
    this.#vault = database.prepare('SELECT key_id, record FROM vault WHERE idx = ?').raw()
    this.#generation = database.prepare('SELECT generation FROM secret_generations WHERE receipt = ?').pluck()
    this.#first = database
      .prepare('SELECT request, receipt, status, content_type FROM first_answers WHERE scope = ? AND expires_ms >= ?')
      .raw()
    this.#cited = database.prepare('SELECT note FROM cited_heads WHERE deployment = ? AND size = ?').pluck()
    this.#citedOver = database.prepare(
      'SELECT size, note FROM cited_heads WHERE deployment = ? AND size > ? ORDER BY size LIMIT 1',
    )
    this.#upstream = database.prepare('SELECT upstream FROM upstream_objects WHERE id = ? AND key_id = ?').pluck()
    this.#kept = database.prepare('SELECT 1 FROM upstream_objects WHERE id = ? LIMIT 1').pluck()
    this.#holder = database.prepare('SELECT key_id AS keyId, upstream FROM upstream_objects WHERE id = ? LIMIT 1')
    this.#count = database
      .prepare(
        `SELECT count(*) FROM statements
         WHERE kind IN (${FOREIGN_KINDS.map((kind) => `'${kind}'`).join()}) AND kind <> 'inference' AND idx >= ? AND spki = ?`,
      )
      .pluck()
    this.#coverBy = database.prepare('SELECT cover_by FROM statements WHERE idx = ?').pluck()
    this.#next = database.prepare('SELECT coalesce(max(idx) + 1, 0) FROM statements').pluck()
    this.#names = database
      .prepare(`SELECT idx, name FROM statements WHERE kind = ? AND kind <> 'inference' ORDER BY name`)
      .raw()
  }

  byIndex(index: number): StatementRow | undefined {
    const row = this.#byIndex.get(index) as Row | undefined
    return row && this.#read(row)
  }

  /** By SHA-256 of the payload, hexadecimal. */
  byDigest(digest: string): StatementRow | undefined {
    const wanted = parseHex(digest, 32)
    return this.#find('digest', wanted, (row) => equalBytes(row.digest, wanted))
  }

  /** The answer with that receipt id, hexadecimal. */
  byReceipt(receipt: string): StatementRow | undefined {
    return this.#find(
      'receipt',
      parseHex(receipt, 16),
      (row) => row.kind === 'inference' && receiptOf(row.payload) === receipt,
    )
  }

  /** The newest statement of a kind and name; answers are not looked up this way. */
  latest(kind: StatementKind, name: string): StatementRow | undefined {
    return this.newest(kind, name, 1)[0]
  }

  /** The newest statements of a kind and name, newest first. */
  newest(kind: StatementKind, name: string, limit: number): readonly StatementRow[] {
    return (this.#byKind.all(kind, name, limit) as Row[]).map((row) => this.#read(row))
  }

  /** All statements of a kind and name, oldest first; answers are not looked up this way. */
  *oldest(kind: StatementKind, name: string): Generator<StatementRow> {
    for (const row of this.#byKindOldest.iterate(kind, name) as IterableIterator<Row>) yield this.#read(row)
  }

  /** What the vault keeps of an answer. */
  vaultRow(index: number): { readonly keyId: number; readonly record: Uint8Array | null } | undefined {
    const row = this.#vault.get(index) as [number, Uint8Array | null] | undefined
    return row && { keyId: row[0], record: row[1] }
  }

  /** The head of that size as answers of the deployment cite it, with its cosignatures; `undefined` where none is kept. */
  citedHead(deployment: string, size: number): string | undefined {
    return this.#cited.get(deployment, size) as string | undefined
  }

  /** The first head over an entry that answers of the deployment cite, with its cosignatures of that time. */
  firstCitedOver(deployment: string, index: number): { readonly size: number; readonly note: string } | undefined {
    return this.#citedOver.get(deployment, index) as { size: number; note: string } | undefined
  }

  /** The first answer to an idempotency key, unless it is too long ago. */
  firstAnswer(scope: Uint8Array, nowMs: number): FirstAnswer | undefined {
    const row = this.#first.get(scope, nowMs) as [Uint8Array, Uint8Array, number, string] | undefined
    return row && { request: row[0], receipt: new Uint8Array(row[1]), status: row[2], contentType: row[3] }
  }

  /** Which upstream keeps an object of that id for that key. */
  upstreamOf(id: string, keyId: string): string | undefined {
    return this.#upstream.get(id, keyId) as string | undefined
  }

  /** Whether an upstream keeps an object of that id for anyone. */
  isKept(id: string): boolean {
    return this.#kept.get(id) !== undefined
  }

  /** Whose a conversation is, and which upstream keeps it; `undefined` as long as nobody had an answer in it. */
  conversation(id: string): { readonly keyId: string; readonly upstream: string } | undefined {
    return this.#holder.get(conversationName(id)) as { keyId: string; upstream: string } | undefined
  }

  /** How often the secret of a receipt was revoked. */
  secretGeneration(receipt: Uint8Array): number {
    return (this.#generation.get(receipt) as number | undefined) ?? 0
  }

  /** Statements that the holder of a key has had logged since a time in seconds. */
  countSince(spki: Uint8Array, sinceSeconds: number): number {
    return this.#count.get(this.#firstSince(sinceSeconds), spki) as number
  }

  /** Indexes and names of all statements of a kind; their texts are not read. */
  *named(kind: StatementKind): Generator<{ readonly index: number; readonly name: string }> {
    for (const [index, name] of this.#names.iterate(kind) as IterableIterator<[number, string]>) yield { index, name }
  }

  /** The first index whose promise is for that time or later: times never fall from one entry to the next. */
  #firstSince(seconds: number): number {
    let [low, high] = [0, this.#next.get() as number]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if ((this.#coverBy.get(middle) as number) >= seconds) high = middle
      else low = middle + 1
    }
    return low
  }

  #find(kind: LookupKind, bytes: Uint8Array, isIt: (row: StatementRow) => boolean): StatementRow | undefined {
    const prefix = indexPrefix(bytes)
    const { indexes, size } = this.#lookup.find(kind, prefix)
    for (const index of [...indexes, ...(this.#recent[kind].all(size, prefix) as number[])]) {
      const row = this.byIndex(index)
      if (row !== undefined && isIt(row)) return row
    }
    return undefined
  }

  #read([index, kind, name, payload, signature, spki, coverBySeconds, leafHash]: Row): StatementRow {
    const digest = this.#crypto.sha256(payload)
    return { index, kind, name, digest, payload, signature, spki, coverBySeconds, leafHash }
  }
}

/** The receipt id in the payload of an answer's statement. */
export function receiptOf(payload: Uint8Array): string {
  return new Fields(parseJson(payload, PAYLOAD_LIMITS), 'statement').object('predicate').text('receipt')
}
