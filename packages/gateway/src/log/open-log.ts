/** Opens a log: rebuilds its tree from the entries and refuses to go on where heads and entries disagree. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Checkpoint,
  CountersignError,
  type Crypto,
  equalBytes,
  type Hash,
  openCheckpoint,
  parseNote,
  utf8,
} from '@countersign/verify'
import type { LogKey } from '../data/keys.ts'
import { type CosignedRow, readCosignedHeads } from '../store/cosigned-heads.ts'
import type { Sqlite } from '../store/database.ts'
import { CompactTree } from './compact-tree.ts'
import type { SignedHead } from './sequencer.ts'

/** A log whose entries, head and published checkpoint agree. */
export interface OpenedLog {
  readonly tree: CompactTree
  readonly head: SignedHead | undefined
  readonly published: Checkpoint | undefined
}

const WHAT_TO_DO =
  'The data is left as it is. If the database was restored from a backup, put back the newer one; a log never goes back. Where there is none, end this log with "countersign log recover"'

/** Where the published checkpoint stands. */
export function checkpointPath(logFolder: string): string {
  return join(logFolder, 'checkpoint')
}

/**
 * Rebuilds the tree and compares it with the signed head and with what was published. Changes nothing.
 *
 * @throws {CountersignError} `log/fork`, `log/head-behind-published`, `data/damaged`
 */
export function openLog(crypto: Crypto, database: Sqlite, logKey: LogKey, logFolder: string): OpenedLog {
  const head = readHead(crypto, database, logKey)
  const published = readPublished(crypto, logKey, logFolder)
  const tree = new CompactTree(crypto)
  const roots = new Map<number, Hash>([[0, tree.root()]])
  const cosigned = readCosignedHeads(database)
  const wanted = new Set([head?.size, published?.size, ...cosigned.map(({ size }) => size)])
  const rows = database.prepare('SELECT idx, leaf_hash FROM entries ORDER BY idx').raw().iterate()
  for (const row of rows as IterableIterator<[number, Uint8Array]>) {
    if (row[0] !== tree.size) throw damaged(`entry ${tree.size} is missing`)
    tree.append(new Uint8Array(row[1]))
    if (wanted.has(tree.size)) roots.set(tree.size, tree.root())
  }
  if (head !== undefined) {
    const root = roots.get(head.size)
    if (root === undefined) throw damaged(`the head has ${head.size} entries, the database ${tree.size}`)
    if (!equalBytes(root, head.root))
      throw new CountersignError('log/fork', `the entries do not give the signed root. ${WHAT_TO_DO}.`)
  }
  if (published !== undefined) checkPublished(published, head, roots)
  for (const each of cosigned) checkCosigned(each, head, roots)
  return { tree, head, published }
}

function checkPublished(published: Checkpoint, head: SignedHead | undefined, roots: ReadonlyMap<number, Hash>): void {
  if (published.size > (head?.size ?? 0)) {
    throw new CountersignError(
      'log/head-behind-published',
      `a checkpoint of ${published.size} entries was published, the database has a head of ${head?.size ?? 0}. ${WHAT_TO_DO}.`,
    )
  }
  const root = roots.get(published.size)
  if (root === undefined || !equalBytes(root, published.root)) {
    throw new CountersignError(
      'log/fork',
      `the published checkpoint has another root than the entries give. ${WHAT_TO_DO}.`,
    )
  }
}

/** What witnesses have cosigned is never rolled back. */
function checkCosigned({ size, root }: CosignedRow, head: SignedHead | undefined, roots: ReadonlyMap<number, Hash>) {
  const known = size <= (head?.size ?? 0) ? roots.get(size) : undefined
  if (known !== undefined && equalBytes(known, root)) return
  throw new CountersignError('log/fork', `witnesses have cosigned another head of ${size} entries. ${WHAT_TO_DO}.`)
}

interface HeadRow {
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly time_ms: number
}

/**
 * The head in the database; its signature is checked.
 *
 * @throws {CountersignError} `data/damaged`
 */
function readHead(crypto: Crypto, database: Sqlite, logKey: LogKey): SignedHead | undefined {
  const row = database.prepare('SELECT size, root, note, time_ms FROM head').get() as HeadRow | undefined
  if (row === undefined) return undefined
  const signed = openSigned(crypto, logKey, utf8(row.note), 'the head in the database')
  if (signed.size !== row.size || !equalBytes(signed.root, row.root))
    throw damaged('the head is not the one that was signed')
  return { size: row.size, root: signed.root, note: row.note, timeMs: row.time_ms }
}

function readPublished(crypto: Crypto, logKey: LogKey, logFolder: string): Checkpoint | undefined {
  const path = checkpointPath(logFolder)
  if (!existsSync(path)) return undefined
  return openSigned(crypto, logKey, readFileSync(path), 'the published checkpoint')
}

function openSigned(crypto: Crypto, logKey: LogKey, note: Uint8Array, what: string): Checkpoint {
  try {
    return openCheckpoint(crypto, parseNote(note), logKey.note)
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : ''
    throw damaged(`${what} does not check with the log's key: ${why}`)
  }
}

function damaged(why: string): CountersignError {
  return new CountersignError('data/damaged', `${why}. ${WHAT_TO_DO}.`)
}
