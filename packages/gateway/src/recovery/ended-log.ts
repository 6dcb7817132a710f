/** Looks at a log that is to end, however damaged: who it is, its last head, which entries are still whole. Changes nothing. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Checkpoint,
  CountersignError,
  type Crypto,
  equalBytes,
  formatCheckpoint,
  formatLeaf,
  formatTilePath,
  type Hash,
  hashLeaf,
  openCheckpoint,
  parseNote,
  parseTile,
  type ReceiptId,
  TILE_WIDTH,
  tileWidth,
  toHex,
  utf8,
} from '@countersign/verify'
import type { DataFolder } from '../data/data-folder.ts'
import { keyPaths, type LogKey, loadLogKey } from '../data/keys.ts'
import { readIntents } from '../journal/intent-journal.ts'
import { CompactTree } from '../log/compact-tree.ts'
import { checkpointPath } from '../log/open-log.ts'
import { readCosignedHeads } from '../store/cosigned-heads.ts'
import { openDatabaseReadOnly, type Sqlite } from '../store/database.ts'
import { StatementReader } from '../store/statement-reader.ts'

/** A head of the log, and the note that it was signed in. */
export interface KnownHead extends Checkpoint {
  readonly note: string
}

/** All that can still be said of a log. */
export interface EndedLog {
  readonly origin: string
  readonly logKey: LogKey
  /** The largest head that was signed; a new one where that could be over all entries. */
  readonly head: KnownHead | undefined
  /** Whether `head` is new, and its tiles are still to be published. */
  readonly isFinalHeadNew: boolean
  readonly publishedSize: number
  readonly whole: { readonly size: number; readonly root: Hash }
  /** Entries that the database has, whole or not. */
  readonly entries: number
  readonly interrupted: readonly ReceiptId[]
  /** Keys of the vault whose erasure was under way. */
  readonly keysToDestroy: readonly number[]
}

/**
 * Looks at the log in `folder`, which no process has open. What cannot be read counts as not there.
 *
 * @throws {CountersignError} `data/damaged` when nothing says which log it was, `key/malformed` and `config/missing-file` when its
 *   key is not there
 */
export function inspectEndedLog(crypto: Crypto, folder: DataFolder): EndedLog {
  const database = attempt(() => openDatabaseReadOnly(folder.database))
  try {
    return inspect(crypto, folder, database)
  } finally {
    database?.close()
  }
}

function inspect(crypto: Crypto, folder: DataFolder, database: Sqlite | undefined): EndedLog {
  const publishedNote = attempt(() => readFileSync(checkpointPath(folder.log), 'utf8'))
  const origin = attempt(() => readOrigin(database)) ?? publishedNote?.split('\n')[0]
  if (origin === undefined || origin === '') {
    throw new CountersignError('data/damaged', 'neither database nor checkpoint says which log this was')
  }
  const logKey = loadLogKey(keyPaths(folder.keys).log, origin, false)
  const published = openHead(crypto, logKey, publishedNote)
  const notes = [attempt(() => readHeadNote(database)), ...(attempt(() => readCosignedNotes(database)) ?? [])]
  const heads = [published, ...notes.map((note) => openHead(crypto, logKey, note))].filter((each) => each !== undefined)
  const scan = scanEntries(crypto, database, heads)
  const whole = Math.min(scan.size, ...heads.map((head) => agreement(crypto, folder, database, heads, head, scan)))
  const last = heads.reduce<KnownHead | undefined>((a, b) => (a === undefined || b.size > a.size ? b : a), undefined)
  // Only where every head that was ever signed agrees with the entries can another one be signed over them.
  const canSign = whole === scan.size && scan.isComplete && whole > (last?.size ?? 0)
  const root = scanEntries(crypto, database, [], whole).root
  const final = canSign ? signHead(logKey, { origin, size: whole, root }) : undefined
  return {
    ...{ origin, logKey, head: final ?? last, isFinalHeadNew: final !== undefined },
    publishedSize: published?.size ?? 0,
    whole: { size: whole, root },
    entries: attempt(() => countEntries(database)) ?? scan.size,
    interrupted: findInterrupted(crypto, folder, database),
    keysToDestroy: attempt(() => findKeysToDestroy(crypto, database)) ?? [],
  }
}

/** What a damaged file throws is no error here: it is what is looked for. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function readOrigin(database: Sqlite | undefined): string | undefined {
  return database?.prepare(`SELECT value FROM meta WHERE name = 'origin'`).pluck().get() as string | undefined
}

function readHeadNote(database: Sqlite | undefined): string | undefined {
  return database?.prepare('SELECT note FROM head').pluck().get() as string | undefined
}

/** Witnesses have these, whatever became of the head that they were asked to cosign. */
function readCosignedNotes(database: Sqlite | undefined): readonly string[] | undefined {
  return database && readCosignedHeads(database).map(({ note }) => note)
}

function countEntries(database: Sqlite | undefined): number | undefined {
  return database?.prepare('SELECT count(*) FROM entries').pluck().get() as number | undefined
}

function openHead(crypto: Crypto, { note: key }: LogKey, note: string | undefined): KnownHead | undefined {
  if (note === undefined) return undefined
  return attempt(() => ({ ...openCheckpoint(crypto, parseNote(utf8(note)), key), note }))
}

function signHead(logKey: LogKey, head: Checkpoint): KnownHead {
  return { ...head, note: logKey.signNote(formatCheckpoint(head)) }
}

interface Scan {
  /** Entries from the first on that are the leaves of their statements. */
  readonly size: number
  readonly root: Hash
  /** Whether these are all there are. */
  readonly isComplete: boolean
  /** Roots of the sizes of the heads that were asked for, as far as there are entries. */
  readonly roots: ReadonlyMap<number, Hash>
}

const ROWS = `SELECT e.idx, e.leaf_hash, s.payload, s.signature, s.spki
  FROM entries e LEFT JOIN statements s ON s.idx = e.idx ORDER BY e.idx`

type Row = [number, Uint8Array, Uint8Array | null, Uint8Array, Uint8Array]

/** Reads entries until one is missing, is not the leaf of its statement, or cannot be read; at most `limit`. */
function scanEntries(
  crypto: Crypto,
  database: Sqlite | undefined,
  heads: readonly Checkpoint[],
  limit = Number.POSITIVE_INFINITY,
): Scan {
  const tree = new CompactTree(crypto)
  const roots = new Map<number, Hash>([[0, tree.root()]])
  const wanted = new Set(heads.map(({ size }) => size))
  const isComplete = attempt(() => {
    const rows = database?.prepare(ROWS).raw().iterate() ?? []
    for (const [index, leafHash, payload, signature, spki] of rows as Iterable<Row>) {
      if (tree.size >= limit) return false
      if (index !== tree.size || payload === null) return false
      const leaf = formatLeaf({ payloadHash: crypto.sha256(payload), signature, spki: new Uint8Array(spki) })
      if (!equalBytes(hashLeaf(crypto, leaf), leafHash)) return false
      tree.append(new Uint8Array(leafHash))
      if (wanted.has(tree.size)) roots.set(tree.size, tree.root())
    }
    return true
  })
  return { size: tree.size, root: tree.root(), isComplete: isComplete === true, roots }
}

/**
 * Up to which index the entries are those under `head`: to their end where they give its root. Else the published tiles say where
 * they part from it; where those cannot, up to the largest other head whose root the entries give.
 */
function agreement(
  crypto: Crypto,
  folder: DataFolder,
  database: Sqlite | undefined,
  heads: readonly Checkpoint[],
  head: Checkpoint,
  scan: Scan,
): number {
  const agrees = ({ size, root }: Checkpoint) => {
    const own = scan.roots.get(size)
    return own !== undefined && equalBytes(own, root)
  }
  if (agrees(head)) return scan.size
  const byTiles = attempt(() => firstDifference(crypto, folder, database, head, scan.size))
  return byTiles ?? Math.max(0, ...heads.filter(agrees).map(({ size }) => size))
}

/** The first entry that is not the leaf in the published tiles under `head`; throws where the tiles do not give that head. */
function firstDifference(
  crypto: Crypto,
  folder: DataFolder,
  database: Sqlite | undefined,
  head: Checkpoint,
  size: number,
): number {
  const tree = new CompactTree(crypto)
  const select = database?.prepare('SELECT leaf_hash FROM entries WHERE idx = ?').pluck()
  let same = 0
  for (let index = 0; tree.size < head.size; index++) {
    const width = tileWidth(0, index, head.size)
    for (const leaf of readLeaves(folder, index, width)) {
      if (same === tree.size && same < size) {
        const own = select?.get(same) as Uint8Array | undefined
        if (own !== undefined && equalBytes(own, leaf)) same++
      }
      tree.append(leaf)
    }
  }
  if (!equalBytes(tree.root(), head.root)) throw new CountersignError('log/fork', 'the tiles are not of this head')
  return same
}

/** The first `width` leaf hashes of a tile: from the partial tile of that width, or from the whole one. */
function readLeaves(folder: DataFolder, index: number, width: number): readonly Hash[] {
  const paths = [width, TILE_WIDTH].map((each) => join(folder.log, formatTilePath({ level: 0, index, width: each })))
  const path = paths.find((each) => existsSync(each))
  if (path === undefined) throw new CountersignError('data/damaged', 'a tile is missing')
  return parseTile(readFileSync(path)).slice(0, width)
}

function findInterrupted(crypto: Crypto, folder: DataFolder, database: Sqlite | undefined): readonly ReceiptId[] {
  const receipts = attempt(() => readIntents(folder.journal).map(({ receipt }) => receipt)) ?? []
  const reader = attempt(() => (database === undefined ? undefined : new StatementReader(crypto, database)))
  const isRecorded = (receipt: ReceiptId) => attempt(() => reader?.byReceipt(receipt)) !== undefined
  return [...new Set(receipts)].filter((receipt) => !isRecorded(receipt)).sort()
}

function findKeysToDestroy(crypto: Crypto, database: Sqlite | undefined): readonly number[] {
  if (database === undefined) return []
  const reader = new StatementReader(crypto, database)
  const receipts = database.prepare('SELECT receipt FROM pending_erasures').pluck().all() as Uint8Array[]
  const ofReceipts = receipts.flatMap((receipt) => {
    const row = reader.byReceipt(toHex(receipt))
    const vault = row && reader.vaultRow(row.index)
    return vault === undefined ? [] : [vault.keyId]
  })
  const ofSubjects = database.prepare('SELECT key_id FROM subject_erasures').pluck().all() as number[]
  return [...ofReceipts, ...ofSubjects]
}
