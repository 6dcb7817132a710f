import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { type Intent, IntentJournal, JOURNAL_SLOTS, readIntents, type Slot } from './intent-journal.ts'

const SLOT_BYTES = 1024

function newPath(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-journal-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'intents')
}

function intent(number: number, changes: Partial<Intent> = {}): Intent {
  return {
    receipt: number.toString(16).padStart(32, '0'),
    deployment: 'sum',
    manifest: 'ab'.repeat(32),
    model: 'arithmetic',
    request: 'cd'.repeat(32),
    startedAtMs: 1_790_000_000_000 + number,
    checkpoint: { origin: 'example.org/log', size: number, root: 'ef'.repeat(32) },
    ...changes,
  }
}

function byReceipt(intents: readonly Intent[]): readonly Intent[] {
  return intents.toSorted((a, b) => (a.receipt < b.receipt ? -1 : 1))
}

test('there are no intents where there is no journal, or a new one', async (context) => {
  const path = newPath(context)
  assert.deepEqual(readIntents(path), [])
  const journal = await IntentJournal.open(path)
  await journal.close()
  assert.deepEqual(readIntents(path), [])
  assert.equal(statSync(path).size, JOURNAL_SLOTS * SLOT_BYTES)
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('what is durable is read again, while the journal is open and afterwards', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  const intents = Array.from({ length: 100 }, (_, i) => intent(i))
  await Promise.all(intents.map((each) => journal.write(each).durable))
  assert.deepEqual(byReceipt(readIntents(path)), intents)
  assert.equal(journal.inUse, 100)
  await journal.close()
  assert.deepEqual(byReceipt(readIntents(path)), intents)
})

test('opening it again empties it', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  await journal.write(intent(1)).durable
  await journal.close()
  await (await IntentJournal.open(path)).close()
  assert.deepEqual(readIntents(path), [])
})

test('closing waits for what was written', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  const written = journal.write(intent(1)).durable
  await journal.close()
  await written
  assert.deepEqual(readIntents(path), [intent(1)])
})

test('a torn slot is passed over, and the others are read', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  await Promise.all([0, 1, 2].map((i) => journal.write(intent(i)).durable))
  await journal.close()
  const whole = readFileSync(path)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fc.boolean(), (at, isCut) => {
      const torn = Buffer.from(whole)
      // Half a write: the rest is what was there before, or one byte went wrong.
      if (isCut) torn.fill(0, SLOT_BYTES + at, 2 * SLOT_BYTES)
      else torn[SLOT_BYTES + at] = (torn[SLOT_BYTES + at] ?? 0) ^ 0x20
      writeFileSync(path, torn)
      const receipts = readIntents(path).map(({ receipt }) => receipt)
      const isHarmless = torn.equals(whole) || at >= slotEnd(whole)
      assert.deepEqual(
        receipts,
        [0, ...(isHarmless ? [1] : []), 2].map((i) => intent(i).receipt),
      )
    }),
    { numRuns: 60 },
  )
})

/** Where the JSON of the second slot ends: what follows is padding. */
function slotEnd(file: Buffer): number {
  return 38 + file.readUInt16BE(SLOT_BYTES + 4)
}

test('random bytes are no intents', (context) => {
  const path = newPath(context)
  const noise = Buffer.alloc(JOURNAL_SLOTS * SLOT_BYTES)
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 60, maxLength: 60 }), (bytes) => {
      noise.set(Buffer.from('CSI1'), 0)
      noise.set(bytes, 4)
      writeFileSync(path, noise)
      assert.deepEqual(readIntents(path), [])
    }),
    { numRuns: 20 },
  )
})

test('a journal of the wrong length is refused', async (context) => {
  const path = newPath(context)
  await (await IntentJournal.open(path)).close()
  truncateSync(path, JOURNAL_SLOTS * SLOT_BYTES - 1)
  assert.throws(() => readIntents(path), { code: 'data/damaged' })
})

test('when all slots are taken the next is refused, and goes in once one is given back', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  const written = Array.from({ length: JOURNAL_SLOTS }, (_, i) => journal.write(intent(i)))
  assert.throws(() => journal.write(intent(JOURNAL_SLOTS)), { code: 'queue/full' })
  await Promise.all(written.map(({ durable }) => durable))
  assert.equal(readIntents(path).length, JOURNAL_SLOTS)
  journal.release(written[17]?.slot ?? 0)
  const { slot, durable } = journal.write(intent(JOURNAL_SLOTS))
  assert.equal(slot, 17)
  await durable
  await journal.close()
  const receipts = new Set(readIntents(path).map(({ receipt }) => receipt))
  assert.equal(receipts.has(intent(17).receipt), false)
  assert.equal(receipts.has(intent(JOURNAL_SLOTS).receipt), true)
  assert.equal(receipts.size, JOURNAL_SLOTS)
})

test('an intent that does not fit is refused, and takes no slot', async (context) => {
  const journal = await IntentJournal.open(newPath(context))
  assert.throws(() => journal.write(intent(1, { deployment: 'd'.repeat(1000) })), { code: 'request/malformed' })
  assert.equal(journal.inUse, 0)
  await journal.close()
})

test('every name of a model that a request may have is journaled, cut where there is no room for it', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  const names = ['m', '漢', '"', '\u{1f600}'].map((each) => each.repeat(256 / each.length))
  const longest = {
    deployment: 'd'.repeat(128),
    checkpoint: { origin: 'o'.repeat(256), size: 2 ** 53 - 1, root: 'ef'.repeat(32) },
  }
  await Promise.all(names.map((model, i) => journal.write(intent(i, { ...longest, model })).durable))
  await journal.write(intent(9, { model: names[0] as string })).durable
  await journal.close()
  const intents = byReceipt(readIntents(path))
  assert.equal(intents.length, 5)
  assert.deepEqual(intents[4], intent(9, { model: names[0] as string }))
  for (const [i, name] of names.entries()) {
    const { model } = intents[i] as Intent
    assert.ok(model.endsWith('…') && model.length > 30, model)
    assert.ok(name.startsWith(model.slice(0, -1)), model)
    assert.equal(Buffer.from(model).toString(), model)
  }
})

/** A slot whose checksum is right, whatever its text says. */
function slotWith(text: string): Buffer {
  const json = Buffer.from(text)
  const header = Buffer.from([0x43, 0x53, 0x49, 0x31, json.length >> 8, json.length & 0xff])
  return Buffer.concat([header, createHash('sha256').update(json).digest(), json], SLOT_BYTES)
}

test('no slot stops the start: a name that no statement takes is left out, what is no intent is passed over', async (context) => {
  const path = newPath(context)
  await (await IntentJournal.open(path)).close()
  const texts = [
    JSON.stringify(intent(1)),
    JSON.stringify(intent(2, { model: 'a\nb', deployment: 'not a name' })),
    JSON.stringify(intent(3, { model: '', checkpoint: { origin: '\u0000', size: 3, root: 'ef'.repeat(32) } })),
    JSON.stringify(intent(4, { receipt: 'zz' })),
    JSON.stringify(intent(5, { startedAtMs: 9e15 })),
    'no JSON',
    '[]',
  ]
  const file = readFileSync(path)
  for (const [i, text] of texts.entries()) slotWith(text).copy(file, i * SLOT_BYTES)
  writeFileSync(path, file)
  assert.deepEqual(byReceipt(readIntents(path)), [
    intent(1),
    intent(2, { model: 'unreadable', deployment: 'unreadable' }),
    intent(3, { model: 'unreadable', checkpoint: { origin: 'unreadable', size: 3, root: 'ef'.repeat(32) } }),
  ])
})

test('writes that are gathered in runs all get to their places, whatever was given back before', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  const held: { slot: Slot; intent: Intent }[] = []
  let next = 0
  const rounds = fc.sample(fc.tuple(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 0, max: 600 })), {
    numRuns: 12,
    seed: 7,
  })
  for (const [count, releases] of rounds) {
    const added = Array.from({ length: count }, () => {
      const each = intent(next++)
      return { each, ...journal.write(each) }
    })
    await Promise.all(added.map(({ durable }) => durable))
    held.push(...added.map(({ each, slot }) => ({ slot, intent: each })))
    for (const { slot } of held.splice(0, releases)) journal.release(slot)
  }
  assert.equal(journal.inUse, held.length)
  assert.equal(new Set(held.map(({ slot }) => slot)).size, held.length)
  await journal.close()
  const found = new Map(readIntents(path).map((each) => [each.receipt, each]))
  for (const { intent: each } of held) assert.deepEqual(found.get(each.receipt), each)
})

test('after a sync that failed nothing counts as durable any more, and nothing new is taken', async (context) => {
  let fails = false
  const journal = await IntentJournal.open(newPath(context), async (file) => {
    if (fails) throw new Error('EIO')
    await file.datasync()
  })
  await journal.write(intent(1)).durable
  const { durable } = journal.write(intent(2), false)
  await durable
  fails = true
  await assert.rejects(journal.write(intent(3)).durable, { code: 'data/damaged' })
  fails = false
  await assert.rejects(journal.sync(), { code: 'data/damaged' }, 'the kernel may have dropped what was not written')
  assert.throws(() => journal.write(intent(4)), { code: 'data/damaged' })
  await journal.close()
})

test('an intent that nobody wants synced is written a little later, or never when its answer is there first', async (context) => {
  const path = newPath(context)
  const journal = await IntentJournal.open(path)
  const quick = journal.write(intent(1), false)
  journal.write(intent(2), false)
  journal.release(quick.slot)
  assert.deepEqual(readIntents(path), [])
  const deadline = Date.now() + 10_000
  while (readIntents(path).length === 0 && Date.now() < deadline) await setTimeout(20)
  assert.deepEqual(readIntents(path), [intent(2)])
  journal.write(intent(3), false)
  await journal.write(intent(4)).durable
  assert.deepEqual(byReceipt(readIntents(path)), [intent(2), intent(3), intent(4)], 'a sync is of all that came before')
  journal.write(intent(5), false)
  await journal.close()
  assert.deepEqual(byReceipt(readIntents(path)), [intent(2), intent(3), intent(4), intent(5)])
})
