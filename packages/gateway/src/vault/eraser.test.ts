import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { erasureStatement, formatStatement, parseErasure, parseStatement, toHex } from '@countersign/verify'
import {
  answerDraft,
  countRows,
  createTestLog,
  reopenSequencer,
  TEST_TIME_MS,
  type TestLog,
} from '../log/log.testing.ts'
import { StatementReader } from '../store/statement-reader.ts'
import { Eraser } from './eraser.ts'
import { KeyStore } from './key-store.ts'

interface Stage extends TestLog {
  readonly keys: KeyStore
  readonly statements: StatementReader
  readonly eraser: Eraser
  readonly receipt: string
  readonly keyId: number
}

const OTHER = '02'.repeat(16)

/** Two answers whose content is kept; the first is to be erased. */
function createStage(context: TestContext): Stage {
  const log = createTestLog(context)
  const keys = new KeyStore(join(log.folder, 'keys.db'), new Uint8Array(32))
  context.after(() => keys.close())
  const [first, second] = keys.createPool(2)
  log.sequencer.commit([answerDraft(1, 'sum', first?.id), answerDraft(2, 'sum', second?.id)], TEST_TIME_MS)
  const eraser = new Eraser(log.crypto, log.database, keys, log.sequencer)
  const statements = new StatementReader(log.crypto, log.database)
  return { ...log, keys, statements, eraser, receipt: '01'.repeat(16), keyId: first?.id ?? 0 }
}

function assertErased({ crypto, database, keys, statements, receipt, keyId }: Stage): void {
  assert.equal(keys.find(keyId), undefined)
  assert.equal(statements.vaultRow(0), undefined)
  assert.equal(countRows(database, 'pending_erasures'), 0)
  const erasures = statements.newest('erasure', receipt, 10)
  assert.equal(erasures.length, 1)
  const statement = parseStatement(erasures[0]?.payload ?? new Uint8Array())
  assert.deepEqual(parseErasure(statement), { receipts: [receipt], reason: 'requested', erasedAtMs: TEST_TIME_MS })
  const answer = statements.byReceipt(receipt)
  assert.ok(answer !== undefined, 'the record stays')
  assert.equal(statement.subjects[0]?.digest.sha256, toHex(crypto.sha256(answer.payload)))
  assert.ok(keys.find(statements.vaultRow(1)?.keyId ?? 0) !== undefined, 'another receipt keeps its content')
}

test('destroys key and ciphertext, keeps the record, and logs that', (context) => {
  const stage = createStage(context)
  stage.eraser.erase(stage.receipt, 'requested', TEST_TIME_MS)
  assertErased(stage)
})

test('refuses what is not there, what is erased, and what was never kept', (context) => {
  const stage = createStage(context)
  stage.sequencer.commit([answerDraft(3)], TEST_TIME_MS)
  const size = stage.sequencer.size
  const erase = (receipt: string) => stage.eraser.erase(receipt, 'requested', TEST_TIME_MS)
  assert.throws(() => erase('09'.repeat(16)), { code: 'receipt/not-found' })
  assert.throws(() => erase('03'.repeat(16)), { code: 'vault/no-content' })
  assert.equal(stage.sequencer.size, size)
  erase(stage.receipt)
  assert.throws(() => erase(stage.receipt), { code: 'vault/erased' })
  assert.equal(stage.sequencer.size, size + 1)
  assert.equal(countRows(stage.database, 'pending_erasures'), 0)
})

/** What an erasure does, step by step, as far as it came before the power was cut. */
const STEPS: readonly { readonly name: string; readonly perform: (stage: Stage) => void }[] = [
  {
    name: 'the intention',
    perform: ({ database, receipt }) =>
      database
        .prepare('INSERT INTO pending_erasures (receipt, reason) VALUES (?, ?)')
        .run(Buffer.from(receipt, 'hex'), 'requested'),
  },
  { name: 'the key', perform: ({ keys, keyId }) => keys.destroy([keyId]) },
  {
    name: 'the statement',
    perform: ({ sequencer, statements, receipt }) => {
      const statement = toHex(statements.byReceipt(receipt)?.digest ?? new Uint8Array())
      const payload = formatStatement(erasureStatement([{ receipt, statement }], 'requested', TEST_TIME_MS))
      sequencer.commit([{ kind: 'own', type: 'erasure', name: receipt, payload }], TEST_TIME_MS)
    },
  },
]

for (const [i, { name }] of STEPS.entries()) {
  test(`an erasure that was cut off after ${name} is finished at the next start`, (context) => {
    const stage = createStage(context)
    for (const { perform } of STEPS.slice(0, i + 1)) perform(stage)
    const restarted = new Eraser(stage.crypto, stage.database, stage.keys, reopenSequencer(stage))
    restarted.resume(TEST_TIME_MS)
    assertErased(stage)
    restarted.resume(TEST_TIME_MS + 1)
    assertErased(stage)
  })
}

test('nothing to finish, nothing done', (context) => {
  const stage = createStage(context)
  stage.eraser.resume(TEST_TIME_MS)
  assert.equal(stage.sequencer.size, 2)
  assert.ok(stage.keys.find(stage.keyId) !== undefined)
  assert.ok(stage.statements.byReceipt(OTHER) !== undefined)
})

test('an erasure that fails on the way is not forgotten', (context) => {
  const stage = createStage(context)
  stage.database.exec(`CREATE TRIGGER planted BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'planted'); END`)
  assert.throws(() => stage.eraser.erase(stage.receipt, 'requested', TEST_TIME_MS), { code: 'data/damaged' })
  assert.equal(stage.keys.find(stage.keyId), undefined, 'the key goes first')
  assert.equal(countRows(stage.database, 'pending_erasures'), 1)
  stage.database.exec('DROP TRIGGER planted')
  stage.eraser.erase(stage.receipt, 'requested', TEST_TIME_MS)
  assertErased(stage)
})
