/** The keys of a gateway, in a file of their own. Several processes may have it open. @spec spec/access.md */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { CountersignError, type Json, ShapeError, toBase64Url } from '@countersign/verify'
import { type Sqlite, storageError } from '../store/database.ts'
import { type ApiKey, type ApiKeyTerms, parseApiKeyTerms } from './api-key.ts'
import { dataVersionOf, openApiKeys, type Row, readAll, readRow, SELECT, type StoredKey } from './api-key-file.ts'

/** Most keys that are not revoked. */
export const MAX_KEYS = 10_000

/** How long what another process did to the file may go unnoticed. */
export const REFRESH_MS = 1000

const TOKEN = /^csk_[A-Za-z0-9_-]{43}$/

/** A key that was made just now. The token is nowhere else: who loses it needs another key. */
export interface CreatedApiKey {
  readonly key: ApiKey
  /** `csk_` and 43 base64url characters: 32 random bytes. */
  readonly token: string
}

export class ApiKeyStore {
  readonly #database: Sqlite
  readonly #insert
  readonly #mark
  readonly #byId
  readonly #byDigest
  readonly #live
  readonly #count
  #known: ReadonlyMap<string, StoredKey> = new Map()
  #dataVersion: number | undefined
  #lookedAtMs = Number.NEGATIVE_INFINITY

  /**
   * Opens the file, making it when it is new; its folder must be there.
   *
   * @throws {CountersignError} `data/newer-version`, `data/unsafe-journal-mode`, `data/damaged`
   */
  constructor(path: string) {
    this.#database = openApiKeys(path)
    this.#insert = this.#database.prepare('INSERT INTO keys (id, digest, terms, created_at_ms) VALUES (?, ?, ?, ?)')
    this.#mark = this.#database.prepare('UPDATE keys SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL')
    this.#byId = this.#database.prepare(`${SELECT} WHERE id = ?`)
    this.#byDigest = this.#database.prepare(`${SELECT} WHERE digest = ?`)
    this.#live = this.#database.prepare(`${SELECT} WHERE revoked_at_ms IS NULL`)
    this.#count = this.#database.prepare('SELECT count(*) FROM keys WHERE revoked_at_ms IS NULL').pluck()
    this.#reload()
  }

  /**
   * Makes a key, durable when this returns.
   *
   * Only the SHA-256 of the token is kept. A password needs a slow hash because it can be guessed; 256 random bits
   * cannot, however fast the hash.
   *
   * @throws {CountersignError} `shape/*` for terms that are none, an end in the past, or too many keys; `disk/full`
   */
  create(terms: ApiKeyTerms, nowMs: number): CreatedApiKey {
    const checked = parseApiKeyTerms(terms as unknown as Json)
    if (checked.expiresAtMs !== undefined && checked.expiresAtMs <= nowMs) {
      throw new ShapeError('shape/bad-value', 'key.expiresAtMs', 'expected a time that is not over')
    }
    const key: ApiKey = { id: `key_${randomBytes(8).toString('hex')}`, ...checked, createdAtMs: nowMs }
    const token = `csk_${toBase64Url(new Uint8Array(randomBytes(32)))}`
    this.#write(() => {
      if ((this.#count.get() as number) >= MAX_KEYS) {
        throw new ShapeError('shape/bad-value', 'keys', `there are ${MAX_KEYS} keys already; revoke some`)
      }
      this.#insert.run(key.id, digestOf(token), JSON.stringify(checked), nowMs)
    })
    return { key, token }
  }

  /** Every key, revoked ones too, oldest first. */
  list(): readonly ApiKey[] {
    return readAll(this.#database)
  }

  /**
   * Revokes a key for good, durable when this returns: here at once, in other processes within {@link REFRESH_MS}. A key
   * that is revoked already stays as it is.
   *
   * @throws {CountersignError} `request/not-found`, `disk/full`
   */
  revoke(id: string, nowMs: number): ApiKey {
    this.#write(() => this.#mark.run(nowMs, id))
    const row = this.#byId.get(id) as Row | undefined
    // Not quoted: it may be a token that was taken for an id.
    if (row === undefined) throw new CountersignError('request/not-found', 'there is no key of this id; see key list')
    return readRow(row).key
  }

  /**
   * The key that a token opens. Says nothing of what it may do: that is {@link requireRight}. A key that another process
   * revoked less than {@link REFRESH_MS} ago may still be let in.
   *
   * @throws {CountersignError} `auth/missing`, `auth/unknown-key`, `auth/revoked-key`, `auth/expired-key`; none of them
   *   says anything of the token
   */
  authenticate(token: string | undefined, nowMs: number): ApiKey {
    if (token === undefined || token === '') {
      throw new CountersignError('auth/missing', 'send an API key: Authorization: Bearer csk_…')
    }
    this.#refresh(nowMs)
    const stored = TOKEN.test(token) ? this.#find(digestOf(token)) : undefined
    if (stored === undefined) throw new CountersignError('auth/unknown-key', 'this API key is not known here')
    const { key } = stored
    if (key.revokedAtMs !== undefined) throw new CountersignError('auth/revoked-key', 'this API key was revoked')
    if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) {
      throw new CountersignError('auth/expired-key', 'this API key has expired')
    }
    return key
  }

  close(): void {
    this.#database.close()
  }

  /** What is not in memory may be revoked, or new: the file knows. */
  #find(digest: Uint8Array): StoredKey | undefined {
    const known = this.#known.get(hexOf(digest))
    if (known !== undefined) return timingSafeEqual(known.digest, digest) ? known : undefined
    const row = this.#byDigest.get(digest) as Row | undefined
    return row && readRow(row)
  }

  /** A clock that stepped back must not keep a revoked key alive. */
  #refresh(nowMs: number): void {
    if (Math.abs(nowMs - this.#lookedAtMs) < REFRESH_MS) return
    this.#lookedAtMs = nowMs
    if (dataVersionOf(this.#database) !== this.#dataVersion) this.#reload()
  }

  #reload(): void {
    this.#dataVersion = dataVersionOf(this.#database)
    const stored = (this.#live.all() as Row[]).map(readRow)
    this.#known = new Map(stored.map((each) => [hexOf(each.digest), each]))
  }

  #write(change: () => void): void {
    try {
      this.#database.transaction(change).immediate()
    } catch (thrown) {
      throw storageError(thrown)
    }
    this.#reload()
  }
}

function digestOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

function hexOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex')
}
