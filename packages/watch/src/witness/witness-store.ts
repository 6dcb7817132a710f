/** What a witness must not forget: the newest head that it cosigned of each log, in SQLite. */
import { CountersignError, type Hash } from '@countersign/verify'
import Database from 'better-sqlite3'
import { makePrivateFile } from '../durable-file.ts'
import type { CosignedHead, Decision, Effect, WitnessState } from './decision.ts'

/** Version of the schema, kept in `user_version`. */
const SCHEMA_VERSION = 1

/** One page of 4 KiB holds a head; the rest is for notes of many lines. */
const CACHE_KIB = 1024

const SCHEMA = `
CREATE TABLE witness (id INTEGER PRIMARY KEY CHECK (id = 1), key TEXT NOT NULL) STRICT;
CREATE TABLE heads (
  origin TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  time_seconds INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX heads_time ON heads (time_seconds);
`

interface HeadRow {
  readonly size: number
  readonly root: Uint8Array
  readonly time_seconds: number
  readonly note: string
}

/** The open state of one witness. No other process can open it meanwhile. */
export class WitnessStore {
  readonly #database: Database.Database
  readonly #select: Database.Statement<[string]>
  readonly #selectLast: Database.Statement<[]>
  readonly #insert: Database.Statement<[string, number, Hash, number, string]>
  readonly #swap: Database.Statement<[number, Hash, number, string, string, number, Hash]>
  readonly #transaction: Database.Transaction<(origin: string, decide: (state: WitnessState) => Decision) => Decision>

  /** @throws {CountersignError} `data/locked`, `data/newer-version`, `data/unsafe-journal-mode`, `data/damaged`, `disk/full` */
  constructor(path: string) {
    this.#database = openDatabase(path)
    this.#select = this.#database.prepare('SELECT size, root, time_seconds, note FROM heads WHERE origin = ?')
    this.#selectLast = this.#database.prepare<[]>('SELECT max(time_seconds) FROM heads').pluck()
    this.#insert = this.#database.prepare('INSERT INTO heads VALUES (?, ?, ?, ?, ?)')
    this.#swap = this.#database.prepare(
      'UPDATE heads SET size = ?, root = ?, time_seconds = ?, note = ? WHERE origin = ? AND size = ? AND root = ?',
    )
    this.#transaction = this.#database.transaction((origin, decide) => {
      const decision = decide({ head: this.head(origin), lastSeconds: this.lastSeconds() })
      for (const effect of decision.effects) if (effect.kind === 'persist') this.#persist(effect)
      return decision
    })
  }

  /**
   * Decides about one log on what is known of it, and makes durable what the decision persists: all in one transaction,
   * which is committed, and synced, when this returns.
   *
   * @throws {CountersignError} `disk/full`, `data/damaged`; then nothing is changed, and nothing may be answered
   */
  decide(origin: string, decide: (state: WitnessState) => Decision): Decision {
    try {
      return this.#transaction.immediate(origin, decide)
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /** The newest head of a log that was cosigned. */
  head(origin: string): CosignedHead | undefined {
    const row = this.#select.get(origin) as HeadRow | undefined
    if (row === undefined) return undefined
    const { size, root, time_seconds: timeSeconds, note } = row
    return { origin, size, root: new Uint8Array(root), timeSeconds, note }
  }

  /** Time of the latest cosignature; 0 before the first. */
  lastSeconds(): number {
    return Number(this.#selectLast.get() ?? 0)
  }

  /** The verifier key that this state belongs to; `undefined` when it is new. */
  key(): string | undefined {
    return this.#database.prepare('SELECT key FROM witness').pluck().get() as string | undefined
  }

  /** Binds a state that has signed nothing to its key, for ever once it signs. */
  bind(key: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO witness VALUES (1, ?)').run(key)
  }

  close(): void {
    this.#database.close()
  }

  /** Compare and swap: beside the transaction and the lock, so that no mistake in those goes back either. */
  #persist({ previous, next }: Extract<Effect, { kind: 'persist' }>): void {
    const { origin, size, root, timeSeconds, note } = next
    const { changes } =
      previous === undefined
        ? this.#insert.run(origin, size, root, timeSeconds, note)
        : this.#swap.run(size, root, timeSeconds, note, origin, previous.size, previous.root)
    if (changes !== 1)
      throw new CountersignError('data/damaged', 'the head has changed under the witness; it must stop')
  }
}

function openDatabase(path: string): Database.Database {
  let database: Database.Database
  try {
    makePrivateFile(path)
    database = new Database(path, { timeout: 0 })
  } catch (thrown) {
    throw storageError(thrown)
  }
  try {
    prepare(database)
    return database
  } catch (thrown) {
    database.close()
    throw (thrown as { code?: unknown }).code === 'SQLITE_BUSY'
      ? new CountersignError('data/locked', 'another process has the state of this witness open; stop it')
      : storageError(thrown)
  }
}

/** @throws {CountersignError} `data/unsafe-journal-mode`, `data/newer-version` */
function prepare(database: Database.Database): void {
  // Exclusive from the first read to the end: the kernel drops the lock when the process dies, however it dies.
  database.pragma('locking_mode = EXCLUSIVE')
  const mode = database.pragma('journal_mode = WAL', { simple: true })
  database.pragma('synchronous = FULL')
  const synchronous = Number(database.pragma('synchronous', { simple: true }))
  if (mode !== 'wal' || synchronous !== 2) {
    throw new CountersignError('data/unsafe-journal-mode', 'the database cannot commit durably on this file system')
  }
  database.pragma(`cache_size = -${CACHE_KIB}`)
  // WAL mode alone may be read back without the lock; a write takes it.
  database.exec('BEGIN IMMEDIATE; COMMIT')
  const version = Number(database.pragma('user_version', { simple: true }))
  if (version > SCHEMA_VERSION) {
    const why = `the state has schema ${version}, this release ${SCHEMA_VERSION}; install a newer release`
    throw new CountersignError('data/newer-version', why)
  }
  if (version === SCHEMA_VERSION) return
  database.transaction(() => {
    database.exec(SCHEMA)
    database.pragma(`user_version = ${SCHEMA_VERSION}`)
  })()
}

/**
 * What SQLite threw, as an error of ours. A full disk passes; a sync that failed does not: the kernel may have dropped
 * what it could not write, and say of the next sync that all is well. Then the witness must stop.
 */
export function storageError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const { code } = thrown as { code?: unknown }
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_WRITE' || code === 'ENOSPC') {
    return new CountersignError('disk/full', 'the disk takes no more data; nothing was recorded, and nothing signed')
  }
  return new CountersignError('data/damaged', 'the state cannot be read or written; nothing was recorded', {
    cause: thrown,
  })
}
