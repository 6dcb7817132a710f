import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CountersignError } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import Database from 'better-sqlite3'
import { type LockedDataFolder, openDataFolder } from '../data/data-folder.ts'
import { keyPaths, loadLogKey, loadStatementKey } from '../data/keys.ts'
import { openDatabase } from '../store/database.ts'
import { POOL_SIZE } from '../vault/key-store.ts'
import { answerDraft, countRows, ownDraft, TEST_ORIGIN } from './log.testing.ts'
import { LogService } from './log-service.ts'

interface Running {
  readonly folder: LockedDataFolder
  readonly log: LogService
  readonly halts: CountersignError[]
  readonly notices: string[]
}

/** A log service in a new folder; closed when the test is over. */
async function startLog(context: TestContext): Promise<Running> {
  const root = mkdtempSync(join(tmpdir(), 'countersign-service-'))
  const folder = openDataFolder(root)
  const keys = keyPaths(folder.keys)
  loadLogKey(keys.log, TEST_ORIGIN, true)
  loadStatementKey(keys.statement, true)
  openDatabase(folder.database).close()
  const halts: CountersignError[] = []
  const notices: string[] = []
  const log = await LogService.start({
    crypto: createNodeCrypto(),
    folder,
    origin: TEST_ORIGIN,
    vaultWrappingKey: new Uint8Array(32),
    now: Date.now,
    onHalt: (error) => halts.push(error),
    onNotice: (message) => notices.push(message),
  })
  context.after(async () => {
    await log.close()
    folder.release()
    rmSync(root, { recursive: true })
  })
  return { folder, log, halts, notices }
}

test('appends of one turn share a batch, each gets its own place, and a head follows', async (context) => {
  const { log, folder } = await startLog(context)
  assert.equal(log.head, undefined)
  const committed = await Promise.all(Array.from({ length: 600 }, (_, i) => log.append(ownDraft(`model-${i}`))))
  assert.deepEqual(
    committed.map(({ index }) => index).sort((a, b) => a - b),
    Array.from({ length: 600 }, (_, i) => i),
  )
  assert.equal(countRows(log.database, 'statements'), 600, 'durable, and seen by readers, when it resolves')
  assert.equal(await log.waitForHead(599, 10_000), true)
  assert.equal(await log.waitForHead(600, 1), false)
  assert.ok(folder.root.length > 0)
})

test('what is refused alone is refused alone', async (context) => {
  const { log, halts } = await startLog(context)
  const payload = new Uint8Array(1024 * 1024 + 1)
  const large = log.append({ kind: 'own', type: 'model', name: 'large', payload })
  await assert.rejects(large, { code: 'statement/too-large' })
  await log.append(answerDraft(1))
  assert.deepEqual(halts, [])
  assert.equal(log.isOpen, true)
})

test('a pool that is used up is refilled; nobody gets a key twice', async (context) => {
  const { log } = await startLog(context)
  const keys = await Promise.all(Array.from({ length: 3 * POOL_SIZE }, async () => log.takeKey()))
  assert.equal(new Set(keys.map(({ id }) => id)).size, keys.length)
})

test('who waits for a key when none can be made is refused, and the log stops: its disk cannot be trusted', async (context) => {
  const { log, folder, halts } = await startLog(context)
  await log.append(ownDraft('before'))
  const other = new Database(folder.vaultKeys)
  other.exec(`CREATE TRIGGER planted BEFORE INSERT ON keys BEGIN SELECT RAISE(ABORT, 'planted'); END`)
  other.close()
  await assert.rejects(async () => log.takeKey(), { code: 'data/damaged' })
  await assert.rejects(async () => log.append(ownDraft('after')), { code: 'data/damaged' })
  assert.deepEqual(
    halts.map(({ code }) => code),
    ['data/damaged'],
  )
})

test('a head that another process has moved stops everything, once, and says so', async (context) => {
  const { log, folder, halts } = await startLog(context)
  await log.append(ownDraft('a'))
  await log.waitForHead(0, 10_000)
  const other = openDatabase(folder.database)
  other.prepare('UPDATE head SET root = ?').run(new Uint8Array(32))
  other.close()
  const halted = new Promise<void>((resolve) => {
    const look = () => (halts.length > 0 ? resolve() : setImmediate(look))
    look()
  })
  await log.append(ownDraft('b'))
  await halted
  assert.deepEqual(
    halts.map(({ code }) => code),
    ['log/head-changed'],
  )
  assert.equal(log.isOpen, false)
  await assert.rejects(log.append(ownDraft('c')), { code: 'log/head-changed' })
  await assert.rejects(log.perform({ kind: 'revoke-secret', receipt: '00'.repeat(16) }), { code: 'log/head-changed' })
  await assert.rejects(async () => log.takeKey(), { code: 'log/head-changed' })
})

test('a closed log takes nothing, covers all that it took, and leaves one file of its database', async (context) => {
  const { log, folder } = await startLog(context)
  const pending = Array.from({ length: 10 }, (_, i) => log.append(ownDraft(`model-${i}`)))
  const waiting = log.waitForHead(1000, 60_000)
  await log.close()
  assert.equal((await Promise.all(pending)).length, 10)
  assert.equal(await waiting, false)
  await assert.rejects(log.append(ownDraft('late')), { code: 'log/closed' })
  const database = openDatabase(folder.database)
  assert.equal(database.prepare('SELECT size FROM head').pluck().get(), 10)
  database.close()
})

test('a log that is refused lets go of its thread and its files', async (context) => {
  const { log, folder } = await startLog(context)
  await log.append(ownDraft('a'))
  await log.close()
  const database = openDatabase(folder.database)
  database.prepare('DELETE FROM entries').run()
  database.close()
  const options = {
    crypto: createNodeCrypto(),
    folder,
    origin: TEST_ORIGIN,
    vaultWrappingKey: new Uint8Array(32),
    now: Date.now,
    onHalt: () => assert.fail('nothing was running'),
    onNotice: () => {},
  }
  await assert.rejects(LogService.start(options), (thrown: unknown) => {
    assert.ok(thrown instanceof CountersignError)
    return thrown.code === 'data/damaged'
  })
})
