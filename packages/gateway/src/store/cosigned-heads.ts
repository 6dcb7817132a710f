/** Heads that witnesses have cosigned: the newest for each quorum, the newest of all, and those that answers cite. */
import type { SignedHead } from '../log/sequencer.ts'
import type { Sqlite } from './database.ts'

/** A head by why it is kept: the name of a quorum, or `''` for the newest that anybody cosigned. */
export interface CosignedRow extends SignedHead {
  readonly quorum: string
}

/** A head that answers of a deployment cite, with the cosignatures that it had when the first of them did. */
export interface CitedRow {
  readonly deployment: string
  readonly size: number
  readonly note: string
}

interface Row {
  readonly quorum: string
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly time_ms: number
}

/** All that are kept. Nothing in them is checked. */
export function readCosignedHeads(database: Sqlite): readonly CosignedRow[] {
  const rows = database.prepare('SELECT quorum, size, root, note, time_ms FROM cosigned_heads').all() as Row[]
  return rows.map(({ quorum, size, root, note, time_ms }) => {
    return { quorum, size, root: new Uint8Array(root), note, timeMs: time_ms }
  })
}

/**
 * Keeps heads in one transaction. A row never goes back to a smaller size. Of a cited head the first note stays: a
 * cosignature that came after an answer says nothing of what was known before it.
 */
export function createCosignedHeadStore(
  database: Sqlite,
): (rows: readonly CosignedRow[], cited?: readonly CitedRow[]) => void {
  const keep = database.prepare(
    `INSERT INTO cosigned_heads (quorum, size, root, note, time_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (quorum) DO UPDATE SET
       size = excluded.size, root = excluded.root, note = excluded.note, time_ms = excluded.time_ms
     WHERE excluded.size >= size`,
  )
  const keepCited = database.prepare('INSERT OR IGNORE INTO cited_heads (deployment, size, note) VALUES (?, ?, ?)')
  return database.transaction((rows: readonly CosignedRow[], cited: readonly CitedRow[] = []) => {
    for (const { quorum, size, root, note, timeMs } of rows) keep.run(quorum, size, root, note, timeMs)
    for (const { deployment, size, note } of cited) keepCited.run(deployment, size, note)
  })
}
