/** Gateways that die while they erase a data subject, at each of the steps and anywhere: the next start finishes it. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import Database from 'better-sqlite3'
import { type GatewayProcess, startGatewayProcess } from '../crash/gateway-process.testing.ts'
import { dataFolderAt } from '../data/data-folder.ts'
import { keyPaths } from '../data/keys.ts'
import { checkLog } from '../log/fsck.ts'
import { openDatabaseReadOnly, type Sqlite } from '../store/database.ts'
import { StatementReader } from '../store/statement-reader.ts'
import { ERASURE_BATCH } from './subject-eraser.ts'

const SUBJECT = 'zoe.planted@example.org'
const OTHER = 'max.planted@example.org'

/** Answers of the subject: more than one batch. */
const ANSWERS = ERASURE_BATCH + 40
const OTHERS = 5
const AT_ONCE = 16

/** Columns of the credit model's one input. */
const FEATURES = 17

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

interface Stage {
  readonly dataRoot: string
  readonly url: string
  readonly gateway: GatewayProcess
  readonly receipts: readonly string[]
  readonly others: readonly string[]
}

async function ask(url: string, subject: string, salt: number): Promise<string> {
  const data = Array.from({ length: FEATURES }, (_, i) => (salt * (i + 3)) % 5)
  const body = JSON.stringify({ inputs: [{ name: 'application', datatype: 'FP32', shape: [1, FEATURES], data }] })
  const headers = { 'countersign-subject': subject }
  const reply = await fetch(`${url}/v2/models/credit/infer`, { method: 'POST', headers, body })
  assert.equal(reply.status, 200, await reply.text())
  return reply.headers.get('countersign-receipt') ?? ''
}

async function askOften(url: string, subject: string, count: number): Promise<readonly string[]> {
  const receipts: string[] = []
  for (let i = 0; i < count; i += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - i)
    receipts.push(...(await Promise.all(Array.from({ length: size }, (_, j) => ask(url, subject, i + j)))))
  }
  return receipts
}

function startErasure({ url, dataRoot }: Stage): Promise<number> {
  const token = readFileSync(keyPaths(dataFolderAt(dataRoot).keys).operatorToken, 'utf8').trim()
  const headers = { authorization: `Bearer ${token}`, 'countersign-subject': SUBJECT }
  // The gateway dies on the way: then there is no reply.
  return fetch(`${url}/subjects`, { method: 'DELETE', headers }).then(
    ({ status }) => status,
    () => 0,
  )
}

/** Data of a gateway that has answered, copied for each test. */
const answered = mkdtempSync(join(tmpdir(), 'countersign-subject-crash-'))
let receipts: readonly string[] = []
let others: readonly string[] = []

before(async () => {
  const gateway = startGatewayProcess(answered)
  const url = await gateway.ready
  assert.ok(url, gateway.complaints.join())
  receipts = await askOften(url, SUBJECT, ANSWERS)
  others = await askOften(url, OTHER, OTHERS)
  await gateway.close()
})

after(() => rmSync(answered, { recursive: true, force: true }))

async function createStage(dataRoot: string): Promise<Stage> {
  cpSync(answered, dataRoot, { recursive: true })
  const gateway = startGatewayProcess(dataRoot)
  const url = await gateway.ready
  assert.ok(url, gateway.complaints.join())
  return { dataRoot, url, gateway, receipts, others }
}

function read<T>(dataRoot: string, use: (database: Sqlite, statements: StatementReader) => T): T {
  const database = openDatabaseReadOnly(dataFolderAt(dataRoot).database)
  try {
    return use(database, new StatementReader(createNodeCrypto(), database))
  } finally {
    database.close()
  }
}

function countOf(dataRoot: string, sql: string): number {
  return read(dataRoot, (database) => database.prepare(sql).pluck().get() as number)
}

function execute(path: string, sql: string): void {
  const database = new Database(path)
  database.exec(sql)
  database.close()
}

/** How many receipts are erased, once each, with nothing left in the vault. */
function countErased({ dataRoot, receipts, others }: Stage): number {
  return read(dataRoot, (_, statements) => {
    const isKept = (receipt: string) => statements.vaultRow(statements.byReceipt(receipt)?.index ?? -1) !== undefined
    for (const receipt of others) {
      assert.ok(isKept(receipt))
      assert.equal(statements.latest('erasure', receipt), undefined)
    }
    const erased = receipts.filter((receipt) => {
      const { length } = statements.newest('erasure', receipt, 10)
      assert.equal(isKept(receipt), length === 0)
      assert.ok(length <= 1)
      return length === 1
    })
    return erased.length
  })
}

/** What the crash left has no damage in it, and after the next start there is nothing left to do. */
async function restart(stage: Stage): Promise<number> {
  const { dataRoot } = stage
  const errors = (wanted: 'error' | 'note') =>
    checkLog(dataRoot).findings.filter(({ check, severity }) => severity === wanted && check !== 'tile')
  assert.deepEqual(errors('error'), [])
  const again = startGatewayProcess(dataRoot)
  assert.ok(await again.ready, again.complaints.join())
  await again.close()
  assert.deepEqual([...errors('error'), ...errors('note')], [])
  assert.equal(countOf(dataRoot, 'SELECT count(*) FROM subject_erasures'), 0)
  return countErased(stage)
}

interface CrashPoint {
  readonly name: string
  /** What makes SQLite fail there, and the gateway end at once. */
  readonly trigger: (stage: Stage) => string
  /** What the crash must have left, to have come where it should. */
  readonly left: (dataRoot: string) => readonly [statements: number, rows: number]
}

const LAST = 'SELECT max(idx) FROM entries'
const ERASURES = `SELECT count(*) FROM statements WHERE kind = 'erasure'`
const ROWS = 'SELECT count(*) FROM vault'
const ALL = ANSWERS + OTHERS

const CRASH_POINTS: readonly CrashPoint[] = [
  {
    name: 'after the key is destroyed, before anything is logged',
    trigger: () => `BEFORE INSERT ON entries`,
    left: () => [0, ALL],
  },
  {
    name: 'after a batch is logged, before it is removed',
    trigger: () => `BEFORE DELETE ON vault`,
    left: () => [ERASURE_BATCH, ALL],
  },
  {
    name: 'between two batches',
    trigger: ({ dataRoot }) => `BEFORE INSERT ON entries WHEN NEW.idx > ${countOf(dataRoot, LAST) + ERASURE_BATCH}`,
    left: () => [ERASURE_BATCH, ALL - ERASURE_BATCH],
  },
]

for (const { name, trigger, left } of CRASH_POINTS) {
  test(`dies ${name}: the next start finishes it`, { timeout: 120_000 }, async (context) => {
    const dataRoot = temporaryFolder(context)
    const stage = await createStage(dataRoot)
    context.after(() => stage.gateway.kill())
    const { database } = dataFolderAt(dataRoot)
    execute(database, `CREATE TRIGGER planted ${trigger(stage)} BEGIN SELECT RAISE(ABORT, 'planted'); END`)
    await startErasure(stage)
    await stage.gateway.exited
    execute(database, 'DROP TRIGGER planted')
    assert.deepEqual([countOf(dataRoot, ERASURES), countOf(dataRoot, ROWS)], left(dataRoot), 'it died there')
    const notes = checkLog(dataRoot).findings.filter(
      ({ check, severity }) => check === 'erasure' && severity === 'note',
    )
    assert.equal(notes.length, 1)
    assert.equal(await restart(stage), ANSWERS)
  })
}

test('killed after the note, while the key is there still: the next start destroys it', {
  timeout: 120_000,
}, async (context) => {
  const dataRoot = temporaryFolder(context)
  const stage = await createStage(dataRoot)
  context.after(() => stage.gateway.kill())
  const lock = new Database(dataFolderAt(dataRoot).vaultKeys)
  lock.exec('BEGIN IMMEDIATE')
  const reply = startErasure(stage)
  const noted = () => countOf(dataRoot, 'SELECT count(*) FROM subject_erasures') === 1
  for (let i = 0; i < 300 && !noted(); i++) await sleep(10)
  assert.ok(noted())
  await stage.gateway.kill()
  assert.equal(await reply, 0)
  lock.exec('ROLLBACK')
  assert.equal(lock.prepare('SELECT count(*) FROM keys WHERE id < 0').pluck().get(), 2, 'the key is there still')
  lock.close()
  assert.equal(await restart(stage), ANSWERS)
})

test('killed at any moment, also while it starts: all of it is erased or nothing was', {
  timeout: 240_000,
}, async (context) => {
  for (const delayMs of [0, 12]) {
    const dataRoot = temporaryFolder(context)
    const stage = await createStage(dataRoot)
    context.after(() => stage.gateway.kill())
    const reply = startErasure(stage)
    await sleep(delayMs)
    await stage.gateway.kill()
    const starting = startGatewayProcess(dataRoot)
    await sleep(200 + 10 * delayMs)
    await starting.kill()
    const wasDone = (await reply) === 200
    const erased = await restart(stage)
    assert.ok(erased === ANSWERS || (erased === 0 && !wasDone), `${erased} of ${ANSWERS}`)
  }
})

function temporaryFolder(context: { after(done: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-subject-crash-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'data')
}
