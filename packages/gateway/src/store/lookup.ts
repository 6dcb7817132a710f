/**
 * Where statements stand, by digest and by receipt. Derived from the statements: written behind the commits, some thousand
 * at a time and in order, since each commit would touch pages all over it. What it does not reach yet is found by reading
 * the newest statements. It can be deleted; the next start makes it again.
 */
import { rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { DataFolder } from '../data/data-folder.ts'
import { makePrivateFile } from '../data/durable-file.ts'
import type { Sqlite } from './database.ts'

const VERSION = 1

/** Most statements that are taken over in one transaction. */
const CHUNK = 16_384

const SCHEMA = `
CREATE TABLE covered (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, size INTEGER NOT NULL) STRICT;
CREATE TABLE digests (prefix INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (prefix, idx)) STRICT, WITHOUT ROWID;
CREATE TABLE receipts (prefix INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (prefix, idx)) STRICT, WITHOUT ROWID;
`

/** What a statement is looked up by. */
export type LookupKind = 'digest' | 'receipt'

/** What is known of a prefix. Candidates, no more: two digests may begin alike. */
export interface Candidates {
  readonly indexes: readonly number[]
  /** Statements from this index on are not in it. */
  readonly size: number
}

/** Finds where statements stand. */
export interface Lookup {
  find(kind: LookupKind, prefix: bigint): Candidates
}

/** Knows nothing, so that every statement is read: right, and slow. */
export const NO_LOOKUP: Lookup = { find: () => ({ indexes: [], size: 0 }) }

/** Reads what {@link LookupWriter} wrote. */
export class LookupReader implements Lookup {
  readonly #path: string
  #opened: ReturnType<typeof openForReading> | undefined

  /** The file is opened when it is first asked. */
  constructor(path: string) {
    this.#path = path
  }

  find(kind: LookupKind, prefix: bigint): Candidates {
    this.#opened ??= openForReading(this.#path)
    // First the size: what comes in meanwhile is then found twice, never not at all.
    const size = this.#opened.size.get() as number
    return { indexes: this.#opened[kind].all(prefix) as number[], size }
  }

  close(): void {
    this.#opened?.database.close()
  }
}

function openForReading(path: string) {
  const database = new Database(path, { readonly: true, fileMustExist: true })
  database.pragma('cache_size = -1024')
  return {
    database,
    size: database.prepare('SELECT size FROM covered').pluck(),
    digest: database.prepare('SELECT idx FROM digests WHERE prefix = ?').pluck(),
    receipt: database.prepare('SELECT idx FROM receipts WHERE prefix = ?').pluck(),
  }
}

/** Brings the lookup up to what is committed. One at a time. */
export class LookupWriter {
  readonly #database: Sqlite
  readonly #advance
  readonly #covered
  readonly #committed

  /**
   * Opens the lookup of a store. One that is of another store, of another version, ahead of its store or damaged is made
   * anew: a store may be an older backup.
   */
  constructor(path: string, storePath: string) {
    this.#database = openOrRemake(path, storePath)
    const insert = (table: string, column: string) =>
      this.#database.prepare(
        `INSERT OR IGNORE INTO ${table} (prefix, idx)
         SELECT ${column}, idx FROM store.statements INDEXED BY statements_recent
         WHERE idx >= ? AND idx < ? AND ${column} IS NOT NULL ORDER BY ${column}, idx`,
      )
    const [digests, receipts] = [insert('digests', 'digest_prefix'), insert('receipts', 'receipt_prefix')]
    const setSize = this.#database.prepare('UPDATE covered SET size = ?')
    this.#covered = this.#database.prepare('SELECT size FROM covered').pluck()
    this.#committed = this.#database.prepare('SELECT max(idx) + 1 FROM store.statements').pluck()
    this.#advance = this.#database.transaction((from: number, until: number) => {
      digests.run(from, until)
      receipts.run(from, until)
      setSize.run(until)
    })
  }

  /** Takes over what was committed since, so many in a transaction. */
  advance(chunk = CHUNK): void {
    const until = (this.#committed.get() as number | null) ?? 0
    for (let from = this.#covered.get() as number; from < until; from += chunk) {
      this.#advance(from, Math.min(until, from + chunk))
    }
  }

  close(): void {
    this.#database.close()
  }
}

/** Brings the lookup of a store up to date once. What was open for reading alone is closed before, so that all is in one file. */
export function bringUpToDate({ lookup, database }: Pick<DataFolder, 'lookup' | 'database'>): void {
  const writer = new LookupWriter(lookup, database)
  writer.advance()
  writer.close()
}

function openOrRemake(path: string, storePath: string): Sqlite {
  try {
    const database = open(path, storePath)
    if (isOfStore(database)) return database
    database.close()
  } catch {
    // Damaged. It holds nothing that the store does not.
  }
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
  const database = open(path, storePath)
  database.transaction(() => {
    database.exec(SCHEMA)
    database.exec(`INSERT INTO covered (id, epoch, size) SELECT 1, value, 0 FROM store.meta WHERE name = 'epoch'`)
    database.pragma(`user_version = ${VERSION}`)
  })()
  return database
}

function open(path: string, storePath: string): Sqlite {
  makePrivateFile(path)
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  // After a power cut it may lack its end, which the next start takes over again.
  database.pragma('synchronous = NORMAL')
  database.pragma('cache_size = -4096')
  database.prepare('ATTACH ? AS store').run(storePath)
  database.pragma('store.cache_size = -1024')
  return database
}

function isOfStore(database: Sqlite): boolean {
  if (database.pragma('user_version', { simple: true }) !== VERSION) return false
  const row = database
    .prepare(
      `SELECT 1 FROM covered WHERE epoch = (SELECT value FROM store.meta WHERE name = 'epoch')
       AND size <= (SELECT coalesce(max(idx) + 1, 0) FROM store.statements)`,
    )
    .get()
  return row !== undefined
}
