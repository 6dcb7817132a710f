import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { codeOf } from '@countersign/verify'
import Database from 'better-sqlite3'
import { type DataFolder, dataFolderAt } from '../data/data-folder.ts'
import { keyPaths, loadStatementKey } from '../data/keys.ts'
import { answered, testConfig } from '../gateway.testing.ts'
import { Gateway } from '../gateway.ts'
import type { Intent } from '../journal/intent-journal.ts'
import { arithmeticRequest } from '../model.testing.ts'
import { SCHEMA_VERSION, type Sqlite } from '../store/database.ts'
import { KEY_STORE_VERSION } from '../vault/key-store.ts'
import { checkLog } from './fsck.ts'
import type { CheckName, Finding } from './fsck-findings.ts'
import { checkpointPath } from './open-log.ts'

/** Enough for a complete tile. */
const ANSWERS = 270
const FIRST_ANSWER = 3

/** Answers of one data subject: they share a key. */
const OF_SUBJECT = 2

let folder = ''
let whole = ''
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-fsck-'))
  whole = join(folder, 'data')
  const gateway = await Gateway.start({ config: testConfig(folder), notices: { info() {}, error() {} } })
  for (let i = 0; i < ANSWERS; i += 30) {
    await Promise.all(Array.from({ length: 30 }, (_, j) => answered(gateway, arithmeticRequest([i, j], [1, 2]))))
  }
  for (let i = 0; i < OF_SUBJECT; i++) await answered(gateway, undefined, { 'countersign-subject': 'somebody' })
  const { receipt } = await answered(gateway)
  await gateway.log.perform({ kind: 'erase', receipt, reason: 'requested' })
  // As a slow answer leaves it.
  await gateway.recording.journal.write(intentOf(receipt)).durable
  assert.equal(codeOf(thrownBy(() => checkLog(whole))), 'data/locked')
  await gateway.close()
})
after(() => rmSync(folder, { recursive: true, force: true }))

function intentOf(receipt: string): Intent {
  const digest = 'ab'.repeat(32)
  const checkpoint = { origin: 'example.org/log', size: 0, root: digest }
  return { receipt, deployment: 'sum', manifest: digest, model: 'sum', request: digest, startedAtMs: 0, checkpoint }
}

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (thrown) {
    return thrown
  }
}

test('a gateway that was closed leaves nothing to find', () => {
  let progress = 0
  const report = checkLog(whole, { onProgress: (done) => (progress = done) })
  const entries = ANSWERS + OF_SUBJECT + FIRST_ANSWER + 2
  assert.deepEqual(report.findings, [])
  assert.deepEqual([report.entries, report.heads, progress], [entries, 2, entries])
  assert.ok(report.tiles >= 5, `${report.tiles} tiles`)
})

interface Planted {
  readonly check: CheckName
  readonly what: string
  readonly severity?: Finding['severity']
  plant(folder: DataFolder): void
}

const planted: readonly Planted[] = [
  { check: 'folder', what: 'no database', plant: ({ database }) => rmSync(database) },
  { check: 'version', what: 'a newer version', plant: ({ root }) => writeFileSync(join(root, 'version'), '2\n') },
  { check: 'version', what: 'no version', plant: ({ root }) => rmSync(join(root, 'version')) },
  { check: 'integrity', what: 'a page of garbage', plant: ({ database }) => overwrite(database, 3 * 4096) },
  {
    check: 'integrity',
    what: 'garbage among the vault keys',
    plant: ({ vaultKeys }) => overwrite(vaultKeys, 3 * 4096),
  },
  { check: 'integrity', what: 'no database at all', plant: ({ database }) => overwrite(database, 0) },
  sql('schema', 'a newer schema', `PRAGMA user_version = ${SCHEMA_VERSION + 1}`),
  sql('key', 'no name of the log', `DELETE FROM meta WHERE name = 'origin'`),
  { check: 'key', what: 'no statement key', plant: ({ keys }) => rmSync(keyPaths(keys).statement) },
  {
    check: 'key',
    what: 'another statement key',
    plant({ keys }) {
      const { statement } = keyPaths(keys)
      rmSync(statement)
      loadStatementKey(statement, true)
    },
  },
  sql('index', 'an entry is missing', 'DELETE FROM entries WHERE idx = 5'),
  sql('index', 'a statement at no entry', 'DELETE FROM entries WHERE idx = (SELECT max(idx) FROM entries)'),
  sql('leaf', 'another leaf', 'UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 9'),
  sql(
    'signature',
    'another signature',
    'UPDATE statements SET signature = (SELECT signature FROM statements) WHERE idx = 9',
  ),
  sql('statement', 'no statement', 'DELETE FROM statements WHERE idx = 9'),
  sql('statement', 'another kind', `UPDATE statements SET kind = 'deployment' WHERE idx = 9`),
  sql('lookup', 'not found by digest', 'UPDATE statements SET digest_prefix = 1 WHERE idx = 9'),
  sql('lookup', 'not found by receipt', 'UPDATE statements SET receipt_prefix = 1 WHERE idx = 9'),
  {
    check: 'lookup',
    what: 'a lookup that lacks one',
    plant: ({ lookup }) => execute(lookup, 'DELETE FROM digests WHERE idx = 9'),
  },
  { check: 'lookup', what: 'a lookup that is garbage', plant: ({ lookup }) => overwrite(lookup, 0) },
  sql('sequence', 'another next number', 'UPDATE sequences SET next = next + 1'),
  sql('sequence', 'another epoch', `UPDATE meta SET value = '0000000000000000' WHERE name = 'epoch'`),
  { check: 'receipt', what: 'one receipt twice', plant: (data) => change(data, repeatEntry) },
  { check: 'sequence', what: 'one number twice', plant: (data) => change(data, repeatEntry) },
  { check: 'head', what: 'entries without a head', severity: 'note', plant: (data) => change(data, repeatEntry) },
  sql('head', 'another size beside the head', 'UPDATE head SET size = size - 1'),
  sql('head', 'a head that is not signed', `UPDATE head SET note = replace(note, char(10) || '27', char(10) || '26')`),
  sql('head', 'a root that the entries do not give', 'UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 9'),
  sql('published', 'a head behind what was published', 'DELETE FROM head'),
  { check: 'published', what: 'no checkpoint', plant: ({ log }) => writeFileSync(checkpointPath(log), 'nothing\n') },
  sql('published', 'other entries were published', 'UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 9'),
  sql('cosigned', 'another size beside it', `INSERT INTO cosigned_heads SELECT '', size - 1, root, note, 0 FROM head`),
  sql('cosigned', 'a head that is not signed', `INSERT INTO cosigned_heads SELECT '', size, root, 'w', 0 FROM head`),
  sql(
    'cosigned',
    'more than the head has',
    `INSERT INTO cosigned_heads SELECT 'two', size, root, note, 0 FROM head; DELETE FROM head`,
  ),
  { check: 'tile', what: 'another hash', plant: ({ log }) => overwrite(join(log, 'tile/0/000'), 64, 1) },
  { check: 'tile', what: 'another entry', plant: ({ log }) => overwrite(join(log, 'tile/entries/000'), 64, 1) },
  { check: 'tile', what: 'a published tile is missing', plant: ({ log }) => rmSync(join(log, 'tile/0/000')) },
  {
    check: 'tile',
    what: 'a tile of no entries',
    plant: ({ log }) => cpSync(join(log, 'tile/0/000'), join(log, 'tile/0/007')),
  },
  { check: 'tile', what: 'a file that is no tile', plant: ({ log }) => writeFileSync(join(log, 'tile/0/7'), '') },
  {
    check: 'tile',
    what: 'tiles are not published yet',
    severity: 'note',
    plant: ({ log }) => rmSync(checkpointPath(log)),
  },
  sql('vault', 'a row is lost', 'DELETE FROM vault WHERE idx = 9'),
  sql('vault', 'content is lost', 'UPDATE vault SET record = NULL WHERE idx = 9'),
  sql('vault', 'a row for no answer', `INSERT INTO vault VALUES (0, 1, x'00')`),
  { check: 'vault', what: 'a key is lost', plant: ({ vaultKeys }) => execute(vaultKeys, 'DELETE FROM keys') },
  sql(
    'vault',
    'two receipts with one key',
    'UPDATE vault SET key_id = (SELECT key_id FROM vault WHERE idx = 10) WHERE idx = 9',
  ),
  {
    check: 'vault',
    what: 'a shared key of no data subject',
    plant: ({ vaultKeys }) => execute(vaultKeys, 'DELETE FROM subjects'),
  },
  {
    check: 'vault',
    what: 'a subject without its key',
    plant: ({ vaultKeys }) => execute(vaultKeys, 'DELETE FROM keys WHERE id < 0'),
  },
  {
    check: 'schema',
    what: 'a newer store of keys',
    plant: ({ vaultKeys }) => execute(vaultKeys, `PRAGMA user_version = ${KEY_STORE_VERSION + 1}`),
  },
  sql(
    'erasure',
    'an erasure of a subject under way',
    `INSERT INTO subject_erasures SELECT min(key_id), 'requested' FROM vault`,
    'note',
  ),
  sql('erasure', 'erased content is back', `INSERT INTO vault SELECT max(idx) - 1, 1, x'00' FROM entries`),
  sql('erasure', 'an erasure under way', `INSERT INTO pending_erasures VALUES (zeroblob(16), 'requested')`, 'note'),
  { check: 'journal', what: 'a journal cut short', plant: ({ journal }) => truncateSync(journal, 4096) },
  { check: 'journal', what: 'a request to record', severity: 'note', plant: (data) => change(data, forgetLastAnswer) },
]

for (const { check, what, severity = 'error', plant } of planted) {
  test(`${check}: ${what} is found`, () => {
    const copy = join(folder, 'copy')
    rmSync(copy, { recursive: true, force: true })
    cpSync(whole, copy, { recursive: true })
    plant(dataFolderAt(copy))
    const { findings } = checkLog(copy)
    const found = findings.some((each) => each.check === check && each.severity === severity)
    assert.ok(found, JSON.stringify(findings.slice(0, 10)))
  })
}

test('a folder that is not there is described', () => {
  const missing = join(folder, 'missing')
  assert.deepEqual(
    checkLog(missing).findings.map(({ check }) => check),
    ['folder'],
  )
  assert.equal(existsSync(missing), false)
})

function sql(check: CheckName, what: string, statement: string, severity: Finding['severity'] = 'error'): Planted {
  return { check, what, severity, plant: ({ database }) => execute(database, statement) }
}

function execute(path: string, statement: string): void {
  const database = new Database(path)
  database.exec(statement)
  database.close()
}

function change({ database: path }: DataFolder, alter: (database: Sqlite) => void): void {
  const database = new Database(path)
  alter(database)
  database.close()
}

/** Logs an answer once more, at the end. */
function repeatEntry(database: Sqlite): void {
  const end = database.prepare('SELECT count(*) FROM entries').pluck().get()
  database.prepare('INSERT INTO entries SELECT ?, leaf_hash FROM entries WHERE idx = 9').run(end)
  const columns = 'digest_prefix, receipt_prefix, kind, name, payload, signature, spki, cover_by'
  database.prepare(`INSERT INTO statements SELECT ?, ${columns} FROM statements WHERE idx = 9`).run(end)
}

function forgetLastAnswer(database: Sqlite): void {
  database.exec('DELETE FROM statements WHERE idx = (SELECT max(idx) FROM statements WHERE receipt_prefix IS NOT NULL)')
}

/** Writes garbage into a file, which SQLite has first made whole. */
function overwrite(path: string, offset: number, length = 2048): void {
  if (path.endsWith('.db')) execute(path, 'PRAGMA wal_checkpoint(TRUNCATE)')
  const bytes = readFileSync(path)
  bytes.fill(0xa5, offset, offset + length)
  writeFileSync(path, bytes)
}
