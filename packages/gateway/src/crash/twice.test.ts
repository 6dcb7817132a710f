import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { dataFolderAt } from '../data/data-folder.ts'
import { JOURNAL_SLOTS, readIntents } from '../journal/intent-journal.ts'
import { checkLog } from '../log/fsck.ts'
import { startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { openDatabaseReadOnly } from '../store/database.ts'
import { startGatewayProcess } from './gateway-process.testing.ts'
import { ask, createLedger } from './ledger.testing.ts'
import { chatQuestion } from './question.testing.ts'

const WAIT_MS = 5000

/** Receipts of the answers that are recorded as interrupted. */
function interruptedIn(dataRoot: string): readonly string[] {
  const database = openDatabaseReadOnly(dataFolderAt(dataRoot).database)
  try {
    const payloads = database.prepare(`SELECT payload FROM statements WHERE kind = 'inference'`).pluck().all()
    return payloads.map((payload) => {
      const { predicate } = JSON.parse(String(payload)) as {
        predicate: { receipt: string; finish: { reason: string } }
      }
      assert.equal(predicate.finish.reason, 'interrupted')
      return predicate.receipt
    })
  } finally {
    database.close()
  }
}

test('an intent that stands twice in the journal is recorded once, also when the start is cut short', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-twice-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const upstream = await startMockUpstream({ isRecording: false })
  t.after(() => upstream.close())
  const dataRoot = join(folder, 'data')
  const { journal } = dataFolderAt(dataRoot)
  const start = () => startGatewayProcess(dataRoot, { upstreamUrl: upstream.url })

  const first = start()
  const url = await first.ready
  assert.ok(url, first.complaints.join())
  const asked = ask(url, createLedger(), chatQuestion('mock-held', 'stream', 1))
  const end = Date.now() + WAIT_MS
  while (readIntents(journal).length < 1 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
  await first.kill()
  assert.equal(await asked, false)
  repeatIntent(journal)
  const receipts = readIntents(journal).map(({ receipt }) => receipt)
  assert.equal(receipts.length, 2)
  assert.equal(receipts[0], receipts[1])

  const second = start()
  assert.ok(await second.ready, second.complaints.join())
  await second.kill()
  assert.deepEqual(interruptedIn(dataRoot), [receipts[0]])
  const third = start()
  assert.ok(await third.ready, third.complaints.join())
  await third.close()
  assert.deepEqual(interruptedIn(dataRoot), [receipts[0]])
  assert.deepEqual(checkLog(dataRoot).findings, [])
})

/** Writes the one intent of a journal into another slot as well. */
function repeatIntent(journal: string): void {
  const bytes = readFileSync(journal)
  const slotBytes = bytes.length / JOURNAL_SLOTS
  const at = bytes.indexOf('CSI1')
  bytes.copyWithin((at + 7 * slotBytes) % bytes.length, at, at + slotBytes)
  writeFileSync(journal, bytes)
}
