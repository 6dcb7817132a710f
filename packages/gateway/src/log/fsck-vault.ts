/** What is kept beside the log: vault rows and their keys, erasures under way, intents. */
import type { ReceiptId } from '@countersign/verify'
import { toHex } from '@countersign/verify'
import { readIntents } from '../journal/intent-journal.ts'
import { StatementReader } from '../store/statement-reader.ts'
import type { CheckedEntries } from './fsck-entries.ts'
import type { Fsck } from './fsck-findings.ts'

interface VaultRow {
  readonly idx: number
  readonly key_id: number
  readonly sealed: 0 | 1
}

/** Checks that every answer has what its deployment promised to keep, with its key, and that the erased have neither. */
export function checkVault(fsck: Fsck, { promised, erased }: CheckedEntries): void {
  const { database, vaultKeys, findings } = fsck
  const pending = pendingErasures(fsck)
  const hasKey = vaultKeys && findings.attempt('vault', 'the keys', () => vaultKeys.prepare(HAS_KEY).pluck())
  const kept = new Set<number>()
  for (const row of database.prepare(ROWS).iterate() as IterableIterator<VaultRow>) {
    kept.add(row.idx)
    const answer = promised.get(row.idx)
    const isPending = answer !== undefined && pending.has(answer.receipt)
    if (answer === undefined)
      findings.error('vault', `the vault keeps something for entry ${row.idx}, which is no answer`)
    else if (erased.has(answer.receipt) && !isPending) findings.error('erasure', `entry ${row.idx} is erased, but kept`)
    else if (answer.mode === 'content' && row.sealed === 0) findings.error('vault', `entry ${row.idx} has no content`)
    if (!isPending && hasKey !== undefined && hasKey.get(row.key_id) === undefined) {
      findings.error('vault', `the key of entry ${row.idx} is gone`)
    }
  }
  for (const [index, { receipt }] of promised) {
    if (!kept.has(index) && !erased.has(receipt)) findings.error('vault', `the vault has lost entry ${index}`)
  }
}

const ROWS = 'SELECT idx, key_id, record IS NOT NULL AS sealed FROM vault ORDER BY idx'
const HAS_KEY = 'SELECT 1 FROM keys WHERE id = ?'

function pendingErasures({ database, findings }: Fsck): ReadonlySet<ReceiptId> {
  const rows = database.prepare('SELECT receipt FROM pending_erasures').pluck().all() as Uint8Array[]
  const receipts = rows.map((row) => toHex(row))
  for (const receipt of receipts) {
    findings.note('erasure', `the erasure of ${receipt} was interrupted; the next start finishes it`)
  }
  return new Set(receipts)
}

/** Notes the requests that the next start will record as interrupted. */
export function checkIntents({ crypto, folder, database, findings }: Fsck): void {
  const statements = new StatementReader(crypto, database)
  for (const { receipt } of readIntents(folder.journal)) {
    if (statements.byReceipt(receipt) === undefined) {
      findings.note('journal', `request ${receipt} was interrupted; the next start records it`)
    }
  }
}
