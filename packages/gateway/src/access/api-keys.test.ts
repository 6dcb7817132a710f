import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { codeOf } from '@countersign/verify'
import Database from 'better-sqlite3'
import type { ApiKeyTerms } from './api-key.ts'
import { listApiKeys } from './api-key-file.ts'
import { ApiKeyStore, MAX_KEYS, REFRESH_MS } from './api-keys.ts'

const TERMS: ApiKeyTerms = { name: 'Loan desk', deployments: 'all', rights: ['infer'] }
const NOW_MS = 1_800_000_000_000

function newPath(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-api-keys-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'api-keys.db')
}

/** A store that is closed before its folder goes. */
function openStore(
  context: TestContext,
  path = newPath(context),
): { readonly path: string; readonly store: ApiKeyStore } {
  const store = new ApiKeyStore(path)
  context.after(() => store.close())
  return { path, store }
}

/** Changes the file behind a store's back. */
function tamper(path: string, statement: string, ...values: readonly unknown[]): void {
  const database = new Database(path)
  database.prepare(statement).run(...values)
  database.close()
}

/** Runs a program over the store in a process of its own, which gets `store`; gives what it prints. */
function elsewhere(path: string, program: string): Promise<string> {
  const url = new URL('./api-keys.js', import.meta.url).href
  const source = `import { ApiKeyStore } from ${JSON.stringify(url)}
const store = new ApiKeyStore(${JSON.stringify(path)})
${program}
store.close()`
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], { timeout: 30_000 })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString('utf8')
    })
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(errors))))
  })
}

test('a token opens its key, and no other token does', (context) => {
  const { store } = openStore(context)
  const first = store.create(TERMS, NOW_MS)
  const second = store.create({ ...TERMS, name: 'Other' }, NOW_MS)
  assert.match(first.token, /^csk_[A-Za-z0-9_-]{43}$/)
  assert.match(first.key.id, /^key_[0-9a-f]{16}$/)
  assert.notEqual(first.token, second.token)
  assert.deepEqual(store.authenticate(first.token, NOW_MS), first.key)
  assert.deepEqual(store.authenticate(second.token, NOW_MS), second.key)
  for (let i = 4; i < first.token.length; i++) {
    const changed = `${first.token.slice(0, i)}${first.token[i] === 'A' ? 'B' : 'A'}${first.token.slice(i + 1)}`
    assert.throws(() => store.authenticate(changed, NOW_MS), { code: 'auth/unknown-key' })
  }
})

test('every kind of refusal has its code', (context) => {
  const { store } = openStore(context)
  const refused = (token: string | undefined, nowMs = NOW_MS) => {
    try {
      store.authenticate(token, nowMs)
      return 'let in'
    } catch (thrown) {
      return codeOf(thrown)
    }
  }
  const expiring = store.create({ ...TERMS, expiresAtMs: NOW_MS + 10 }, NOW_MS)
  const revoked = store.create(TERMS, NOW_MS)
  store.revoke(revoked.key.id, NOW_MS)
  assert.equal(refused(undefined), 'auth/missing')
  assert.equal(refused(''), 'auth/missing')
  for (const token of [
    'csk_',
    'sk-something',
    `csk_${'A'.repeat(44)}`,
    `csk_${'='.repeat(43)}`,
    'x'.repeat(1_000_000),
  ]) {
    assert.equal(refused(token), 'auth/unknown-key')
  }
  assert.equal(refused(`csk_${'A'.repeat(43)}`), 'auth/unknown-key')
  assert.equal(refused(expiring.token, NOW_MS + 9), 'let in')
  assert.equal(refused(expiring.token, NOW_MS + 10), 'auth/expired-key')
  assert.equal(refused(revoked.token), 'auth/revoked-key')
})

test('neither a token nor its hash is in the file, a listing or an error', (context) => {
  const { path, store } = openStore(context)
  const { key, token } = store.create({ ...TERMS, expiresAtMs: NOW_MS + 10 }, NOW_MS)
  const digest = createHash('sha256').update(token).digest()
  const forms = [
    token,
    token.slice(4),
    ...(['hex', 'base64', 'base64url'] as const).map((form) => digest.toString(form)),
  ]
  const tells = (text: string) => forms.some((form) => text.includes(form))
  assert.ok(forms.every(tells), 'the detector sees what is planted')
  const texts = [JSON.stringify(store.list()), JSON.stringify(listApiKeys(path)), JSON.stringify(key)]
  const provoke = (act: () => unknown) => {
    try {
      act()
      assert.fail('nothing was thrown')
    } catch (thrown) {
      const { message, stack, cause } = thrown as Error
      texts.push(message, stack ?? '', String(cause), JSON.stringify(thrown))
    }
  }
  provoke(() => store.authenticate(token, NOW_MS + 10))
  provoke(() => store.authenticate(`${token}x`, NOW_MS))
  provoke(() => store.revoke(token, NOW_MS))
  store.revoke(key.id, NOW_MS)
  provoke(() => store.authenticate(token, NOW_MS))
  tamper(path, `UPDATE keys SET terms = '{'`)
  provoke(() => store.list())
  assert.equal(texts.filter(tells).length, 0)
  const bytes = [path, `${path}-wal`].filter((each) => existsSync(each)).map((each) => readFileSync(each))
  assert.equal(
    bytes.some((each) => each.includes(token) || each.includes(token.slice(4))),
    false,
  )
  assert.equal(
    bytes.some((each) => each.includes(digest)),
    true,
  )
})

test('the file is its owner’s alone', (context) => {
  const { path, store } = openStore(context)
  store.create(TERMS, NOW_MS)
  for (const each of [path, `${path}-wal`]) assert.equal(statSync(each).mode & 0o777, 0o600)
})

test('keys outlive the process, revoked ones too', (context) => {
  const path = newPath(context)
  const store = new ApiKeyStore(path)
  const kept = store.create(TERMS, NOW_MS)
  const gone = store.create(TERMS, NOW_MS + 1)
  store.revoke(gone.key.id, NOW_MS + 2)
  store.close()
  const { store: again } = openStore(context, path)
  assert.deepEqual(again.list(), [kept.key, { ...gone.key, revokedAtMs: NOW_MS + 2 }])
  assert.deepEqual(listApiKeys(path), again.list())
  assert.deepEqual(again.authenticate(kept.token, NOW_MS), kept.key)
  assert.throws(() => again.authenticate(gone.token, NOW_MS), { code: 'auth/revoked-key' })
})

test('a key is revoked once, and an unknown one not at all', (context) => {
  const { store } = openStore(context)
  const { key } = store.create(TERMS, NOW_MS)
  assert.equal(store.revoke(key.id, NOW_MS + 5).revokedAtMs, NOW_MS + 5)
  assert.equal(store.revoke(key.id, NOW_MS + 9).revokedAtMs, NOW_MS + 5)
  assert.throws(() => store.revoke('key_0000000000000000', NOW_MS), { code: 'request/not-found' })
})

test('bad terms make no key', (context) => {
  const { store } = openStore(context)
  assert.throws(() => store.create({ ...TERMS, expiresAtMs: NOW_MS }, NOW_MS), { code: 'shape/bad-value' })
  assert.throws(() => store.create({ ...TERMS, rights: [] }, NOW_MS), { code: 'shape/bad-value' })
  assert.deepEqual(store.list(), [])
})

test('there are at most so many keys; revoking one makes room', (context) => {
  const { path, store } = openStore(context)
  const { key } = store.create(TERMS, NOW_MS)
  const fill = `INSERT INTO keys (id, digest, terms, created_at_ms)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    SELECT 'key_' || i, CAST(i AS BLOB), (SELECT terms FROM keys), 0 FROM n`
  tamper(path, fill, MAX_KEYS - 1)
  assert.throws(() => store.create(TERMS, NOW_MS), { code: 'shape/bad-value' })
  store.revoke(key.id, NOW_MS)
  store.create(TERMS, NOW_MS)
})

test('what another process does is known here: a new key at once, a revoked one within a second', async (context) => {
  const { path, store } = openStore(context)
  const mine = store.create(TERMS, NOW_MS)
  const program = `
const made = store.create({ name: 'Elsewhere', deployments: 'all', rights: ['usage'] }, ${NOW_MS})
store.revoke(${JSON.stringify(mine.key.id)}, ${NOW_MS})
console.log(made.token)`
  assert.deepEqual(store.authenticate(mine.token, NOW_MS), mine.key)
  const token = (await elsewhere(path, program)).trim()
  assert.equal(store.authenticate(token, NOW_MS).name, 'Elsewhere')
  assert.throws(() => store.authenticate(mine.token, NOW_MS + REFRESH_MS), { code: 'auth/revoked-key' })
})

test('a clock that stepped back does not keep a revoked key alive', (context) => {
  const { path, store } = openStore(context)
  const { key, token } = store.create(TERMS, NOW_MS)
  store.authenticate(token, NOW_MS)
  tamper(path, 'UPDATE keys SET revoked_at_ms = 1 WHERE id = ?', key.id)
  assert.throws(() => store.authenticate(token, NOW_MS - 86_400_000), { code: 'auth/revoked-key' })
})

test('processes that begin on a new file together lose no key', async (context) => {
  const path = newPath(context)
  const program = `for (let i = 0; i < 10; i++) store.create({ name: 'k', deployments: 'all', rights: ['infer'] }, ${NOW_MS})`
  await Promise.all([1, 2, 3].map(() => elsewhere(path, program)))
  assert.equal(new Set(listApiKeys(path).map(({ id }) => id)).size, 30)
})

test('a file of a newer release, and one that is none, are refused and left as they are', (context) => {
  const path = newPath(context)
  new ApiKeyStore(path).close()
  const database = new Database(path)
  database.pragma('user_version = 2')
  database.close()
  assert.throws(() => new ApiKeyStore(path), { code: 'data/newer-version' })
  assert.throws(() => listApiKeys(path), { code: 'data/newer-version' })
  const other = newPath(context)
  writeFileSync(other, 'this is no database, and it is long enough to be taken for one'.repeat(100))
  const before = readFileSync(other)
  assert.throws(() => new ApiKeyStore(other), { code: 'data/damaged' })
  assert.throws(() => listApiKeys(other), { code: 'data/damaged' })
  assert.deepEqual(readFileSync(other), before)
})

test('a file that is not there has no keys, and is not made by asking', (context) => {
  const path = newPath(context)
  assert.deepEqual(listApiKeys(path), [])
  assert.equal(existsSync(path), false)
  assert.throws(() => new ApiKeyStore(join(path, 'nowhere', 'api-keys.db')), { code: 'data/damaged' })
})
