/** The lookup beside the store: that it leads to every statement that it says it covers. */
import { existsSync } from 'node:fs'
import type { Fsck } from './fsck-findings.ts'

const MISSING = {
  digest: `SELECT count(*) FROM statements s WHERE s.idx < (SELECT size FROM lookup.covered)
    AND NOT EXISTS (SELECT 1 FROM lookup.digests d WHERE d.prefix = s.digest_prefix AND d.idx = s.idx)`,
  receipt: `SELECT count(*) FROM statements s WHERE s.idx < (SELECT size FROM lookup.covered)
    AND s.receipt_prefix IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM lookup.receipts r WHERE r.prefix = s.receipt_prefix AND r.idx = s.idx)`,
}

const IS_OF_THIS_STORE = `SELECT 1 FROM lookup.covered WHERE epoch = (SELECT value FROM meta WHERE name = 'epoch')`

/** Where there is none, or one of another store, the next start makes it; what it lacks behind its end, too. */
export function checkLookup({ folder, database, findings }: Fsck): void {
  if (!existsSync(folder.lookup)) return
  database.prepare('ATTACH ? AS lookup').run(folder.lookup)
  try {
    if (database.prepare(IS_OF_THIS_STORE).get() === undefined) return
    for (const [what, sql] of Object.entries(MISSING)) {
      const count = database.prepare(sql).pluck().get() as number
      if (count > 0) {
        const mend = 'delete store/lookup.db; the next start makes it again'
        findings.error('lookup', `${count} statements are not looked up by ${what}: ${mend}`)
      }
    }
  } finally {
    database.exec('DETACH lookup')
  }
}
