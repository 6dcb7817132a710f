/** A log in a folder of its own, without threads, for tests of its parts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Crypto, formatStatement, toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { type LogKey, loadLogKey, loadStatementKey, type StatementKey } from '../data/keys.ts'
import { openDatabase, type Sqlite } from '../store/database.ts'
import { CompactTree } from './compact-tree.ts'
import { openLog } from './open-log.ts'
import { type Draft, Sequencer } from './sequencer.ts'

export const TEST_ORIGIN = 'example.org/test-log'
export const TEST_TIME_MS = 1_790_000_000_000

export interface TestLog {
  readonly crypto: Crypto
  readonly folder: string
  readonly database: Sqlite
  readonly databasePath: string
  readonly logFolder: string
  readonly logKey: LogKey
  readonly statementKey: StatementKey
  readonly sequencer: Sequencer
}

/** A new, empty log; removed when the test is over. */
export function createTestLog(context: { after(done: () => void): void }): TestLog {
  const crypto = createNodeCrypto()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-log-'))
  const databasePath = join(folder, 'log.db')
  const database = openDatabase(databasePath)
  const logKey = loadLogKey(join(folder, 'log.pem'), TEST_ORIGIN, true)
  const statementKey = loadStatementKey(join(folder, 'statement.pem'), true)
  context.after(() => {
    database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const tree = new CompactTree(crypto)
  const sequencer = new Sequencer({ crypto, database, statementKey, logKey, tree, head: undefined })
  return { crypto, folder, database, databasePath, logFolder: join(folder, 'log'), logKey, statementKey, sequencer }
}

/** Another sequencer over the same database, as a restarted gateway has one. */
export function reopenSequencer({ crypto, database, statementKey, logKey, logFolder }: TestLog): Sequencer {
  const { tree, head } = openLog(crypto, database, logKey, logFolder)
  return new Sequencer({ crypto, database, statementKey, logKey, tree, head })
}

/** A statement of ours that says `text`. */
export function ownDraft(text: string): Draft {
  const payload = formatStatement({
    subjects: [{ name: text, digest: { sha256: '00'.repeat(32) } }],
    predicateType: 'urn:countersign:test/v1',
    predicate: {},
  })
  return { kind: 'own', type: 'model', name: text, payload }
}

/** As much of an answer as the sequencer and the eraser read. */
export function answerDraft(receiptByte: number, deployment = 'sum', vaultKeyId?: number): Draft {
  const receipt = new Uint8Array(16).fill(receiptByte)
  const beforeSequence = `{"predicate":{"receipt":"${toHex(receipt)}","sequence":`
  const vault = vaultKeyId === undefined ? null : { keyId: vaultKeyId, record: Uint8Array.of(1, 2, 3) }
  return { kind: 'inference', deployment, receipt, beforeSequence, afterSequence: '}}', vault }
}

/** Appends `count` small statements, in batches. */
export function appendMany({ sequencer }: TestLog, count: number): void {
  for (let done = 0; done < count; done += 256) {
    const drafts = Array.from({ length: Math.min(256, count - done) }, () => ownDraft(`model-${sequencer.size}`))
    sequencer.commit(drafts, TEST_TIME_MS)
  }
}

/** Number of rows of a table. */
export function countRows(database: Sqlite, table: string): number {
  return database.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number
}
