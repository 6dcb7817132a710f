import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  formatCheckpoint,
  formatStatement,
  modelStatement,
  openLogSuccessor,
  parseStatement,
  toHex,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import Database from 'better-sqlite3'
import { dataFolderAt } from '../data/data-folder.ts'
import { keyPaths, loadLogKey } from '../data/keys.ts'
import { answered, testConfig } from '../gateway.testing.ts'
import { Gateway } from '../gateway.ts'
import { IntentJournal } from '../journal/intent-journal.ts'
import { checkLog } from '../log/fsck.ts'
import { checkpointPath } from '../log/open-log.ts'
import type { Draft } from '../log/sequencer.ts'
import { openDatabaseReadOnly } from '../store/database.ts'
import { findIdentityAt } from '../store/identity.ts'
import { StatementReader } from '../store/statement-reader.ts'
import { archivedFolderAt, listArchives } from './archive.ts'
import { planRecovery, recoverLog } from './recover-log.ts'
import { isRecoveryUnderWay } from './recovery-marker.ts'

const crypto = createNodeCrypto()
/** Enough for a complete tile. */
const FILLERS = 260
const REASON = 'planted damage'
const quiet = { info() {}, error() {} }

let folder = ''
/** A gateway that was closed, and an older copy of its data from when it had a few answers less. */
let whole = ''
let older = ''
let size = 0
let olderSize = 0
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-recover-'))
  whole = join(folder, 'data')
  older = join(folder, 'older')
  olderSize = await serve(folder, 5, FILLERS)
  cpSync(whole, older, { recursive: true })
  size = await serve(folder, 5)
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** Gives so many answers, registers so many models, and stops; how many entries the log has. */
async function serve(parent: string, answers: number, fillers = 0): Promise<number> {
  const gateway = await Gateway.start({ config: testConfig(parent), notices: quiet })
  await Promise.all(Array.from({ length: answers }, () => answered(gateway)))
  await Promise.all(Array.from({ length: fillers }, (_, i) => gateway.log.append(filler(`filler-${i}`))))
  await gateway.close()
  return gateway.log.head?.size ?? 0
}

function filler(name: string): Draft {
  const payload = formatStatement(modelStatement(crypto, name, [{ name: 'file', digest: '00'.repeat(32) }]))
  return { kind: 'own', type: 'model', name, payload }
}

let copies = 0

/** A copy of the data in a parent folder of its own, damaged by `plant`. */
function damaged(plant: (root: string) => void = () => undefined): { readonly parent: string; readonly root: string } {
  const parent = join(folder, `copy-${copies++}`)
  const root = join(parent, 'data')
  cpSync(whole, root, { recursive: true })
  plant(root)
  return { parent, root }
}

function change(root: string, sql: string): void {
  const database = new Database(dataFolderAt(root).database)
  database.exec(sql)
  database.close()
}

/** The database of the older copy, under the checkpoint of the newer one. */
function restoreOlder(root: string): void {
  for (const ending of ['', '-wal', '-shm']) rmSync(`${dataFolderAt(root).database}${ending}`, { force: true })
  cpSync(dataFolderAt(older).database, dataFolderAt(root).database)
}

/** What the new log says at its beginning. */
function successorIn(root: string) {
  const database = openDatabaseReadOnly(dataFolderAt(root).database)
  try {
    const [row] = new StatementReader(crypto, database).newest('log-successor', findIdentityOf(root).origin, 1)
    assert.equal(row?.index, 0)
    return openLogSuccessor(crypto, parseStatement(row.payload))
  } finally {
    database.close()
  }
}

function findIdentityOf(root: string) {
  const [archived] = listArchives(root)
  assert.ok(archived !== undefined)
  return archived
}

async function assertGoesOn(parent: string, root: string): Promise<void> {
  assert.deepEqual(checkLog(root).findings, [])
  assert.ok((await serve(parent, 1)) >= 4)
  assert.deepEqual(checkLog(root).findings, [])
}

const damages: readonly {
  readonly what: string
  readonly plant: (root: string) => void
  readonly whole: () => number
  readonly code: string
}[] = [
  {
    what: 'a database from an older backup',
    plant: restoreOlder,
    whole: () => olderSize,
    code: 'log/head-behind-published',
  },
  {
    what: 'an entry that is missing',
    plant: (root) => change(root, 'DELETE FROM entries WHERE idx = 200; DELETE FROM statements WHERE idx = 200'),
    whole: () => 200,
    code: 'data/damaged',
  },
  {
    what: 'an entry that was changed',
    plant: (root) => change(root, `UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 100`),
    whole: () => 100,
    code: 'log/fork',
  },
  {
    what: 'an entry with a statement that gives another leaf everywhere',
    plant: (root) => {
      const copy = `SELECT leaf_hash FROM entries WHERE idx = 51`
      change(root, `UPDATE entries SET leaf_hash = (${copy}) WHERE idx = 50`)
      const columns = ['payload', 'signature', 'spki', 'digest_prefix', 'receipt_prefix']
      const sets = columns.map((each) => `${each} = (SELECT ${each} FROM statements WHERE idx = 51)`)
      change(root, `UPDATE statements SET ${sets.join(', ')} WHERE idx = 50`)
    },
    whole: () => 50,
    code: 'log/fork',
  },
  {
    what: 'no database',
    plant: (root) => {
      for (const ending of ['', '-wal', '-shm']) rmSync(`${dataFolderAt(root).database}${ending}`, { force: true })
    },
    whole: () => 0,
    code: 'log/head-behind-published',
  },
  {
    what: 'a database of garbage',
    plant: (root) => writeFileSync(dataFolderAt(root).database, Buffer.alloc(65_536, 7)),
    whole: () => 0,
    code: 'data/damaged',
  },
  {
    what: 'a head that another key signed',
    plant: (root) => {
      const other = loadLogKey(join(folder, `other-${copies}.pem`), findIdentityAt(root).origin, true)
      const text = formatCheckpoint({ origin: other.note.name, size, root: new Uint8Array(32) })
      const database = new Database(dataFolderAt(root).database)
      database.prepare('UPDATE head SET note = ?').run(other.signNote(text))
      database.close()
    },
    whole: () => size,
    code: 'data/damaged',
  },
]

for (const { what, plant, whole: wholeSize, code } of damages) {
  test(`${what}: the log ends, and a new one goes on`, async () => {
    const { parent, root } = damaged(plant)
    const start = () => Gateway.start({ config: testConfig(parent), notices: quiet })
    await assert.rejects(start(), (thrown: Error & { code?: string }) => {
      assert.equal(thrown.code, code)
      assert.match(thrown.message, code === 'data/damaged' ? /recover|backup/ : /countersign log recover/)
      return true
    })
    const published = readFileSync(checkpointPath(dataFolderAt(root).log), 'utf8')
    const planned = planRecovery(root, { reason: REASON })
    assert.equal(planned.wholeSize, wholeSize())
    const done = await recoverLog(root, { reason: REASON })
    assert.deepEqual(done, planned)
    const { origin, key, head, whole, reason } = successorIn(root)
    assert.deepEqual([whole.size, reason, head?.size], [wholeSize(), REASON, size])
    assert.deepEqual(listArchives(root), [{ number: 1, origin, key: done.oldKey }])
    assert.equal(key.name, origin)
    assert.equal(findIdentityAt(root).origin, `${origin}/2`)
    const archived = archivedFolderAt(root, 1)
    assert.equal(readFileSync(checkpointPath(archived.log), 'utf8'), published)
    assert.equal(existsSync(join(archived.log, 'tile', '0', '000')), true)
    assert.deepEqual(checkLog(root).findings, [])
  })
}

test('a log that is whole ends with everything covered; its archive is clean', async () => {
  const { parent, root } = damaged((copy) => change(copy, 'DELETE FROM head'))
  rmSync(dataFolderAt(root).log, { recursive: true })
  const { headSize, wholeSize, archive } = await recoverLog(root, {
    reason: 'the key may be known',
    origin: 'example.org/next',
  })
  assert.deepEqual([headSize, wholeSize, archive], [size, size, 1])
  assert.equal(findIdentityAt(root).origin, 'example.org/next')
  const { head } = successorIn(root)
  assert.ok(head !== undefined)
  // The new head is published with its tiles; the database stays as it was.
  const findings = checkLog(root, { archive: 1 }).findings.filter(({ check }) => check !== 'head')
  assert.deepEqual(
    findings.map(({ check, detail }) => `${check}: ${detail}`),
    [`published: a head of ${size} is published, the database has 0`],
  )
  await assertGoesOn(parent, root)
})

test('no head is signed beside one that witnesses have, though it is all that is left of the heads', async () => {
  const { root } = damaged((copy) => {
    const { origin } = findIdentityAt(copy)
    const logKey = loadLogKey(keyPaths(dataFolderAt(copy).keys).log, origin, false)
    const note = logKey.signNote(formatCheckpoint({ origin, size, root: new Uint8Array(32).fill(7) }))
    const database = new Database(dataFolderAt(copy).database)
    database
      .prepare(`INSERT OR REPLACE INTO cosigned_heads (quorum, size, root, note, time_ms) VALUES ('', ?, ?, ?, 1)`)
      .run(size, new Uint8Array(32).fill(7), note)
    database.exec('DELETE FROM head')
    database.close()
    rmSync(dataFolderAt(copy).log, { recursive: true })
  })
  const { headSize, wholeSize } = await recoverLog(root, { reason: REASON })
  assert.deepEqual([headSize, wholeSize], [size, 0])
  assert.equal(toHex(successorIn(root).head?.root ?? new Uint8Array()), '07'.repeat(32))
})

test('the archive of an untouched log checks clean, and so does a second one', async () => {
  const { parent, root } = damaged()
  await recoverLog(root, { reason: REASON })
  assert.deepEqual(checkLog(root, { archive: 1 }).findings, [])
  await serve(parent, 3)
  const { oldOrigin, origin, archive } = await recoverLog(root, { reason: REASON })
  assert.deepEqual([origin, archive], [oldOrigin.replace(/2$/, '3'), 2])
  assert.deepEqual(checkLog(root, { archive: 2 }).findings, [])
  assert.equal(listArchives(root).length, 2)
  assert.throws(() => planRecovery(root, { reason: REASON, origin: listArchives(root)[0]?.origin ?? '' }), {
    code: 'config/malformed',
  })
  await assertGoesOn(parent, root)
})

test('a kill after any step is finished by the next run, and the gateway waits for that', async () => {
  const steps: string[] = []
  const first = damaged(restoreOlder)
  await recoverLog(first.root, { reason: REASON, onStep: (step) => steps.push(step) })
  assert.ok(steps.length >= 12, steps.join())
  for (const stop of steps) {
    const { parent, root } = damaged(restoreOlder)
    const killed = recoverLog(root, {
      reason: REASON,
      onStep: (step) => {
        if (step === stop) throw new Error('killed')
      },
    })
    await assert.rejects(killed, /killed/)
    assert.ok(isRecoveryUnderWay(root), stop)
    await assert.rejects(Gateway.start({ config: testConfig(parent), notices: quiet }), {
      code: 'log/recovering',
      message: /countersign log recover/,
    })
    assert.ok(checkLog(root).findings.some(({ detail }) => /recover/.test(detail)))
    const { isResumed, wholeSize } = await recoverLog(root, { reason: 'another reason', origin: 'example.org/ignored' })
    assert.deepEqual([isResumed, wholeSize], [true, olderSize])
    assert.equal(successorIn(root).reason, REASON)
    assert.deepEqual(checkLog(root).findings, [], stop)
    assert.ok(!existsSync(join(root, 'recovery')))
  }
})

test('what cannot be done is refused, and changes nothing', async () => {
  const { root } = damaged()
  const { origin } = findIdentityAt(root)
  const unchanged = () =>
    assert.deepEqual([isRecoveryUnderWay(root), existsSync(join(root, 'archive'))], [false, false])
  for (const name of [origin, 'a b', 'a+b', '17', '', 'x'.repeat(201)]) {
    await assert.rejects(recoverLog(root, { reason: REASON, origin: name }), { code: 'config/malformed' })
  }
  await assert.rejects(recoverLog(root, { reason: '' }), { code: 'shape/bad-value' })
  await assert.rejects(recoverLog(root, { reason: 'a\u202eb' }), { code: 'shape/bad-value' })
  unchanged()
  rmSync(keyPaths(dataFolderAt(root).keys).log)
  await assert.rejects(recoverLog(root, { reason: REASON }), { code: 'config/missing-file' })
  rmSync(join(root, 'version'))
  await assert.rejects(recoverLog(root, { reason: REASON }), { code: 'data/damaged' })
  unchanged()
})

test('requests under way are named, erasures under way are finished, spend goes on', async () => {
  const { parent, root } = damaged()
  const { database: path, vaultKeys } = dataFolderAt(root)
  const database = new Database(path)
  const [receipt, keyId] = database
    .prepare(
      `SELECT substr(CAST(s.payload AS TEXT), instr(CAST(s.payload AS TEXT), '"receipt":"') + 11, 32), v.key_id
       FROM statements s JOIN vault v ON v.idx = s.idx ORDER BY s.idx LIMIT 1`,
    )
    .raw()
    .get() as [string, number]
  database.prepare('INSERT INTO pending_erasures VALUES (?, ?)').run(Buffer.from(receipt, 'hex'), 'requested')
  database.prepare(`INSERT INTO spend VALUES ('key', 'sum', '2026-11-28', 'EUR', 7, 1, 2, 3, 0)`).run()
  database.close()
  const intents = await IntentJournal.open(dataFolderAt(root).journal)
  const intent = { deployment: 'sum', manifest: '00'.repeat(32), model: 'sum', request: '00'.repeat(32) }
  const cited = { origin: 'example.org/log', size: 0, root: '00'.repeat(32) }
  // The first has its statement already: its slot was not cleared.
  for (const each of [receipt, 'ab'.repeat(16)]) {
    await intents.write({ ...intent, receipt: each, startedAtMs: 1, checkpoint: cited }).durable
  }
  await intents.close()
  const keys = new Database(vaultKeys)
  const hasKey = () => keys.prepare('SELECT 1 FROM keys WHERE id = ?').get(keyId) !== undefined
  assert.ok(hasKey())
  await recoverLog(root, { reason: REASON })
  assert.ok(!hasKey())
  keys.close()
  assert.deepEqual(successorIn(root).interrupted, ['ab'.repeat(16)])
  const after = openDatabaseReadOnly(path)
  assert.equal(after.prepare('SELECT sum(amount_micros) FROM spend').pluck().get(), 7)
  after.close()
  await assertGoesOn(parent, root)
})

test('the ended log is served as files', async () => {
  const { parent, root } = damaged(restoreOlder)
  const { oldOrigin } = await recoverLog(root, { reason: REASON })
  const gateway = await Gateway.start({ config: testConfig(parent), notices: quiet })
  try {
    const get = (path: string) => fetch(`${gateway.url}/log/archive/${path}`)
    const checkpoint = await get('1/checkpoint')
    assert.equal((await checkpoint.text()).split('\n')[0], oldOrigin)
    const tile = await get('1/tile/0/000')
    const file = readFileSync(join(archivedFolderAt(root, 1).log, 'tile', '0', '000'))
    assert.equal(toHex(new Uint8Array(await tile.arrayBuffer())), toHex(file))
    for (const path of [
      '2/checkpoint',
      '0/checkpoint',
      '1/tile/0/009',
      '01/checkpoint',
      'x/checkpoint',
      '1/tile/7/000',
    ]) {
      const reply = await get(path)
      assert.equal(reply.status, 404, path)
    }
    assert.equal((await get('1/tile/..%2f..%2fkeys')).status >= 400, true)
  } finally {
    await gateway.close()
  }
})
