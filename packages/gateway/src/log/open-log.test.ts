import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { emptyRoot, formatCheckpoint } from '@countersign/verify'
import { loadLogKey } from '../data/keys.ts'
import { openDatabase, type Sqlite } from '../store/database.ts'
import { appendMany, createTestLog, ownDraft, TEST_ORIGIN, TEST_TIME_MS, type TestLog } from './log.testing.ts'
import { checkpointPath, openLog } from './open-log.ts'
import { Sequencer } from './sequencer.ts'

function open(log: TestLog, database: Sqlite = log.database) {
  return openLog(log.crypto, database, log.logKey, log.logFolder)
}

/** A log of five entries with a head over them, three of which are published. */
function publishedLog(context: TestContext): TestLog {
  const log = createTestLog(context)
  mkdirSync(log.logFolder)
  appendMany(log, 3)
  publish(log, log.sequencer.advanceHead(TEST_TIME_MS)?.note ?? '')
  appendMany(log, 2)
  log.sequencer.advanceHead(TEST_TIME_MS)
  return log
}

function publish(log: TestLog, note: string): void {
  writeFileSync(checkpointPath(log.logFolder), note)
}

/** The folder's files byte for byte; what SQLite keeps in memory beside a database does not count. */
function contentsOf(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !path.endsWith('-shm'))
  return new Map(paths.sort().map((path) => [path, readFileSync(path, 'latin1')]))
}

function assertRefused(log: TestLog, code: string, database: Sqlite = log.database): void {
  const before = contentsOf(log.folder)
  assert.throws(() => open(log, database), { code })
  assert.deepEqual(contentsOf(log.folder), before)
}

test('an empty log opens empty', (context) => {
  const log = createTestLog(context)
  const opened = open(log)
  assert.equal(opened.tree.size, 0)
  assert.deepEqual(opened.tree.root(), emptyRoot(log.crypto))
  assert.equal(opened.head, undefined)
  assert.equal(opened.published, undefined)
})

test('a log opens with its entries, its head, and what was published', (context) => {
  const log = publishedLog(context)
  log.sequencer.commit([ownDraft('after the head')], TEST_TIME_MS)
  const opened = open(log)
  assert.equal(opened.tree.size, 6)
  assert.deepEqual(opened.head, log.sequencer.head)
  assert.equal(opened.published?.size, 3)
})

test('entries without a head open: a crash came before the first one', (context) => {
  const log = createTestLog(context)
  appendMany(log, 4)
  assert.equal(open(log).tree.size, 4)
})

test('a database rolled back to a copy from before the publication is refused', (context) => {
  const log = createTestLog(context)
  mkdirSync(log.logFolder)
  appendMany(log, 3)
  log.sequencer.advanceHead(TEST_TIME_MS)
  log.database.pragma('wal_checkpoint(TRUNCATE)')
  const copyPath = join(log.folder, 'copy.db')
  copyFileSync(log.databasePath, copyPath)
  appendMany(log, 1)
  publish(log, log.sequencer.advanceHead(TEST_TIME_MS)?.note ?? '')
  const copy = openDatabase(copyPath)
  context.after(() => copy.close())
  assertRefused(log, 'log/head-behind-published', copy)
  assert.equal(open(log).tree.size, 4)
})

test('a copy that has grown again past the published size is a fork', (context) => {
  const log = createTestLog(context)
  mkdirSync(log.logFolder)
  appendMany(log, 3)
  log.sequencer.advanceHead(TEST_TIME_MS)
  log.sequencer.commit([ownDraft('one history')], TEST_TIME_MS)
  publish(log, log.sequencer.advanceHead(TEST_TIME_MS)?.note ?? '')
  log.database.exec('DELETE FROM entries WHERE idx >= 3; DELETE FROM statements WHERE idx >= 3; DELETE FROM head')
  const { crypto, database, logKey, statementKey } = log
  const rolledBack = { ...log, logFolder: join(log.folder, 'nowhere') }
  const { tree } = open(rolledBack)

  const sequencer = new Sequencer({ crypto, database, statementKey, logKey, tree, head: undefined })
  sequencer.commit([ownDraft('another history'), ownDraft('and on')], TEST_TIME_MS)
  sequencer.advanceHead(TEST_TIME_MS)
  assertRefused(log, 'log/fork')
})

test('an entry that was changed is a fork', (context) => {
  const log = publishedLog(context)
  log.database.prepare('UPDATE entries SET leaf_hash = ? WHERE idx = 1').run(new Uint8Array(32))
  assertRefused(log, 'log/fork')
})

test('a published checkpoint of the same size with another root is a fork', (context) => {
  const log = publishedLog(context)
  publish(log, log.logKey.signNote(formatCheckpoint({ origin: TEST_ORIGIN, size: 3, root: new Uint8Array(32) })))
  assertRefused(log, 'log/fork')
})

test('a missing entry is refused, in the middle and at the end', (context) => {
  for (const index of [0, 2, 4]) {
    const log = publishedLog(context)
    log.database.prepare('DELETE FROM entries WHERE idx = ?').run(index)
    assertRefused(log, 'data/damaged')
  }
})

test('a head signed by another key is refused', (context) => {
  const log = publishedLog(context)
  const other = loadLogKey(join(log.folder, 'other.pem'), TEST_ORIGIN, true)
  const { size = 0, root = new Uint8Array() } = log.sequencer.head ?? {}
  const note = other.signNote(formatCheckpoint({ origin: TEST_ORIGIN, size, root }))
  log.database.prepare('UPDATE head SET note = ?').run(note)
  assertRefused(log, 'data/damaged')
})

test('a published checkpoint signed by another key, or of another log, is refused', (context) => {
  const log = publishedLog(context)
  const { size = 0, root = new Uint8Array() } = log.sequencer.head ?? {}
  const other = loadLogKey(join(log.folder, 'other.pem'), TEST_ORIGIN, true)
  publish(log, other.signNote(formatCheckpoint({ origin: TEST_ORIGIN, size, root })))
  assertRefused(log, 'data/damaged')
  publish(log, log.logKey.signNote(formatCheckpoint({ origin: 'example.org/other', size, root })))
  assertRefused(log, 'data/damaged')
  publish(log, 'not a note')
  assertRefused(log, 'data/damaged')
})

test('a head whose row says something else than its note is refused', (context) => {
  for (const change of ['size = 4', `root = x'${'00'.repeat(32)}'`]) {
    const log = publishedLog(context)
    log.database.exec(`UPDATE head SET ${change}`)
    assertRefused(log, 'data/damaged')
  }
})
