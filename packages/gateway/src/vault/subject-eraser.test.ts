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
import { KeyStore, subjectTag } from './key-store.ts'
import { ERASURE_BATCH, SubjectEraser } from './subject-eraser.ts'

const WRAPPING_KEY = new Uint8Array(32)
const TAG = /* @__PURE__ */ subjectTag(WRAPPING_KEY, 'zoe.planted@example.org')
const OTHER_TAG = /* @__PURE__ */ subjectTag(WRAPPING_KEY, 'somebody.else@example.org')

/** Answers of the subject, and after them one of another and one of nobody in particular. */
const ANSWERS = ERASURE_BATCH + 3

interface Stage extends TestLog {
  readonly keys: KeyStore
  readonly statements: StatementReader
  readonly eraser: SubjectEraser
  readonly keyId: number
  readonly otherKeyId: number
}

const receiptOf = (i: number) => i.toString(16).padStart(2, '0').repeat(16)

function createStage(context: TestContext): Stage {
  const log = createTestLog(context)
  const keys = new KeyStore(join(log.folder, 'keys.db'), WRAPPING_KEY)
  context.after(() => keys.close())
  const [pooled] = keys.createPool(1)
  const [key, other] = keys.subjectKeys([TAG, OTHER_TAG])
  assert.ok(pooled !== undefined && key !== undefined && other !== undefined)
  const answers = Array.from({ length: ANSWERS }, (_, i) => answerDraft(i, 'sum', key.id))
  log.sequencer.commit(
    [...answers, answerDraft(ANSWERS, 'sum', other.id), answerDraft(ANSWERS + 1, 'sum', pooled.id)],
    TEST_TIME_MS,
  )
  const statements = new StatementReader(log.crypto, log.database)
  const eraser = new SubjectEraser(log.crypto, log.database, keys, log.sequencer)
  return { ...log, keys, statements, eraser, keyId: key.id, otherKeyId: other.id }
}

function eraseAll(eraser: SubjectEraser, keyId: number): number {
  let total = 0
  for (;;) {
    const erased = eraser.eraseSome(keyId, TEST_TIME_MS)
    total += erased
    if (erased < ERASURE_BATCH) return total
  }
}

function assertErased({ database, keys, statements, keyId, otherKeyId, crypto }: Stage): void {
  assert.equal(keys.find(keyId), undefined)
  assert.equal(keys.subjectKeyId(TAG), undefined)
  for (let i = 0; i < ANSWERS; i++) {
    assert.equal(statements.vaultRow(i), undefined)
    const erasures = statements.newest('erasure', receiptOf(i), 10)
    assert.equal(erasures.length, 1, `one statement of ${receiptOf(i)}`)
    const statement = parseStatement(erasures[0]?.payload ?? new Uint8Array())
    const { receipts, reason } = parseErasure(statement)
    assert.deepEqual([receipts, reason], [[receiptOf(i)], 'requested'])
    const answer = statements.byIndex(i)
    assert.equal(statement.subjects[0]?.digest.sha256, toHex(crypto.sha256(answer?.payload ?? new Uint8Array())))
  }
  assert.ok(keys.find(otherKeyId) !== undefined)
  for (const i of [ANSWERS, ANSWERS + 1]) {
    assert.ok(keys.find(statements.vaultRow(i)?.keyId ?? 0) !== undefined, 'others keep their content')
    assert.equal(statements.latest('erasure', receiptOf(i)), undefined)
  }
  assert.equal(countRows(database, 'vault'), 2)
}

test('destroys the key at once, and in batches every record under it; logs each; touches nobody else’s', (context) => {
  const stage = createStage(context)
  const { eraser, keys, keyId } = stage
  assert.equal(eraser.begin(TAG, 'requested'), keyId)
  assert.equal(eraser.isErased(keyId), true)
  assert.equal(eraser.isErased(stage.otherKeyId), false)
  assert.equal(eraser.eraseSome(keyId, TEST_TIME_MS), ERASURE_BATCH)
  assert.equal(keys.find(keyId), undefined, 'nothing opens what is still to be removed')
  assert.equal(eraser.eraseSome(keyId, TEST_TIME_MS), ANSWERS - ERASURE_BATCH)
  assertErased(stage)
  assert.equal(eraser.begin(TAG, 'requested'), undefined, 'a second time there is nothing')
  assert.equal(eraser.isErased(keyId), true, 'an answer under way may have the key still')
})

test('an answer that comes after the erasure is erased as well, for the same reason', (context) => {
  const stage = createStage(context)
  stage.eraser.begin(TAG, 'retention-ended')
  eraseAll(stage.eraser, stage.keyId)
  stage.sequencer.commit([answerDraft(0xee, 'sum', stage.keyId)], TEST_TIME_MS)
  assert.equal(eraseAll(stage.eraser, stage.keyId), 1)
  const { payload } = stage.statements.latest('erasure', receiptOf(0xee)) ?? {}
  assert.equal(parseErasure(parseStatement(payload ?? new Uint8Array())).reason, 'retention-ended')
})

test('one receipt of a subject is not erased alone, and that changes nothing', (context) => {
  const stage = createStage(context)
  const single = new Eraser(stage.crypto, stage.database, stage.keys, stage.sequencer)
  const size = stage.sequencer.size
  assert.throws(() => single.erase(receiptOf(1), 'requested', TEST_TIME_MS), { code: 'vault/subject-key' })
  assert.equal(stage.sequencer.size, size)
  assert.equal(countRows(stage.database, 'pending_erasures'), 0)
  assert.ok(stage.keys.find(stage.keyId) !== undefined)
  single.erase(receiptOf(ANSWERS + 1), 'requested', TEST_TIME_MS)
  stage.eraser.begin(TAG, 'requested')
  eraseAll(stage.eraser, stage.keyId)
  assert.throws(() => single.erase(receiptOf(1), 'requested', TEST_TIME_MS), { code: 'vault/erased' })
})

/** What an erasure does, step by step, as far as it came before the power was cut. */
const STEPS: readonly { readonly name: string; readonly perform: (stage: Stage) => void }[] = [
  { name: 'the note', perform: ({ eraser }) => eraser.begin(TAG, 'requested') },
  { name: 'the key', perform: ({ keys, keyId }) => keys.destroy([keyId]) },
  {
    name: 'the statements of a batch',
    perform: ({ sequencer, statements }) => {
      const drafts = Array.from({ length: ERASURE_BATCH }, (_, i) => {
        const receipt = receiptOf(i)
        const statement = toHex(statements.byIndex(i)?.digest ?? new Uint8Array())
        const payload = formatStatement(erasureStatement([{ receipt, statement }], 'requested', TEST_TIME_MS))
        return { kind: 'own' as const, type: 'erasure' as const, name: receipt, payload }
      })
      sequencer.commit(drafts, TEST_TIME_MS)
    },
  },
  { name: 'a batch', perform: ({ eraser, keyId }) => void eraser.eraseSome(keyId, TEST_TIME_MS) },
  { name: 'the last batch', perform: ({ eraser, keyId }) => void eraser.eraseSome(keyId, TEST_TIME_MS) },
]

for (const [i, { name }] of STEPS.entries()) {
  test(`an erasure that was cut off after ${name} is finished at the next start`, (context) => {
    const stage = createStage(context)
    for (const { perform } of STEPS.slice(0, i + 1)) perform(stage)
    const restarted = new SubjectEraser(stage.crypto, stage.database, stage.keys, reopenSequencer(stage))
    restarted.resume(TEST_TIME_MS)
    assertErased(stage)
    assert.equal(countRows(stage.database, 'subject_erasures'), 0)
    restarted.resume(TEST_TIME_MS + 1)
    assertErased(stage)
  })
}

test('an erasure that fails on the way is not forgotten, and the key goes first', (context) => {
  const stage = createStage(context)
  const { database, eraser, keys, keyId } = stage
  database.exec(`CREATE TRIGGER planted BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'planted'); END`)
  assert.equal(eraser.begin(TAG, 'requested'), keyId)
  assert.throws(() => eraser.eraseSome(keyId, TEST_TIME_MS), { code: 'data/damaged' })
  assert.equal(keys.find(keyId), undefined)
  assert.equal(countRows(database, 'vault'), ANSWERS + 2)
  database.exec('DROP TRIGGER planted')
  assert.equal(eraser.begin(TAG, 'operator-decision'), keyId, 'the same erasure, with its first reason')
  assert.equal(eraseAll(eraser, keyId), ANSWERS)
  assertErased(stage)
})

test('nothing to finish, nothing done', (context) => {
  const stage = createStage(context)
  const { size } = stage.sequencer
  stage.eraser.resume(TEST_TIME_MS)
  assert.equal(stage.sequencer.size, size)
  assert.ok(stage.keys.find(stage.keyId) !== undefined)
})
