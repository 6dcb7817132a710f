/** What is kept beside the log: vault rows and their keys, erasures under way, intents. */
import type { ReceiptId } from '@countersign/verify'
import { toHex } from '@countersign/verify'
import { readIntents } from '../journal/intent-journal.ts'
import type { Sqlite } from '../store/database.ts'
import { StatementReader } from '../store/statement-reader.ts'
import { isSubjectKey, KEY_STORE_VERSION } from '../vault/key-store.ts'
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
  const pendingKeys = pendingSubjectErasures(fsck)
  const hasKey = vaultKeys && findings.attempt('vault', 'the keys', () => vaultKeys.prepare(HAS_KEY).pluck())
  const kept = new Set<number>()
  const used = new Map<number, number>()
  for (const row of database.prepare(ROWS).iterate() as IterableIterator<VaultRow>) {
    kept.add(row.idx)
    const answer = promised.get(row.idx)
    const isPending = (answer !== undefined && pending.has(answer.receipt)) || pendingKeys.has(row.key_id)
    if (answer === undefined)
      findings.error('vault', `the vault keeps something for entry ${row.idx}, which is no answer`)
    else if (erased.has(answer.receipt) && !isPending) findings.error('erasure', `entry ${row.idx} is erased, but kept`)
    else if (answer.mode === 'content' && row.sealed === 0 && !isPending)
      findings.error('vault', `entry ${row.idx} has no content`)
    if (!isPending && hasKey !== undefined && hasKey.get(row.key_id) === undefined) {
      findings.error('vault', `the key of entry ${row.idx} is gone`)
    }
    if (isSubjectKey(row.key_id)) continue
    const other = used.get(row.key_id)
    if (other !== undefined) findings.error('vault', `entries ${other} and ${row.idx} share a key of no data subject`)
    used.set(row.key_id, row.idx)
  }
  for (const [index, { receipt }] of promised) {
    if (!kept.has(index) && !erased.has(receipt)) findings.error('vault', `the vault has lost entry ${index}`)
  }
  if (vaultKeys !== undefined) findings.attempt('vault', 'the keys', () => checkSubjects(fsck, vaultKeys, pendingKeys))
}

const ROWS = 'SELECT idx, key_id, record IS NOT NULL AS sealed FROM vault ORDER BY idx'
const HAS_KEY = 'SELECT 1 FROM keys WHERE id = ?'

/** A key that is shared and nobody's would be missed by the erasure of whom it was made for. */
function checkSubjects({ findings }: Fsck, vaultKeys: Sqlite, pending: ReadonlySet<number>): void {
  const version = Number(vaultKeys.pragma('user_version', { simple: true }))
  if (version !== KEY_STORE_VERSION) {
    // An older release did not number it; the next start brings it up to date.
    if (version !== 0) {
      findings.error('schema', `the store of keys has version ${version}, this release reads ${KEY_STORE_VERSION}`)
    }
    return
  }
  const list = (sql: string) => vaultKeys.prepare(sql).pluck().all() as number[]
  for (const id of list('SELECT id FROM keys WHERE id < 0 AND id NOT IN (SELECT key_id FROM subjects)')) {
    if (!pending.has(id)) findings.error('vault', `key ${id} is shared, and of no data subject`)
  }
  for (const id of list('SELECT key_id FROM subjects WHERE key_id NOT IN (SELECT id FROM keys)')) {
    if (!pending.has(id)) findings.error('vault', `key ${id} of a data subject is gone`)
  }
}

function pendingErasures({ database, findings }: Fsck): ReadonlySet<ReceiptId> {
  const rows = database.prepare('SELECT receipt FROM pending_erasures').pluck().all() as Uint8Array[]
  const receipts = rows.map((row) => toHex(row))
  for (const receipt of receipts) {
    findings.note('erasure', `the erasure of ${receipt} was interrupted; the next start finishes it`)
  }
  return new Set(receipts)
}

/** Notes of erasures that are complete stay until the next start; they are not worth a word. */
function pendingSubjectErasures({ database, vaultKeys, findings }: Fsck): ReadonlySet<number> {
  const noted = database.prepare('SELECT key_id FROM subject_erasures').pluck().all() as number[]
  const rows = database.prepare('SELECT count(*) FROM vault WHERE key_id = ? AND key_id < 0').pluck()
  const hasKey = vaultKeys && findings.attempt('vault', 'the keys', () => vaultKeys.prepare(HAS_KEY).pluck())
  for (const id of noted) {
    const left = rows.get(id) as number
    if (left > 0 || hasKey?.get(id) !== undefined) {
      findings.note('erasure', `the erasure of a data subject was interrupted with ${left} receipts to go`)
    }
  }
  return new Set(noted)
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
