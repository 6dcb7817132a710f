/** Statements that were seen, as a table: what contradictions and gaps are looked for in. */
import type { Json } from '@countersign/verify'
import type Database from 'better-sqlite3'
import { MAX_KEPT_RECEIPTS, MAX_STATEMENTS } from './limits.ts'
import type { SignedHead } from './monitor-state.ts'
import type { SeenStatement, StatementLedger } from './statement-ledger.ts'

/** `series` is operator, deployment and epoch: what has one run of sequence numbers. */
export const STATEMENT_TABLES = `
CREATE TABLE statements (
  number INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  idx INTEGER NOT NULL,
  operator TEXT NOT NULL,
  receipt TEXT NOT NULL,
  series TEXT NOT NULL,
  sequence INTEGER NOT NULL
) STRICT;
CREATE INDEX statements_receipt ON statements (receipt, operator);
CREATE INDEX statements_sequence ON statements (series, sequence);
CREATE INDEX statements_place ON statements (series, idx);
CREATE TABLE receipts (
  number INTEGER PRIMARY KEY,
  digest TEXT NOT NULL,
  head_size INTEGER NOT NULL,
  head_root TEXT NOT NULL,
  bundle TEXT NOT NULL,
  UNIQUE (digest, head_root)
) STRICT;
CREATE INDEX receipts_head ON receipts (head_root);
CREATE TABLE reading (id INTEGER PRIMARY KEY CHECK (id = 1), next INTEGER NOT NULL, reader TEXT NOT NULL) STRICT;
`

/** Receipts under one head that are looked through for a leaf that is another one elsewhere. */
const MAX_RECEIPTS_OF_HEAD = 64

export class StatementTable implements StatementLedger {
  readonly #sql

  constructor(database: Database.Database) {
    const select = 'SELECT digest, idx AS "index", operator, receipt, series, sequence FROM statements'
    this.#sql = {
      ofReceipt: database.prepare(`${select} WHERE receipt = ? AND operator = ? AND digest <> ? LIMIT 1`),
      ofNumber: database.prepare(`${select} WHERE series = ? AND sequence = ? AND digest <> ? LIMIT 1`),
      before: database.prepare(`${select} WHERE series = ? AND idx < ? ORDER BY idx DESC LIMIT 1`),
      after: database.prepare(`${select} WHERE series = ? AND idx > ? ORDER BY idx LIMIT 1`),
      add: database.prepare(
        'INSERT OR IGNORE INTO statements (digest, idx, operator, receipt, series, sequence) VALUES (?, ?, ?, ?, ?, ?)',
      ),
      trim: database.prepare('DELETE FROM statements WHERE number <= (SELECT max(number) FROM statements) - ?'),
      addReceipt: database.prepare(
        'INSERT OR IGNORE INTO receipts (digest, head_size, head_root, bundle) VALUES (?, ?, ?, ?)',
      ),
      trimReceipts: database.prepare('DELETE FROM receipts WHERE number <= (SELECT max(number) FROM receipts) - ?'),
      receipt: database.prepare('SELECT bundle FROM receipts WHERE digest = ? LIMIT 1').pluck(),
      receiptsUnder: database
        .prepare('SELECT bundle FROM receipts WHERE head_root = ? AND head_size = ? LIMIT ?')
        .pluck(),
      next: database.prepare('SELECT next FROM reading').pluck(),
      reader: database.prepare('SELECT reader FROM reading').pluck(),
      begin: database.prepare('INSERT OR REPLACE INTO reading (id, next, reader) VALUES (1, 0, ?)'),
      setNext: database.prepare('UPDATE reading SET next = ?'),
    }
  }

  ofReceipt(receipt: string, operator: string, except: string): SeenStatement | undefined {
    return this.#sql.ofReceipt.get(receipt, operator, except) as SeenStatement | undefined
  }

  ofNumber(series: string, sequence: number, except: string): SeenStatement | undefined {
    return this.#sql.ofNumber.get(series, sequence, except) as SeenStatement | undefined
  }

  before(series: string, index: number): SeenStatement | undefined {
    return this.#sql.before.get(series, index) as SeenStatement | undefined
  }

  after(series: string, index: number): SeenStatement | undefined {
    return this.#sql.after.get(series, index) as SeenStatement | undefined
  }

  receiptOf(digest: string): Json | undefined {
    const text = this.#sql.receipt.get(digest) as string | undefined
    return text === undefined ? undefined : (JSON.parse(text) as Json)
  }

  add({ digest, index, operator, receipt, series, sequence }: SeenStatement): void {
    this.#sql.add.run(digest, index, operator, receipt, series, sequence)
    this.#sql.trim.run(MAX_STATEMENTS)
  }

  /** Keeps a receipt, for proofs. */
  addReceipt(digest: string, { size, root }: SignedHead, bundle: Json): void {
    this.#sql.addReceipt.run(digest, size, root, JSON.stringify(bundle))
    this.#sql.trimReceipts.run(MAX_KEPT_RECEIPTS)
  }

  receiptsUnder({ size, root }: SignedHead): readonly Json[] {
    const texts = this.#sql.receiptsUnder.all(root, size, MAX_RECEIPTS_OF_HEAD) as string[]
    return texts.map((text) => JSON.parse(text) as Json)
  }

  /**
   * Begins to read as somebody: anew when it was somebody else before, who may have been refused what this one may read.
   * Else numbers would seem to be missing.
   */
  begin(reader: string): void {
    if (this.#sql.reader.get() !== reader) this.#sql.begin.run(reader)
  }

  /** Index of the first entry whose statement was not asked for yet. */
  get next(): number {
    return (this.#sql.next.get() as number | undefined) ?? 0
  }

  set next(index: number) {
    this.#sql.setNext.run(index)
  }
}
