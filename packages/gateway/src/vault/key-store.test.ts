import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import { isSubjectKey, KEY_STORE_VERSION, KeyStore, POOL_SIZE, subjectTag } from './key-store.ts'

const WRAPPING_KEY = new Uint8Array(32).fill(7)

interface Opened {
  readonly path: string
  readonly store: KeyStore
}

function openStore(context: TestContext): Opened {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
  const path = join(folder, 'vault-keys.db')
  const store = new KeyStore(path, WRAPPING_KEY)
  context.after(() => {
    store.close()
    rmSync(folder, { recursive: true })
  })
  return { path, store }
}

/** Another process's view of the same store. */
function reopened<T>(path: string, use: (store: KeyStore) => T, wrappingKey = WRAPPING_KEY): T {
  const store = new KeyStore(path, wrappingKey)
  try {
    return use(store)
  } finally {
    store.close()
  }
}

function wrappedBytes(path: string, id: number): Buffer {
  const database = new Database(path, { readonly: true })
  try {
    return database.prepare('SELECT wrapped FROM keys WHERE id = ?').pluck().get(id) as Buffer
  } finally {
    database.close()
  }
}

/** Whether the bytes stand anywhere in the store's files. */
function isOnDisk(path: string, bytes: Buffer): boolean {
  const files = [path, `${path}-wal`, `${path}-shm`, `${path}-journal`].filter((each) => existsSync(each))
  return files.some((each) => readFileSync(each).includes(bytes))
}

test('a pool is durable before anyone gets a key of it', (context) => {
  const { path, store } = openStore(context)
  const pool = store.createPool()
  assert.equal(pool.length, POOL_SIZE)
  assert.equal(new Set(pool.map(({ id }) => id)).size, POOL_SIZE)
  assert.equal(new Set(pool.map(({ secret }) => Buffer.from(secret).toString('hex'))).size, POOL_SIZE)
  reopened(path, (other) => {
    for (const { id, secret } of pool) assert.deepEqual(other.find(id), secret)
  })
})

test('keys are kept wrapped, never in clear', (context) => {
  const { path, store } = openStore(context)
  for (const { secret } of store.createPool(8)) assert.equal(isOnDisk(path, Buffer.from(secret)), false)
  assert.equal(isOnDisk(path, Buffer.from(WRAPPING_KEY)), false)
})

test('the file is for its owner alone', (context) => {
  const { path, store } = openStore(context)
  store.createPool(1)
  for (const each of [path, `${path}-wal`]) assert.equal(statSync(each).mode & 0o777, 0o600, each)
})

test('a destroyed key is gone: from the store, from its file, and from the write-ahead log', (context) => {
  const { path, store } = openStore(context)
  const pool = store.createPool(300)
  const [first, ...others] = pool.map(({ id }) => ({ id, wrapped: wrappedBytes(path, id) }))
  assert.ok(first !== undefined)
  assert.equal(isOnDisk(path, first.wrapped), true, 'the detector finds a key that is there')
  const reader = new KeyStore(path, WRAPPING_KEY)
  context.after(() => reader.close())
  reader.find(first.id)
  store.destroy([first.id])
  assert.equal(store.find(first.id), undefined)
  assert.equal(reader.find(first.id), undefined)
  assert.equal(isOnDisk(path, first.wrapped), false)
  assert.equal(statSync(`${path}-wal`).size, 0)
  for (const { id, wrapped } of others) {
    assert.ok(store.find(id) !== undefined)
    assert.equal(isOnDisk(path, wrapped), true)
  }
})

test('destroying many keys leaves none of them, whatever page they were on', (context) => {
  const { path, store } = openStore(context)
  const pool = store.createPool(300)
  const wrapped = pool.map(({ id }) => wrappedBytes(path, id))
  store.destroy(pool.map(({ id }) => id))
  assert.equal(wrapped.filter((bytes) => isOnDisk(path, bytes)).length, 0)
})

test('a key that is destroyed twice, or was never there, is no mistake', (context) => {
  const { store } = openStore(context)
  const [key] = store.createPool(1)
  store.destroy([key?.id ?? 0, 999])
  store.destroy([key?.id ?? 0])
  assert.equal(store.find(999), undefined)
})

test('the number of a destroyed key is never given again', (context) => {
  const { path, store } = openStore(context)
  const [key] = store.createPool(1)
  store.destroy([key?.id ?? 0])
  const [next] = reopened(path, (other) => other.createPool(1))
  assert.ok((next?.id ?? 0) > (key?.id ?? 0))
})

test('another wrapping key is found out at once', (context) => {
  const { path, store } = openStore(context)
  store.createPool(1)
  const wrong = new Uint8Array(32).fill(8)
  assert.throws(() => reopened(path, () => undefined, wrong), { code: 'vault/wrong-key' })
})

const NAME = 'zoe.planted@example.org'
const TAG = /* @__PURE__ */ subjectTag(WRAPPING_KEY, NAME)
const OTHER_TAG = /* @__PURE__ */ subjectTag(WRAPPING_KEY, 'somebody.else@example.org')

function subjectKey(store: KeyStore, tag = TAG) {
  const [key] = store.subjectKeys([tag])
  assert.ok(key !== undefined)
  return key
}

test('a subject has one key, durable, and its own', (context) => {
  const { path, store } = openStore(context)
  store.createPool(3)
  const [one, again, other] = store.subjectKeys([TAG, TAG, OTHER_TAG])
  assert.deepEqual(again, one)
  assert.notDeepEqual(other?.secret, one?.secret)
  assert.notEqual(other?.id, one?.id)
  reopened(path, (reader) => {
    assert.deepEqual(reader.find(one?.id ?? 0), one?.secret)
    assert.deepEqual(subjectKey(reader), one)
  })
  assert.ok(isSubjectKey(one?.id ?? 0))
  assert.ok(store.createPool(3).every(({ id }) => !isSubjectKey(id)))
})

test('a tag is keyed: another wrapping key gives another, and no name is on the disk', (context) => {
  const { path, store } = openStore(context)
  subjectKey(store)
  assert.notDeepEqual(subjectTag(new Uint8Array(32).fill(8), NAME), TAG)
  assert.equal(TAG.length, 32)
  assert.equal(isOnDisk(path, Buffer.from(TAG)), true, 'the detector finds what is there')
  for (const plain of [NAME, createHash('sha256').update(NAME).digest()]) {
    assert.equal(isOnDisk(path, Buffer.from(plain)), false)
  }
})

test('a subject whose key was destroyed gets another one, of a number that nobody had', (context) => {
  const { path, store } = openStore(context)
  const first = subjectKey(store)
  const wrapped = wrappedBytes(path, first.id)
  store.destroy([first.id])
  assert.equal(isOnDisk(path, wrapped), false)
  assert.equal(store.subjectKeyId(TAG), first.id, 'known still: the erasure goes on')
  const second = subjectKey(store)
  assert.ok(second.id < first.id)
  assert.notDeepEqual(second.secret, first.secret)
  store.forgetSubject(first.id)
  assert.deepEqual(subjectKey(store), second)
})

test('a forgotten subject leaves no tag: not in the file, not in its log', (context) => {
  const { path, store } = openStore(context)
  const { id } = subjectKey(store)
  subjectKey(store, OTHER_TAG)
  store.destroy([id])
  store.forgetSubject(id)
  assert.equal(store.subjectKeyId(TAG), undefined)
  assert.equal(isOnDisk(path, Buffer.from(TAG)), false)
  assert.equal(isOnDisk(path, Buffer.from(OTHER_TAG)), true)
})

test('a store of the first release is brought up to date; one of a later release is refused and left alone', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'old.db')
  const old = reopened(path, (store) => store.createPool(2))
  const edit = (sql: string) => {
    const database = new Database(path)
    database.exec(sql)
    database.close()
  }
  edit('DROP TABLE subjects; PRAGMA user_version = 0')
  reopened(path, (store) => {
    for (const { id, secret } of old) assert.deepEqual(store.find(id), secret)
    assert.ok(isSubjectKey(subjectKey(store).id))
  })
  edit(`PRAGMA user_version = ${KEY_STORE_VERSION + 1}`)
  assert.throws(() => reopened(path, () => undefined), { code: 'data/newer-version' })
  edit(`PRAGMA user_version = ${KEY_STORE_VERSION}`)
  reopened(path, (store) => assert.ok(store.find(old[0]?.id ?? 0) !== undefined))
})
