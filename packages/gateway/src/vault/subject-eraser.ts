/**
 * Erasure of a data subject: destroys the subject's key at once, and the content of each receipt under it in batches, each
 * with the statements that say so. Finished after a crash, whatever step it hit.
 */
import {
  type Crypto,
  ERASURE_REASONS,
  type ErasureReason,
  erasureStatement,
  formatStatement,
  toHex,
} from '@countersign/verify'
import type { Draft, Sequencer } from '../log/sequencer.ts'
import { type Sqlite, storageError } from '../store/database.ts'
import { receiptOf, StatementReader } from '../store/statement-reader.ts'
import type { KeyStore } from './key-store.ts'

/** Most receipts that are erased in one transaction. */
export const ERASURE_BATCH = 128

/** Runs on the commit thread: it writes. */
export class SubjectEraser {
  readonly #database: Sqlite
  readonly #keys: KeyStore
  readonly #sequencer: Sequencer
  readonly #statements: StatementReader
  readonly #sql: ReturnType<typeof prepare>

  constructor(crypto: Crypto, database: Sqlite, keys: KeyStore, sequencer: Sequencer) {
    this.#database = database
    this.#keys = keys
    this.#sequencer = sequencer
    this.#statements = new StatementReader(crypto, database)
    this.#sql = prepare(database)
  }

  /**
   * Notes that a data subject is erased. Gives the id of its key, with which {@link eraseSome} does it, or `undefined`
   * when it has none. What a crash interrupts after this is finished at the next start.
   *
   * The note stays until then in any case: an answer under way may have the key still.
   *
   * @throws {CountersignError} `disk/full`, `data/damaged`
   */
  begin(tag: Uint8Array, reason: ErasureReason): number | undefined {
    const keyId = this.#keys.subjectKeyId(tag)
    if (keyId === undefined) return undefined
    try {
      this.#sql.note.run(keyId, reason)
      return keyId
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /** Whether the key is destroyed, or about to be. Nothing may be sealed with it any more. */
  isErased(keyId: number): boolean {
    return this.#reasonOf(keyId) !== undefined
  }

  /**
   * Destroys the key, and erases the next receipts under it, at most {@link ERASURE_BATCH}; how many there were. Fewer than
   * that are the last ones. When this has returned once, nothing opens what was kept under the key.
   *
   * @throws {CountersignError} `disk/full`, `data/damaged`
   */
  eraseSome(keyId: number, timeMs: number): number {
    this.#destroy(keyId)
    const reason = this.#reasonOf(keyId) ?? 'operator-decision'
    const indexes = this.#sql.kept.all(keyId, ERASURE_BATCH) as number[]
    const drafts = indexes.flatMap((index) => this.#draft(index, reason, timeMs))
    if (drafts.length > 0) this.#sequencer.commit(drafts, timeMs)
    try {
      this.#database.transaction(() => {
        for (const index of indexes) this.#sql.remove.run(index)
      })()
      if (indexes.length < ERASURE_BATCH) this.#keys.forgetSubject(keyId)
    } catch (thrown) {
      throw storageError(thrown)
    }
    return indexes.length
  }

  /** Finishes what a crash interrupted. Only before anything is served: afterwards, answers may have a destroyed key. */
  resume(timeMs: number): void {
    for (const keyId of this.#sql.noted.all() as number[]) {
      while (this.eraseSome(keyId, timeMs) === ERASURE_BATCH);
      this.#sql.forget.run(keyId)
    }
  }

  #destroy(keyId: number): void {
    if (this.#keys.find(keyId) === undefined) return
    try {
      this.#keys.destroy([keyId])
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /** The statement that one receipt is erased; none where a crash came between statement and removal. */
  #draft(index: number, reason: ErasureReason, timeMs: number): readonly Draft[] {
    const row = this.#statements.byIndex(index)
    if (row === undefined) return []
    const receipt = receiptOf(row.payload)
    if (this.#statements.latest('erasure', receipt) !== undefined) return []
    const statement = erasureStatement([{ receipt, statement: toHex(row.digest) }], reason, timeMs)
    return [{ kind: 'own', type: 'erasure', name: receipt, payload: formatStatement(statement) }]
  }

  #reasonOf(keyId: number): ErasureReason | undefined {
    const found = this.#sql.reason.get(keyId)
    return found === undefined ? undefined : (ERASURE_REASONS.find((each) => each === found) ?? 'operator-decision')
  }
}

function prepare(database: Sqlite) {
  return {
    // The first reason stands: a second erasure only finishes the first.
    note: database.prepare('INSERT OR IGNORE INTO subject_erasures (key_id, reason) VALUES (?, ?)'),
    noted: database.prepare('SELECT key_id FROM subject_erasures').pluck(),
    forget: database.prepare('DELETE FROM subject_erasures WHERE key_id = ?'),
    reason: database.prepare('SELECT reason FROM subject_erasures WHERE key_id = ?').pluck(),
    kept: database.prepare('SELECT idx FROM vault WHERE key_id = ? AND key_id < 0 ORDER BY idx LIMIT ?').pluck(),
    remove: database.prepare('DELETE FROM vault WHERE idx = ?'),
  }
}
