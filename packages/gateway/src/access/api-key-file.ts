/** The file of API keys: its tables, its version, its rows. @spec spec/access.md */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CountersignError, parseJson, quote, utf8 } from '@countersign/verify'
import Database from 'better-sqlite3'
import { dataFolderAt } from '../data/data-folder.ts'
import { makePrivateFile } from '../data/durable-file.ts'
import { type Sqlite, setDurable, storageError } from '../store/database.ts'
import { type ApiKey, given, parseApiKeyTerms } from './api-key.ts'

const SCHEMA = `
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  terms TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
) STRICT, WITHOUT ROWID;
`

/** Version of the schema, kept in `user_version`. A newer one is refused. */
export const API_KEYS_VERSION = 1

/** How long to wait for another process that writes. */
const BUSY_TIMEOUT_MS = 5000
const TERMS_LIMITS = { maxBytes: 64 * 1024, maxDepth: 4 }

/** A key as it is kept. */
export interface Row {
  readonly id: string
  readonly digest: Uint8Array
  readonly terms: string
  readonly created_at_ms: number
  readonly revoked_at_ms: number | null
}

/** A key with the SHA-256 of its token. */
export interface StoredKey {
  readonly key: ApiKey
  readonly digest: Uint8Array
}

export const SELECT = 'SELECT id, digest, terms, created_at_ms, revoked_at_ms FROM keys'

/** Where the keys of a data folder are. */
export function apiKeysPath(dataRoot: string): string {
  return join(dirname(dataFolderAt(dataRoot).database), 'api-keys.db')
}

/**
 * The keys in a file that may not be there: then there are none. Changes nothing.
 *
 * @throws {CountersignError} `data/newer-version`, `data/damaged`
 */
export function listApiKeys(path: string): readonly ApiKey[] {
  if (!existsSync(path)) return []
  const database = openOrFail(path, { readonly: true, fileMustExist: true })
  try {
    return checkVersion(database) === 0 ? [] : readAll(database)
  } finally {
    database.close()
  }
}

/**
 * Opens the file for writing, making it when it is new.
 *
 * @throws {CountersignError} `data/newer-version`, `data/unsafe-journal-mode`, `data/damaged`
 */
export function openApiKeys(path: string): Sqlite {
  try {
    makePrivateFile(path)
  } catch {
    throw unopened()
  }
  const database = openOrFail(path, {})
  try {
    setDurable(database)
    // Another process may be making the tables at this moment.
    const create = database.transaction(() => {
      if (checkVersion(database) > 0) return
      database.exec(SCHEMA)
      database.pragma(`user_version = ${API_KEYS_VERSION}`)
    })
    create.immediate()
    return database
  } catch (thrown) {
    database.close()
    throw storageError(thrown)
  }
}

function openOrFail(path: string, options: Database.Options): Sqlite {
  try {
    return new Database(path, { timeout: BUSY_TIMEOUT_MS, ...options })
  } catch {
    throw unopened()
  }
}

function unopened(): CountersignError {
  return new CountersignError('data/damaged', 'the file of API keys cannot be opened; restore it from a backup')
}

function checkVersion(database: Sqlite): number {
  const version = Number(readPragma(database, 'user_version'))
  if (version > API_KEYS_VERSION) {
    const why = `the API keys have schema ${version}, this release ${API_KEYS_VERSION}; install a newer release`
    throw new CountersignError('data/newer-version', why)
  }
  return version
}

/** A number that changes when another connection has changed the file. */
export function dataVersionOf(database: Sqlite): number {
  return Number(readPragma(database, 'data_version'))
}

function readPragma(database: Sqlite, name: string): unknown {
  try {
    return database.pragma(name, { simple: true })
  } catch {
    throw unopened()
  }
}

/** Every key, oldest first. @throws {CountersignError} `data/damaged` */
export function readAll(database: Sqlite): readonly ApiKey[] {
  return (database.prepare(`${SELECT} ORDER BY created_at_ms, id`).all() as Row[]).map((row) => readRow(row).key)
}

/** The key of a row. @throws {CountersignError} `data/damaged` */
export function readRow({ id, digest, terms, created_at_ms, revoked_at_ms }: Row): StoredKey {
  try {
    const parsed = parseApiKeyTerms(parseJson(utf8(terms), TERMS_LIMITS))
    const key = { id, ...parsed, createdAtMs: created_at_ms, ...given('revokedAtMs', revoked_at_ms ?? undefined) }
    return { key, digest }
  } catch {
    throw new CountersignError('data/damaged', `the API key ${quote(id)} cannot be read; restore the file of keys`)
  }
}
