import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  formatLeaf,
  hashLeaf,
  openCheckpoint,
  openPromise,
  parseNote,
  preAuthEncoding,
  toHex,
  utf8,
  verifyP256,
} from '@countersign/verify'
import { loadStatementKey } from '../data/keys.ts'
import { openDatabase } from '../store/database.ts'
import {
  answerDraft,
  countRows,
  createTestLog,
  ownDraft,
  reopenSequencer,
  TEST_ORIGIN,
  TEST_TIME_MS,
  type TestLog,
} from './log.testing.ts'
import { PROMISE_SECONDS } from './sequencer.ts'

const TABLES = ['entries', 'statements', 'vault', 'sequences', 'head']

function counts({ database }: TestLog): readonly number[] {
  return TABLES.map((table) => countRows(database, table))
}

function sequencesIn({ database }: TestLog, deployment: string): readonly number[] {
  const payloads = database
    .prepare(`SELECT payload FROM statements WHERE kind = 'inference' AND name = ? ORDER BY idx`)
    .pluck()
    .all(deployment) as Uint8Array[]
  return payloads.map((payload) => JSON.parse(Buffer.from(payload).toString()).predicate.sequence)
}

test('a batch gets consecutive places, and a promise signed by the log for each', (context) => {
  const log = createTestLog(context)
  const committed = log.sequencer.commit([ownDraft('a'), answerDraft(7), ownDraft('b')], TEST_TIME_MS)
  assert.deepEqual(
    committed.map(({ index }) => index),
    [0, 1, 2],
  )
  for (const { index, digest, leafHash, promiseText } of committed) {
    const opened = openPromise(log.crypto, parseNote(utf8(log.logKey.signNote(promiseText))), log.logKey.note)
    assert.deepEqual(opened, {
      origin: TEST_ORIGIN,
      receipt: index === 1 ? '07'.repeat(16) : '00'.repeat(16),
      statement: toHex(digest),
      index,
      leafHash,
      coverBySeconds: TEST_TIME_MS / 1000 + PROMISE_SECONDS,
    })
  }
})

test('our statements are signed with the statement key, and the leaf is for that signature', (context) => {
  const log = createTestLog(context)
  const [committed] = log.sequencer.commit([ownDraft('a')], TEST_TIME_MS)
  const row = log.database.prepare('SELECT payload, signature, spki FROM statements').get() as {
    payload: Uint8Array
    signature: Uint8Array
    spki: Uint8Array
  }
  verifyP256(log.crypto, log.statementKey.spki, preAuthEncoding(row.payload), row.signature)
  const leaf = formatLeaf({ payloadHash: log.crypto.sha256(row.payload), signature: row.signature, spki: row.spki })
  assert.deepEqual(committed?.leafHash, hashLeaf(log.crypto, leaf))
})

test('a foreign statement keeps its own signature and key', (context) => {
  const log = createTestLog(context)
  const other = loadStatementKey(join(log.folder, 'other.pem'), true)
  const { payload } = ownDraft('a') as { payload: Uint8Array }
  const signature = other.sign(preAuthEncoding(payload))
  log.sequencer.commit(
    [{ kind: 'foreign', type: 'acceptance', name: 'sum', payload, signature, spki: other.spki }],
    TEST_TIME_MS,
  )
  const row = log.database.prepare('SELECT signature, spki FROM statements').raw().get() as Uint8Array[]
  assert.deepEqual(row.map(toHex), [toHex(signature), toHex(other.spki)])
})

test('sequence numbers count each deployment from 0 without gaps, across batches and restarts', (context) => {
  const log = createTestLog(context)
  log.sequencer.commit([answerDraft(1, 'sum'), answerDraft(2, 'other'), answerDraft(3, 'sum')], TEST_TIME_MS)
  log.sequencer.commit([ownDraft('a'), answerDraft(4, 'sum')], TEST_TIME_MS)
  log.sequencer.advanceHead(TEST_TIME_MS)
  const restarted = reopenSequencer(log)
  restarted.commit([answerDraft(5, 'other'), answerDraft(6, 'sum')], TEST_TIME_MS)
  assert.deepEqual(sequencesIn(log, 'sum'), [0, 1, 2, 3])
  assert.deepEqual(sequencesIn(log, 'other'), [0, 1])
})

test('a write that fails in the middle of a batch leaves nothing of it', (context) => {
  const log = createTestLog(context)
  log.sequencer.commit([ownDraft('first'), answerDraft(1, 'sum', 5)], TEST_TIME_MS)
  const before = counts(log)
  for (const table of ['entries', 'statements', 'vault', 'sequences']) {
    const when = table === 'sequences' ? 'NEW.next = 3' : 'NEW.idx = 4'
    for (const event of ['INSERT', 'UPDATE']) {
      log.database.exec(
        `CREATE TRIGGER planted_${event} BEFORE ${event} ON ${table} WHEN ${when} BEGIN SELECT RAISE(ABORT, 'planted'); END`,
      )
    }
    const batch = [ownDraft('a'), answerDraft(2, 'sum', 6), answerDraft(3, 'sum', 7), ownDraft('b')]
    assert.throws(() => log.sequencer.commit(batch, TEST_TIME_MS), { code: 'data/damaged' }, table)
    assert.deepEqual(counts(log), before, table)
    assert.equal(log.sequencer.size, 2)
    assert.equal(log.database.inTransaction, false)
    log.database.exec('DROP TRIGGER planted_INSERT; DROP TRIGGER planted_UPDATE')
  }
  const committed = log.sequencer.commit([answerDraft(2, 'sum', 6), answerDraft(3, 'sum', 7)], TEST_TIME_MS)
  assert.deepEqual(
    committed.map(({ index }) => index),
    [2, 3],
  )
  assert.deepEqual(sequencesIn(log, 'sum'), [0, 1, 2])
})

test('a full disk is told as such, leaves nothing of the batch, and is over when there is room again', (context) => {
  const log = createTestLog(context)
  log.sequencer.commit([ownDraft('first')], TEST_TIME_MS)
  const before = counts(log)
  const pages = log.database.pragma('page_count', { simple: true }) as number
  log.database.pragma(`max_page_count = ${pages}`)
  const large = Array.from({ length: 64 }, (_, i) => ownDraft('x'.repeat(200) + i))
  assert.throws(() => log.sequencer.commit(large, TEST_TIME_MS), { code: 'disk/full' })
  assert.deepEqual(counts(log), before)
  log.database.pragma(`max_page_count = ${pages + 10_000}`)
  assert.equal(log.sequencer.commit(large, TEST_TIME_MS).length, 64)
  reopenSequencer(log)
})

test('a database that is busy is an error of ours, and nothing is recorded', (context) => {
  const log = createTestLog(context)
  log.database.pragma('busy_timeout = 1')
  const other = openDatabase(log.databasePath)
  context.after(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  assert.throws(() => log.sequencer.commit([ownDraft('a')], TEST_TIME_MS), { name: 'CountersignError' })
  other.exec('ROLLBACK')
  assert.deepEqual(counts(log), [0, 0, 0, 0, 0])
})

test('a statement above the limit is refused, with all of its batch', (context) => {
  const log = createTestLog(context)
  const draft = {
    kind: 'own' as const,
    type: 'model' as const,
    name: 'large',
    payload: new Uint8Array(1024 * 1024 + 1),
  }
  assert.throws(() => log.sequencer.commit([answerDraft(1), draft], TEST_TIME_MS), { code: 'statement/too-large' })
  assert.deepEqual(counts(log), [0, 0, 0, 0, 0])
  log.sequencer.commit([answerDraft(2)], TEST_TIME_MS)
  assert.deepEqual(sequencesIn(log, 'sum'), [0])
})

test('a head covers all that is committed, once', (context) => {
  const log = createTestLog(context)
  assert.equal(log.sequencer.advanceHead(TEST_TIME_MS), undefined)
  log.sequencer.commit([ownDraft('a'), ownDraft('b')], TEST_TIME_MS)
  const head = log.sequencer.advanceHead(TEST_TIME_MS)
  const checkpoint = openCheckpoint(log.crypto, parseNote(utf8(head?.note ?? '')), log.logKey.note)
  assert.deepEqual([checkpoint.size, checkpoint.root], [2, head?.root])
  assert.equal(log.sequencer.advanceHead(TEST_TIME_MS), undefined)
})

test('a head that another process has moved is not overwritten', (context) => {
  const log = createTestLog(context)
  log.sequencer.commit([ownDraft('a')], TEST_TIME_MS)
  log.sequencer.advanceHead(TEST_TIME_MS)
  const other = reopenSequencer(log)
  other.commit([ownDraft('b')], TEST_TIME_MS)
  const theirs = other.advanceHead(TEST_TIME_MS)
  // Ours does not know of entry 1: the place is taken, and so is the head.
  assert.throws(() => log.sequencer.commit([ownDraft('c')], TEST_TIME_MS), { code: 'data/damaged' })
  log.database.prepare('DELETE FROM entries WHERE idx = 1').run()
  log.database.prepare('DELETE FROM statements WHERE idx = 1').run()
  log.sequencer.commit([ownDraft('c')], TEST_TIME_MS)
  assert.throws(() => log.sequencer.advanceHead(TEST_TIME_MS), { code: 'log/head-changed' })
  assert.equal(log.database.prepare('SELECT note FROM head').pluck().get(), theirs?.note)
})

test('a first head that another process has set is not overwritten', (context) => {
  const log = createTestLog(context)
  log.sequencer.commit([ownDraft('a')], TEST_TIME_MS)
  const other = reopenSequencer(log)
  const theirs = other.advanceHead(TEST_TIME_MS)
  assert.throws(() => log.sequencer.advanceHead(TEST_TIME_MS + 1), { code: 'log/head-changed' })
  assert.equal(log.database.prepare('SELECT note FROM head').pluck().get(), theirs?.note)
})

test('sums of spend end at a bound: nothing that an upstream says of its usage keeps a batch from the log', (context) => {
  const log = createTestLog(context)
  const charge = { keyId: 'k', day: '2027-01-01', currency: 'EUR', isUsageUnknown: false }
  const max = Number.MAX_SAFE_INTEGER
  const draft = (count: number) => {
    const each = {
      ...answerDraft(1),
      charge: { ...charge, amountMicros: count, inputTokens: count, outputTokens: count },
    }
    return each as ReturnType<typeof answerDraft>
  }
  const spent = log.database.prepare('SELECT amount_micros, requests, input_tokens, output_tokens FROM spend').raw()
  log.sequencer.commit([draft(max), draft(2)], TEST_TIME_MS)
  assert.deepEqual(spent.get(), [max, 2, max, max])
  for (let i = 0; i < 1100; i++) log.sequencer.commit([draft(max)], TEST_TIME_MS)
  log.sequencer.commit([draft(2 ** 62), draft(Number.POSITIVE_INFINITY), draft(0.5)], TEST_TIME_MS)
  assert.deepEqual(spent.get(), [max, 1105, max, max])
})

test('the first answer to an idempotency key is known until its time, and goes with the first answer after it', (context) => {
  const log = createTestLog(context)
  const answer = (receipt: number, expiresAtMs: number) => {
    const row = { scope: new Uint8Array(32).fill(receipt), request: new Uint8Array(32), status: 200 }
    return { ...answerDraft(receipt), first: { ...row, contentType: 'application/json', expiresAtMs } }
  }
  const known = () => countRows(log.database, 'first_answers')
  log.sequencer.commit([answer(1, TEST_TIME_MS + 1000)], TEST_TIME_MS)
  log.sequencer.commit([answer(2, TEST_TIME_MS + 90_000)], TEST_TIME_MS + 1000)
  assert.equal(known(), 2)
  log.sequencer.commit([answer(3, TEST_TIME_MS + 90_000)], TEST_TIME_MS + 1001)
  assert.equal(known(), 2)
})
