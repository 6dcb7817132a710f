import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { toHex } from '@countersign/verify'
import fc from 'fast-check'
import { answerDraft, createTestLog, ownDraft, TEST_TIME_MS, type TestLog } from '../log/log.testing.ts'
import { openDatabase } from './database.ts'
import { LookupReader, LookupWriter } from './lookup.ts'
import { StatementReader } from './statement-reader.ts'

interface Scene extends TestLog {
  readonly lookup: string
  open(): LookupWriter
  reader(): StatementReader
}

function createScene(context: TestContext, epoch = 'e1'): Scene {
  const log = createTestLog(context)
  log.database.prepare(`INSERT INTO meta VALUES ('epoch', ?)`).run(epoch)
  const lookup = join(log.folder, 'lookup.db')
  return {
    ...log,
    lookup,
    open() {
      const writer = new LookupWriter(lookup, log.databasePath)
      context.after(() => writer.close())
      return writer
    },
    reader() {
      const reader = new LookupReader(lookup)
      context.after(() => reader.close())
      return new StatementReader(log.crypto, log.database, reader)
    },
  }
}

const receiptOf = (byte: number) => toHex(new Uint8Array(16).fill(byte))

/** Every statement is found by its digest, every answer by its receipt, and nothing else is. */
function assertAllFound({ database, crypto }: TestLog, reader: StatementReader, answers: readonly number[]): void {
  const payloads = database.prepare('SELECT payload FROM statements ORDER BY idx').pluck().all() as Uint8Array[]
  for (const [index, payload] of payloads.entries()) {
    assert.equal(reader.byDigest(toHex(crypto.sha256(payload)))?.index, index)
  }
  for (const byte of answers) assert.ok(reader.byReceipt(receiptOf(byte)), `answer ${byte}`)
  assert.equal(reader.byReceipt(receiptOf(255)), undefined)
  assert.equal(reader.byDigest('00'.repeat(32)), undefined)
}

test('a statement is found before and after the lookup reaches it, whenever that is brought up to date', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('answer', 'own', 'advance'), { maxLength: 30 }), (steps) => {
      const cleanups: (() => void)[] = []
      const once = { after: (done: () => void) => cleanups.unshift(done) } as unknown as TestContext
      const scene = createScene(once)
      const writer = scene.open()
      const reader = scene.reader()
      const answers: number[] = []
      try {
        for (const [i, step] of steps.entries()) {
          if (step === 'advance') writer.advance()
          else if (step === 'own') scene.sequencer.commit([ownDraft(`model-${i}`)], TEST_TIME_MS)
          else {
            scene.sequencer.commit([answerDraft(i)], TEST_TIME_MS)
            answers.push(i)
          }
        }
        assertAllFound(scene, reader, answers)
      } finally {
        for (const cleanup of cleanups) cleanup()
      }
    }),
    { numRuns: 15 },
  )
})

test('digests that begin alike are told apart', (context) => {
  const scene = createScene(context)
  scene.sequencer.commit([answerDraft(1), answerDraft(2)], TEST_TIME_MS)
  scene.database.exec('UPDATE statements SET receipt_prefix = (SELECT receipt_prefix FROM statements WHERE idx = 0)')
  scene.database.exec('UPDATE statements SET digest_prefix = (SELECT digest_prefix FROM statements WHERE idx = 0)')
  const writer = scene.open()
  for (const isCovered of [false, true]) {
    if (isCovered) writer.advance()
    const reader = scene.reader()
    assert.equal(reader.byReceipt(receiptOf(1))?.index, 0)
    assert.equal(reader.byReceipt(receiptOf(2)), undefined, 'its prefix is another one')
  }
})

test('a lookup that is damaged, of another store, or ahead of its store is made anew', (context) => {
  const scene = createScene(context)
  scene.sequencer.commit([answerDraft(1), answerDraft(2), answerDraft(3)], TEST_TIME_MS)
  const spoil: { readonly [name: string]: () => void } = {
    'no file': () => rmSync(scene.lookup, { force: true }),
    'random bytes': () => writeFileSync(scene.lookup, Buffer.alloc(8192, 7)),
    'another epoch': () => scene.database.exec(`UPDATE meta SET value = 'e2' WHERE name = 'epoch'`),
    'an older store': () => scene.database.exec('DELETE FROM statements WHERE idx = 2'),
  }
  for (const [name, act] of Object.entries(spoil)) {
    const before = new LookupWriter(scene.lookup, scene.databasePath)
    before.advance()
    before.close()
    act()
    const writer = new LookupWriter(scene.lookup, scene.databasePath)
    writer.advance()
    writer.close()
    const reader = new LookupReader(scene.lookup)
    const count = scene.database.prepare('SELECT count(*) FROM statements').pluck().get()
    assert.equal(reader.find('digest', 0n).size, count, name)
    assertAllFound(scene, new StatementReader(scene.crypto, scene.database, reader), [1, 2])
    reader.close()
  }
})

test('many statements are taken over in several transactions', (context) => {
  const scene = createScene(context)
  for (let i = 0; i < 40; i++) scene.sequencer.commit([answerDraft(i)], TEST_TIME_MS)
  scene.open().advance(7)
  assertAllFound(
    scene,
    scene.reader(),
    Array.from({ length: 40 }, (_, i) => i),
  )
})

test('the second version of the database keeps what it has, and is found by the new lookup', (context) => {
  const scene = createScene(context)
  scene.sequencer.commit([answerDraft(1), answerDraft(2)], TEST_TIME_MS)
  scene.database.exec(`DROP TABLE cosigned_heads;
    DROP TABLE cited_heads;
    DROP INDEX statements_recent;
    CREATE INDEX statements_digest ON statements (digest_prefix);
    CREATE INDEX statements_receipt ON statements (receipt_prefix) WHERE receipt_prefix IS NOT NULL`)
  scene.database.pragma('user_version = 2')
  openDatabase(scene.databasePath).close()
  scene.open().advance()
  assertAllFound(scene, scene.reader(), [1, 2])
})
