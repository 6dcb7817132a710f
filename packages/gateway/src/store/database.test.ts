import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readCosignedHeads } from './cosigned-heads.ts'
import { openDatabase, SCHEMA_VERSION } from './database.ts'

/** Brings back what the third version did away with. */
const BEFORE_THIRD = `DROP INDEX statements_recent;
  CREATE INDEX statements_digest ON statements (digest_prefix);
  CREATE INDEX statements_receipt ON statements (receipt_prefix) WHERE receipt_prefix IS NOT NULL`

test('a database of the first release is brought up to date, with everything in it', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-store-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'store.db')
  const first = openDatabase(path)
  first.exec("INSERT INTO entries VALUES (0, zeroblob(32)); INSERT INTO meta VALUES ('origin', 'example.org/log')")
  const of = () =>
    first.prepare('SELECT name FROM sqlite_schema WHERE type = ? AND name NOT LIKE ? ORDER BY name').pluck()
  const all = { tables: of().all('table', 'sqlite%'), indexes: of().all('index', 'sqlite%') }
  // What came with later versions goes, as if it had never been there.
  for (const table of [
    'spend',
    'upstream_objects',
    'first_answers',
    'subject_erasures',
    'cosigned_heads',
    'cited_heads',
  ])
    first.exec(`DROP TABLE ${table}`)
  for (const index of first
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'vault' AND sql IS NOT NULL")
    .pluck()
    .all()) {
    first.exec(`DROP INDEX ${index}`)
  }
  first.exec(BEFORE_THIRD)
  first.pragma('user_version = 1')
  first.close()
  const again = openDatabase(path)
  context.after(() => again.close())
  const names = (type: string) =>
    again
      .prepare('SELECT name FROM sqlite_schema WHERE type = ? AND name NOT LIKE ? ORDER BY name')
      .pluck()
      .all(type, 'sqlite%')
  assert.deepEqual({ tables: names('table'), indexes: names('index') }, all)
  assert.equal(again.pragma('user_version', { simple: true }), SCHEMA_VERSION)
  assert.equal(again.prepare('SELECT count(*) FROM entries').pluck().get(), 1)
  assert.equal(again.prepare('SELECT value FROM meta').pluck().get(), 'example.org/log')
})

test('a database of the second release is brought up to date, with everything in it', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-store-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'store.db')
  const second = openDatabase(path)
  second.exec(`INSERT INTO entries VALUES (0, zeroblob(32));
    INSERT INTO head VALUES (1, 1, zeroblob(32), 'note', 5);
    INSERT INTO spend VALUES ('key', 'sum', '2026-11-01', 'EUR', 1, 1, 1, 1, 0);
    INSERT INTO subject_erasures VALUES (-3, 'requested');
    DROP TABLE cosigned_heads;
    DROP TABLE cited_heads;
    ${BEFORE_THIRD}`)
  second.pragma('user_version = 2')
  second.close()
  const again = openDatabase(path)
  context.after(() => again.close())
  assert.equal(again.pragma('user_version', { simple: true }), SCHEMA_VERSION)
  for (const table of ['entries', 'head', 'spend', 'subject_erasures']) {
    assert.equal(again.prepare(`SELECT count(*) FROM ${table}`).pluck().get(), 1, table)
  }
  assert.deepEqual(readCosignedHeads(again), [])
})
