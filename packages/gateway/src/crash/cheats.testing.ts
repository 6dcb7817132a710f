/** What the checks must catch: a disk that lost something, and an operator with all keys who rewrites the past. */
import { existsSync, rmSync, truncateSync } from 'node:fs'
import { formatLeaf, hashLeaf, preAuthEncoding } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { keyPaths, loadStatementKey } from '../data/keys.ts'
import { createJournalFile } from '../journal/intent-journal.ts'
import { checkpointPath } from '../log/open-log.ts'
import { indexPrefix, openDatabase, type Sqlite } from '../store/database.ts'

export interface Cheat {
  readonly name: string
  /** Does it to the data of a gateway that was killed. */
  apply(dataRoot: string): void
  /** What a problem says that shows it. */
  readonly caught: RegExp
}

/** @spec SQLite file format §4.1 */
const WAL_HEADER_BYTES = 32

export const CHEATS: readonly Cheat[] = [
  {
    name: 'what is in the write-ahead log alone is cut off',
    apply(dataRoot) {
      const wal = `${dataFolderAt(dataRoot).database}-wal`
      if (!existsSync(wal)) throw new Error('the kill left no write-ahead log')
      truncateSync(wal, WAL_HEADER_BYTES)
    },
    caught: /^lost: |^cut short: |^broken promise: |does not start: refused (data\/damaged|log\/)/,
  },
  {
    name: 'the last answer is taken back',
    apply: (dataRoot) =>
      rewrite(dataRoot, (database, last) => {
        database.prepare('DELETE FROM entries WHERE idx = ?').run(last)
        database.prepare('DELETE FROM statements WHERE idx = ?').run(last)
        database.prepare('DELETE FROM vault WHERE idx = ?').run(last)
        database.prepare('UPDATE sequences SET next = next - 1').run()
      }),
    // The journal still knows the request, and the start records it as interrupted, in that place.
    caught: /^(lost|broken promise): entry \d+/,
  },
  {
    name: 'a statement is gone, and its entry is not',
    apply: (dataRoot) =>
      rewrite(dataRoot, (database, last) => database.prepare('DELETE FROM statements WHERE idx = ?').run(last)),
    // The journal still knows the request here too.
    caught: /^cut short: |^lost: receipt/,
  },
  {
    name: 'the journal of intents is emptied',
    apply: (dataRoot) => createJournalFile(dataFolderAt(dataRoot).journal),
    // Of the stream that broke off, it was all that there was.
    caught: /^lost: receipt [0-9a-f]{32} answers 404/,
  },
  {
    name: 'an answer is replaced by another, signed as well',
    apply: (dataRoot) =>
      rewrite(dataRoot, (database, last) => {
        const crypto = createNodeCrypto()
        const key = loadStatementKey(keyPaths(dataFolderAt(dataRoot).keys).statement, false)
        const old = database.prepare('SELECT payload FROM statements WHERE idx = ?').pluck().get(last)
        const payload = Buffer.from(String(old).replace(/"rows":1\b/, '"rows":2'))
        const signature = key.sign(preAuthEncoding(payload))
        const digest = crypto.sha256(payload)
        const leaf = hashLeaf(crypto, formatLeaf({ payloadHash: digest, signature, spki: key.spki }))
        const change = database.prepare(
          'UPDATE statements SET payload = ?, signature = ?, digest_prefix = ? WHERE idx = ?',
        )
        change.run(payload, signature, indexPrefix(digest), last)
        database.prepare('UPDATE entries SET leaf_hash = ? WHERE idx = ?').run(leaf, last)
      }),
    caught: /^broken promise: /,
  },
  {
    name: 'a head that was shown is not of the log any more',
    apply: (dataRoot) =>
      rewrite(dataRoot, (database) => {
        database.prepare('UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 1').run()
      }),
    caught: /^fork: /,
  },
]

/** Changes the database and forgets what was signed and published, as whoever holds the keys can. */
function rewrite(dataRoot: string, change: (database: Sqlite, last: number) => void): void {
  const folder = dataFolderAt(dataRoot)
  const database = openDatabase(folder.database)
  try {
    const last = database.prepare(`SELECT max(idx) FROM statements WHERE kind = 'inference'`).pluck().get()
    change(database, Number(last))
    database.prepare('DELETE FROM head').run()
  } finally {
    database.close()
  }
  rmSync(checkpointPath(folder.log), { force: true })
  rmSync(`${folder.log}/tile`, { recursive: true, force: true })
}
