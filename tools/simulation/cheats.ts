/** What dishonest operators do to their own data, while the gateway is stopped. They have every key. */
import { cpSync, renameSync, rmSync } from 'node:fs'
import { dataFolderAt, keyPaths, loadStatementKey } from '@countersign/gateway'
import { COMMITMENT_ALGORITHM, formatLeaf, hashLeaf, parseStatement, preAuthEncoding } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { checkpointPath } from '../../packages/gateway/dist/log/open-log.js'
import { indexPrefix, openDatabase, type Sqlite } from '../../packages/gateway/dist/store/database.js'

const crypto = createNodeCrypto()

/** A copy of the data as it is now. */
export function copyData(dataRoot: string): string {
  const copy = `${dataRoot}-copy`
  cpSync(dataRoot, copy, { recursive: true })
  return copy
}

/** Puts an older copy in the place of the data: what was recorded since never was. */
export function putBack(dataRoot: string, copy: string): void {
  rmSync(dataRoot, { recursive: true })
  renameSync(copy, dataRoot)
}

/**
 * Replaces the answer at that index by another one: in its statement, which is signed again, in its leaf and so in every
 * head that is signed from then on. Takes away whatever would remind the gateway of what it had signed before.
 */
export function rewriteAnswer(dataRoot: string, index: number): void {
  const folder = dataFolderAt(dataRoot)
  const database = openDatabase(folder.database)
  try {
    replaceStatement(database, loadStatementKey(keyPaths(folder.keys).statement, false), index)
    database.exec('DELETE FROM head; DELETE FROM cosigned_heads')
  } finally {
    database.close()
  }
  rmSync(folder.lookup, { force: true })
  rmSync(checkpointPath(folder.log), { force: true })
  rmSync(`${folder.log}/tile`, { recursive: true, force: true })
}

function replaceStatement(database: Sqlite, key: ReturnType<typeof loadStatementKey>, index: number): void {
  const old = database.prepare('SELECT payload FROM statements WHERE idx = ?').pluck().get(index) as Uint8Array
  const subject = parseStatement(new Uint8Array(old)).subjects.find(({ name }) => name === 'response-delivered')
  const committed = subject?.digest[COMMITMENT_ALGORITHM]
  if (committed === undefined) throw new Error(`entry ${index} is no answer`)
  const payload = Buffer.from(String(old).replaceAll(committed, 'c0ffee'.padEnd(64, '0')))
  const signature = key.sign(preAuthEncoding(payload))
  const digest = crypto.sha256(payload)
  const leaf = hashLeaf(crypto, formatLeaf({ payloadHash: digest, signature, spki: key.spki }))
  const change = database.prepare('UPDATE statements SET payload = ?, signature = ?, digest_prefix = ? WHERE idx = ?')
  change.run(payload, signature, indexPrefix(digest), index)
  database.prepare('UPDATE entries SET leaf_hash = ? WHERE idx = ?').run(leaf, index)
}
