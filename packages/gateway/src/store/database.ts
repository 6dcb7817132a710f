/** The SQLite database: entries and statements, vault records, the head. */
import { CountersignError } from '@countersign/verify'
import Database from 'better-sqlite3'
import { makePrivateFile } from '../data/durable-file.ts'

export type Sqlite = Database.Database

/**
 * The schema. `entries` is narrow, so that the tree can be rebuilt without reading statements. `statements` are found by
 * the first eight bytes of digest and receipt id: a match is checked against the whole.
 */
const SCHEMA = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
  idx INTEGER PRIMARY KEY,
  leaf_hash BLOB NOT NULL
) STRICT;
CREATE TABLE statements (
  idx INTEGER PRIMARY KEY,
  digest_prefix INTEGER NOT NULL,
  receipt_prefix INTEGER,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  payload BLOB NOT NULL,
  signature BLOB NOT NULL,
  spki BLOB NOT NULL,
  cover_by INTEGER NOT NULL
) STRICT;
CREATE INDEX statements_digest ON statements (digest_prefix);
CREATE INDEX statements_receipt ON statements (receipt_prefix) WHERE receipt_prefix IS NOT NULL;
CREATE INDEX statements_kind ON statements (kind, name, idx) WHERE kind <> 'inference';
CREATE TABLE vault (
  idx INTEGER PRIMARY KEY,
  key_id INTEGER NOT NULL,
  record BLOB
) STRICT;
CREATE TABLE sequences (deployment TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE head (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  note TEXT NOT NULL,
  time_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE secret_generations (receipt BLOB PRIMARY KEY, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE pending_erasures (receipt BLOB PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
`

/**
 * Second version: what answers cost whom, which upstream keeps an object that clients may ask for again, and which request
 * with an idempotency key got which answer. All are written in the transaction of the answer's statement. Besides, the
 * erasures of data subjects that are noted, by their keys, which have ids below zero.
 */
const SECOND = `
CREATE TABLE spend (
  key_id TEXT NOT NULL,
  deployment TEXT NOT NULL,
  day TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_micros INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  unknown_usage INTEGER NOT NULL,
  PRIMARY KEY (key_id, deployment, day, currency)
) STRICT, WITHOUT ROWID;
CREATE TABLE upstream_objects (
  id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  upstream TEXT NOT NULL,
  PRIMARY KEY (id, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE first_answers (
  scope BLOB PRIMARY KEY,
  request BLOB NOT NULL,
  receipt BLOB NOT NULL,
  status INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX first_answers_expiry ON first_answers (expires_ms);
CREATE INDEX vault_of_subjects ON vault (key_id) WHERE key_id < 0;
CREATE TABLE subject_erasures (key_id INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
`

/**
 * Third version: where statements stand, by digest and receipt, is looked up in a file of its own, written behind the commits.
 * What that file does not reach yet is read here: an index in the order of commits, which costs them next to nothing. Besides,
 * heads with cosignatures of witnesses: for each quorum that a deployment needs the newest that meets it; under the empty
 * name the newest that anybody cosigned. And the notes of those that answers cite, which bound when they were made.
 */
const THIRD = `
DROP INDEX statements_digest;
DROP INDEX statements_receipt;
CREATE INDEX statements_recent ON statements (idx, digest_prefix, receipt_prefix);
CREATE TABLE cosigned_heads (
  quorum TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  note TEXT NOT NULL,
  time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE cited_heads (
  deployment TEXT NOT NULL,
  size INTEGER NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (deployment, size)
) STRICT, WITHOUT ROWID;
`

/** From each version to the next. */
const MIGRATIONS: readonly string[] = [SCHEMA, SECOND, THIRD]

/** Version of the schema, kept in `user_version`. */
export const SCHEMA_VERSION = 3

/**
 * Opens the database for writing, making it when it is new. Commits survive a power cut on a disk that honours fsync:
 * that is asserted here, not assumed.
 *
 * @throws {CountersignError} `data/newer-version`, `data/unsafe-journal-mode`, `data/damaged`
 */
export function openDatabase(path: string): Sqlite {
  const database = openWith(path, {})
  setDurable(database)
  const version = Number(database.pragma('user_version', { simple: true }))
  if (version > SCHEMA_VERSION) {
    database.close()
    throw new CountersignError(
      'data/newer-version',
      `the database has schema ${version}, this release ${SCHEMA_VERSION}`,
    )
  }
  if (version < SCHEMA_VERSION) {
    database.transaction(() => {
      for (const migration of MIGRATIONS.slice(version)) database.exec(migration)
      database.pragma(`user_version = ${SCHEMA_VERSION}`)
    })()
  }
  return database
}

/** Opens the database for reading alone, beside a writer. */
export function openDatabaseReadOnly(path: string): Sqlite {
  return openWith(path, { readonly: true, fileMustExist: true })
}

/**
 * Sets and asserts what durability rests on: a write-ahead log that is synced at each commit.
 *
 * @throws {CountersignError} `data/unsafe-journal-mode`
 */
export function setDurable(database: Sqlite): void {
  const mode = database.pragma('journal_mode = WAL', { simple: true })
  database.pragma('synchronous = FULL')
  const synchronous = Number(database.pragma('synchronous', { simple: true }))
  if (mode !== 'wal' || synchronous !== 2) {
    throw new CountersignError('data/unsafe-journal-mode', 'the database cannot commit durably on this file system')
  }
}

function openWith(path: string, options: Database.Options): Sqlite {
  try {
    if (options.readonly !== true) makePrivateFile(path)
    const database = new Database(path, options)
    // In SQLite's spelling: below zero it is KiB. Rows are written at the end, and read in order or one by one.
    database.pragma('cache_size = -4096')
    return database
  } catch {
    throw new CountersignError(
      'data/damaged',
      'the database cannot be opened; restore it from a backup, never its head alone',
    )
  }
}

/**
 * What a conversation is called among the objects that upstreams keep. No id of an answer has a space in it, so whatever
 * an upstream calls an answer, it is never taken for a conversation.
 */
export function conversationName(id: string): string {
  return `conversation ${id}`
}

/** First eight bytes as a signed integer, for a compact index. */
export function indexPrefix(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0)
}

/**
 * What SQLite threw, as an error of ours. A sync that failed is damage, not a full disk: the kernel may have dropped what
 * it could not write, and say of the next sync that all is well. Whoever wrote must stop.
 */
export function storageError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const code = (thrown as { code?: unknown }).code
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_WRITE') {
    return new CountersignError('disk/full', 'the disk takes no more data; nothing was recorded')
  }
  return new CountersignError('data/damaged', 'the database refused a write; nothing was recorded', { cause: thrown })
}
