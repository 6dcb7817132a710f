/** Erasure: destroys a receipt's key, then its ciphertext, and logs that. Finished after a crash, whatever step it hit. */
import {
  CountersignError,
  type Crypto,
  ERASURE_REASONS,
  type ErasureReason,
  erasureStatement,
  formatStatement,
  toHex,
} from '@countersign/verify'
import type { Sequencer } from '../log/sequencer.ts'
import type { Sqlite } from '../store/database.ts'
import type { Lookup } from '../store/lookup.ts'
import { StatementReader } from '../store/statement-reader.ts'
import { isSubjectKey, type KeyStore } from './key-store.ts'

/** Runs on the commit thread: it writes. */
export class Eraser {
  readonly #database: Sqlite
  readonly #keys: KeyStore
  readonly #sequencer: Sequencer
  readonly #statements: StatementReader

  constructor(crypto: Crypto, database: Sqlite, keys: KeyStore, sequencer: Sequencer, lookup?: Lookup) {
    this.#database = database
    this.#keys = keys
    this.#sequencer = sequencer
    this.#statements = new StatementReader(crypto, database, lookup)
  }

  /**
   * Erases the content of a receipt. The record stays, and its proofs go on to hold; nobody can open it any more.
   *
   * A receipt under the key of a data subject is refused: its salts follow from that key, and would for as long as other
   * receipts need it.
   *
   * @throws {CountersignError} `receipt/not-found`, `vault/erased`, `vault/no-content`, `vault/subject-key`
   */
  erase(receipt: string, reason: ErasureReason, timeMs: number): void {
    const row = this.#statements.byReceipt(receipt)
    if (row === undefined) throw new CountersignError('receipt/not-found', 'there is no such receipt')
    if (this.#statements.latest('erasure', receipt) !== undefined) {
      throw new CountersignError('vault/erased', 'the content of this receipt is erased already')
    }
    const keyId = this.#statements.vaultRow(row.index)?.keyId
    if (keyId === undefined) throw new CountersignError('vault/no-content', 'nothing is kept for this receipt')
    if (isSubjectKey(keyId)) {
      const why = 'this receipt was made for a data subject, whose receipts share one key'
      throw new CountersignError('vault/subject-key', `${why}: they are erased together, with DELETE /subjects`)
    }
    // Noted first: what a crash interrupts after this is finished at the next start.
    this.#database
      .prepare('INSERT OR IGNORE INTO pending_erasures (receipt, reason) VALUES (?, ?)')
      .run(Buffer.from(receipt, 'hex'), reason)
    this.#finish(receipt, reason, timeMs)
  }

  /** Finishes what a crash interrupted. */
  resume(timeMs: number): void {
    const rows = this.#database.prepare('SELECT receipt, reason FROM pending_erasures').all() as {
      receipt: Uint8Array
      reason: string
    }[]
    for (const { receipt, reason } of rows) {
      const known = ERASURE_REASONS.find((each) => each === reason) ?? 'operator-decision'
      this.#finish(toHex(receipt), known, timeMs)
    }
  }

  #finish(receipt: string, reason: ErasureReason, timeMs: number): void {
    const row = this.#statements.byReceipt(receipt)
    if (row === undefined) throw new CountersignError('data/damaged', 'an erasure names a receipt that is not there')
    const vault = this.#statements.vaultRow(row.index)
    if (vault !== undefined) this.#keys.destroy([vault.keyId])
    if (this.#statements.latest('erasure', receipt) === undefined) {
      const statement = erasureStatement([{ receipt, statement: toHex(row.digest) }], reason, timeMs)
      const payload = formatStatement(statement)
      this.#sequencer.commit([{ kind: 'own', type: 'erasure', name: receipt, payload }], timeMs)
    }
    this.#database.transaction(() => {
      this.#database.prepare('DELETE FROM vault WHERE idx = ?').run(row.index)
      this.#database.prepare('DELETE FROM pending_erasures WHERE receipt = ?').run(Buffer.from(receipt, 'hex'))
    })()
  }
}
