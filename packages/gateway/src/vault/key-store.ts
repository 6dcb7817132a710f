/**
 * The keys of vault records, in a store of their own with a short life in backups. Each is wrapped by a key that lives
 * elsewhere; each is durable before it is used; destroying one is final.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { CountersignError, concat, utf8 } from '@countersign/verify'
import Database from 'better-sqlite3'
import { makePrivateFile, syncFile } from '../data/durable-file.ts'
import { type Sqlite, setDurable, storageError } from '../store/database.ts'

/** A key for one receipt. */
export interface VaultKey {
  readonly id: number
  /** 32 bytes. */
  readonly secret: Uint8Array
}

/** Keys made ready in one durable commit. */
export const POOL_SIZE = 64

const SECRET_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class KeyStore {
  readonly #database: Sqlite
  readonly #wrappingKey: Uint8Array
  readonly #insert
  readonly #select
  readonly #remove

  /** @throws {CountersignError} `data/unsafe-journal-mode`, `data/damaged`, `vault/wrong-key` */
  constructor(path: string, wrappingKey: Uint8Array) {
    this.#wrappingKey = wrappingKey
    makePrivateFile(path)
    this.#database = new Database(path)
    // Overwrites what is deleted, so that the file does not keep a destroyed key.
    this.#database.pragma('secure_delete = ON')
    setDurable(this.#database)
    this.#database.exec(
      'CREATE TABLE IF NOT EXISTS keys (id INTEGER PRIMARY KEY AUTOINCREMENT, wrapped BLOB NOT NULL) STRICT',
    )
    this.#insert = this.#database.prepare('INSERT INTO keys (wrapped) VALUES (?)')
    this.#select = this.#database.prepare('SELECT wrapped FROM keys WHERE id = ?').pluck()
    this.#remove = this.#database.prepare('DELETE FROM keys WHERE id = ?')
    // A wrong wrapping key shows now, not when somebody wants content years later.
    const newest = this.#database.prepare('SELECT max(id) FROM keys').pluck().get() as number | null
    if (newest !== null) this.find(newest)
  }

  /** A pool of new keys, durable when this returns. */
  createPool(size = POOL_SIZE): readonly VaultKey[] {
    const secrets = Array.from({ length: size }, () => new Uint8Array(randomBytes(SECRET_BYTES)))
    try {
      return this.#database.transaction(() =>
        secrets.map((secret) => ({ id: Number(this.#insert.run(this.#wrap(secret)).lastInsertRowid), secret })),
      )()
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /** The key of that id, or `undefined` when it was destroyed. @throws {CountersignError} `vault/wrong-key` */
  find(id: number): Uint8Array | undefined {
    const wrapped = this.#select.get(id) as Uint8Array | undefined
    return wrapped === undefined ? undefined : this.#unwrap(wrapped)
  }

  /** Destroys keys: overwritten in the file, and gone from its log, when this returns. */
  destroy(ids: readonly number[]): void {
    this.#database.transaction(() => {
      for (const id of ids) this.#remove.run(id)
    })()
    const [result] = this.#database.pragma('wal_checkpoint(TRUNCATE)') as { readonly busy: number }[]
    if (result?.busy !== 0) {
      throw new CountersignError('data/damaged', 'destroyed keys could not be flushed out of the write-ahead log')
    }
    // SQLite cuts its log short without syncing it: a power cut could bring the keys back.
    syncFile(`${this.#database.name}-wal`)
  }

  close(): void {
    this.#database.close()
  }

  #wrap(secret: Uint8Array): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES)
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

const WRAP_LABEL = /* @__PURE__ */ utf8('countersign-vault-key-v1')
