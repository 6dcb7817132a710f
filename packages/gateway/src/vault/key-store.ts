/**
 * The keys of vault records, in a store of their own with a short life in backups. Each is wrapped by a key that lives
 * elsewhere; each is durable before it is used; destroying one is final.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { CountersignError, concat, utf8 } from '@countersign/verify'
import Database from 'better-sqlite3'
import { createRandom, deriveKey } from '../data/derivation.ts'
import { makePrivateFile, syncFile } from '../data/durable-file.ts'
import { type Sqlite, setDurable, storageError } from '../store/database.ts'

/** A key for one receipt, or for all of a data subject. */
export interface VaultKey {
  /** Never given twice. Below zero when it is a data subject's. */
  readonly id: number
  /** 32 bytes. */
  readonly secret: Uint8Array
}

/** Keys made ready in one durable commit. */
export const POOL_SIZE = 256

const SECRET_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

const random = /* @__PURE__ */ createRandom()

/** The first version did not number itself. */
const FIRST = 'CREATE TABLE IF NOT EXISTS keys (id INTEGER PRIMARY KEY AUTOINCREMENT, wrapped BLOB NOT NULL) STRICT'

/** Second version: which key is whose. Of a subject's name, a keyed tag alone: see {@link subjectTag}. */
const SECOND =
  'CREATE TABLE subjects (tag BLOB PRIMARY KEY, key_id INTEGER NOT NULL UNIQUE CHECK (key_id < 0)) STRICT, WITHOUT ROWID'

/** From each version to the next. */
const MIGRATIONS: readonly string[] = [FIRST, SECOND]

/** Version of the store, kept in `user_version`. A newer one is refused. */
export const KEY_STORE_VERSION = 2

/** Whether a key is of a data subject, and so of many receipts. */
export function isSubjectKey(id: number): boolean {
  return id < 0
}

/**
 * What stands for a data subject in the store: HMAC-SHA-256 of its name, under a key derived from the wrapping key. Whoever
 * has not that key cannot tell from a tag whose it is, nor try names.
 */
export function subjectTag(wrappingKey: Uint8Array, subject: string): Uint8Array {
  const key = deriveKey(wrappingKey, new Uint8Array(0), 'countersign-subject-tag-v1')
  return new Uint8Array(createHmac('sha256', key).update(subject, 'utf8').digest())
}

export class KeyStore {
  readonly #database: Sqlite
  readonly #wrappingKey: Uint8Array
  readonly #insert
  readonly #select
  readonly #remove
  readonly #negate
  readonly #assign
  readonly #ofSubject
  readonly #forget

  /** @throws {CountersignError} `data/unsafe-journal-mode`, `data/newer-version`, `data/damaged`, `vault/wrong-key` */
  constructor(path: string, wrappingKey: Uint8Array) {
    this.#wrappingKey = wrappingKey
    makePrivateFile(path)
    this.#database = new Database(path)
    // By default SQLite would keep 16 MiB of them, in each thread that opens the store. Most are never read again.
    this.#database.pragma('cache_size = -1024')
    // Overwrites what is deleted, so that the file does not keep a destroyed key.
    this.#database.pragma('secure_delete = ON')
    setDurable(this.#database)
    migrate(this.#database)
    this.#insert = this.#database.prepare('INSERT INTO keys (wrapped) VALUES (?)')
    this.#select = this.#database.prepare('SELECT wrapped FROM keys WHERE id = ?').pluck()
    this.#remove = this.#database.prepare('DELETE FROM keys WHERE id = ?')
    this.#negate = this.#database.prepare('UPDATE keys SET id = -id WHERE id = ?')
    this.#assign = this.#database.prepare('INSERT OR REPLACE INTO subjects (tag, key_id) VALUES (?, ?)')
    this.#ofSubject = this.#database.prepare('SELECT key_id FROM subjects WHERE tag = ?').pluck()
    this.#forget = this.#database.prepare('DELETE FROM subjects WHERE key_id = ?')
    // A wrong wrapping key shows now, not when somebody wants content years later.
    const some = this.#database.prepare('SELECT id FROM keys ORDER BY id DESC LIMIT 1').pluck().get()
    if (some !== undefined) this.find(some as number)
  }

  /** A pool of new keys, durable when this returns. */
  createPool(size = POOL_SIZE): readonly VaultKey[] {
    const secrets = Array.from({ length: size }, () => random(SECRET_BYTES))
    try {
      return this.#database
        .transaction(() =>
          secrets.map((secret) => ({ id: Number(this.#insert.run(this.#wrap(secret)).lastInsertRowid), secret })),
        )
        .immediate()
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /**
   * The keys of data subjects, by their tags; made where there is none. In one commit, durable when this returns.
   *
   * @throws {CountersignError} `disk/full`, `data/damaged`, `vault/wrong-key`
   */
  subjectKeys(tags: readonly Uint8Array[]): readonly VaultKey[] {
    const known = tags.map((tag) => this.#findSubjectKey(tag))
    if (known.every((each) => each !== undefined)) return known
    try {
      return this.#database
        .transaction(() => tags.map((tag) => this.#findSubjectKey(tag) ?? this.#makeSubjectKey(tag)))
        .immediate()
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /** Id of the key of a data subject, destroyed or not; `undefined` when nothing is known of the subject. */
  subjectKeyId(tag: Uint8Array): number | undefined {
    return this.#ofSubject.get(tag) as number | undefined
  }

  /** Forgets whose a destroyed key was: the tag is gone from the file and its log when this returns. */
  forgetSubject(keyId: number): void {
    if (this.#forget.run(keyId).changes > 0) flush(this.#database)
  }

  /** The key of that id, or `undefined` when it was destroyed. @throws {CountersignError} `vault/wrong-key` */
  find(id: number): Uint8Array | undefined {
    const wrapped = this.#select.get(id) as Uint8Array | undefined
    return wrapped === undefined ? undefined : this.#unwrap(wrapped)
  }

  /** Destroys keys: overwritten in the file, and gone from its log, when this returns. */
  destroy(ids: readonly number[]): void {
    this.#database
      .transaction(() => {
        for (const id of ids) this.#remove.run(id)
      })
      .immediate()
    flush(this.#database)
  }

  close(): void {
    this.#database.close()
  }

  #findSubjectKey(tag: Uint8Array): VaultKey | undefined {
    const id = this.subjectKeyId(tag)
    const secret = id === undefined ? undefined : this.find(id)
    return id === undefined || secret === undefined ? undefined : { id, secret }
  }

  /** Its id is one that was given, and will not be again, with a minus sign before it. */
  #makeSubjectKey(tag: Uint8Array): VaultKey {
    const secret = random(SECRET_BYTES)
    const given = Number(this.#insert.run(this.#wrap(secret)).lastInsertRowid)
    this.#negate.run(given)
    this.#assign.run(tag, -given)
    return { id: -given, secret }
  }

  #wrap(secret: Uint8Array): Uint8Array {
    const nonce = random(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#wrappingKey, nonce).setAAD(WRAP_LABEL)
    return concat(nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag())
  }

  #unwrap(wrapped: Uint8Array): Uint8Array {
    try {
      const nonce = wrapped.subarray(0, NONCE_BYTES)
      const end = wrapped.length - TAG_BYTES
      const decipher = createDecipheriv('aes-256-gcm', this.#wrappingKey, nonce).setAAD(WRAP_LABEL)
      decipher.setAuthTag(wrapped.subarray(end))
      return concat(decipher.update(wrapped.subarray(NONCE_BYTES, end)), decipher.final())
    } catch {
      throw new CountersignError('vault/wrong-key', 'the vault was wrapped with another key than the one configured')
    }
  }
}

/**
 * Destroys keys in the store at `path` without the key that wraps them: to destroy one, nobody has to read it. How many of them
 * were there.
 */
export function destroyKeysAt(path: string, ids: readonly number[]): number {
  const database = new Database(path, { fileMustExist: true })
  try {
    database.pragma('secure_delete = ON')
    setDurable(database)
    const remove = database.prepare('DELETE FROM keys WHERE id = ?')
    const destroyed = database.transaction(() => ids.reduce((sum, id) => sum + remove.run(id).changes, 0)).immediate()
    flush(database)
    return destroyed
  } finally {
    database.close()
  }
}

/** Brings everything into the one file, and empties the write-ahead log: what was deleted is in neither. */
function flush(database: Sqlite): void {
  const [result] = database.pragma('wal_checkpoint(TRUNCATE)') as { readonly busy: number }[]
  if (result?.busy !== 0) {
    throw new CountersignError('data/damaged', 'destroyed keys could not be flushed out of the write-ahead log')
  }
  // SQLite cuts its log short without syncing it: a power cut could bring the keys back.
  syncFile(`${database.name}-wal`)
}

function migrate(database: Sqlite): void {
  const version = Number(database.pragma('user_version', { simple: true }))
  if (version > KEY_STORE_VERSION) {
    database.close()
    const why = `the store of the vault's keys has version ${version}, this release reads up to ${KEY_STORE_VERSION}`
    throw new CountersignError('data/newer-version', `${why}; install a newer release`)
  }
  if (version === KEY_STORE_VERSION) return
  database
    .transaction(() => {
      for (const migration of MIGRATIONS.slice(version)) database.exec(migration)
      database.pragma(`user_version = ${KEY_STORE_VERSION}`)
    })
    .immediate()
}

const WRAP_LABEL = /* @__PURE__ */ utf8('countersign-vault-key-v1')
