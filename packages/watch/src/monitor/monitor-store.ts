/** What a monitor keeps: one SQLite file. What belongs together is committed together, and survives a kill at any instant. */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  type Crypto,
  emptyRoot,
  HASH_BYTES,
  type Json,
  PAYLOAD_LIMITS,
  parseJson,
  TILE_WIDTH,
  type TileName,
  toHex,
  utf8,
} from '@countersign/verify'
import Database from 'better-sqlite3'
import { makePrivateFile } from '../durable-file.ts'
import type { TileSource } from '../log-client/tile-proofs.ts'
import { MAX_KEPT_LEAF_TILES, MAX_SEEN_HEADS } from './limits.ts'
import { initialState, type MonitorState, type SignedHead } from './monitor-state.ts'
import { STATEMENT_TABLES } from './statement-table.ts'
import { TreeEdge } from './tree-edge.ts'

/** Version of the schema, kept in `user_version`. */
const SCHEMA_VERSION = 1
/** `CsMo`: tells the file from other SQLite databases. */
const APPLICATION_ID = 0x43734d6f

const SCHEMA = `
CREATE TABLE monitor (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  log_key TEXT NOT NULL,
  state TEXT NOT NULL,
  edge_size INTEGER NOT NULL,
  edge BLOB NOT NULL,
  progress_size INTEGER,
  progress BLOB
) STRICT;
CREATE TABLE heads (
  number INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  root TEXT NOT NULL,
  note TEXT NOT NULL,
  is_settled INTEGER NOT NULL,
  UNIQUE (size, root)
) STRICT;
CREATE TABLE tiles (
  level INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL) STRICT, WITHOUT ROWID;
${STATEMENT_TABLES}`

/** What it last knew. */
export interface KeptMonitor {
  readonly state: MonitorState
  /** The tree under the verified head. */
  readonly edge: TreeEdge
  /** How far entries beyond it were taken in, which no head has confirmed yet. */
  readonly progress: TreeEdge | undefined
}

/** State is JSON of at most this many bytes. */
const STATE_LIMITS = { maxBytes: 64 * 1024 * 1024, maxDepth: PAYLOAD_LIMITS.maxDepth }

export class MonitorStore implements TileSource {
  readonly database: Database.Database
  readonly #crypto: Crypto
  readonly #sql

  private constructor(crypto: Crypto, database: Database.Database) {
    this.#crypto = crypto
    this.database = database
    this.#sql = prepare(database)
  }

  /**
   * Opens the state in a folder, for one log, by one process; makes it where there is none.
   *
   * @throws {CountersignError} `data/locked`, `data/newer-version`, `data/damaged`; `usage/invalid` for another log's
   */
  static open(crypto: Crypto, folder: string, logKey: string): MonitorStore {
    guarded(() => mkdirSync(folder, { recursive: true, mode: 0o700 }))
    const path = join(folder, 'monitor.db')
    // Before SQLite does it: its other files get the mode of this one. Others may read the folder.
    guarded(() => makePrivateFile(path))
    const database = guarded(() => new Database(path, { timeout: 0 }))
    try {
      guarded(() => prepareFile(database))
      chmodSync(path, 0o600)
      const store = guarded(() => new MonitorStore(crypto, database))
      store.#begin(logKey)
      return store
    } catch (thrown) {
      database.close()
      throw thrown
    }
  }

  #begin(logKey: string): void {
    const row = this.#sql.read.get() as { log_key: string } | undefined
    if (row === undefined) {
      const state = JSON.stringify(initialState(toHex(emptyRoot(this.#crypto))))
      this.#sql.begin.run(logKey, state, new Uint8Array(0))
    } else if (row.log_key !== logKey) {
      throw new CountersignError(
        'usage/invalid',
        'this folder has the state of another log; give each log its own --state',
      )
    }
  }

  /** @throws {CountersignError} `data/damaged` */
  load(): KeptMonitor {
    return guarded(() => {
      const row = this.#sql.read.get() as KeptRow
      const edge = TreeEdge.parse(this.#crypto, row.edge_size, row.edge)
      const state = readState(row.state)
      if (state.verified.size !== edge.size || toHex(edge.root()) !== state.verified.root) {
        throw damaged('the kept tree is not the one under the kept head')
      }
      const { progress_size: size, progress: bytes } = row
      const progress = size === null || bytes === null ? undefined : TreeEdge.parse(this.#crypto, size, bytes)
      return { state, edge, progress }
    })
  }

  /** Does all of it or nothing. */
  transaction(work: () => void): void {
    guarded(() => this.database.transaction(work).immediate())
  }

  saveState(state: MonitorState): void {
    this.#sql.saveState.run(JSON.stringify(state))
  }

  saveEdge(edge: TreeEdge, progress: TreeEdge | undefined): void {
    this.#sql.saveEdge.run(edge.size, edge.format(), progress?.size ?? null, progress?.format() ?? null)
  }

  /** Remembers a head. What a later note adds in cosignatures is not kept: the signature by the log is what binds. */
  addHead({ size, root, note }: SignedHead): void {
    this.#sql.addHead.run(size, root, note)
    this.#sql.trimHeads.run(MAX_SEEN_HEADS)
  }

  /** Heads of a size that were seen before, and whether each is of the verified history. */
  headsOfSize(size: number): readonly (SignedHead & { readonly isSettled: boolean })[] {
    const rows = this.#sql.headsOfSize.all(size) as { root: string; note: string; is_settled: number }[]
    return rows.map(({ root, note, is_settled }) => ({ size, root, note, isSettled: is_settled === 1 }))
  }

  /** Heads of the verified history up to a size, in the order of their sizes. */
  settledHeads(size: number): readonly SignedHead[] {
    return this.#sql.settledHeads.all(size) as SignedHead[]
  }

  settleHead({ size, root }: SignedHead): void {
    this.#sql.settleHead.run(size, root)
  }

  addTile({ level, index }: TileName, bytes: Uint8Array): void {
    this.#sql.addTile.run(level, index, bytes)
    if (level === 0) this.#sql.dropTile.run(index - MAX_KEPT_LEAF_TILES)
  }

  /** A full tile that was kept, or its beginning. @throws {CountersignError} `watch/not-found` */
  async fetchTile({ level, index, width }: TileName): Promise<Uint8Array> {
    const bytes = this.#sql.tile.get(level, index) as Uint8Array | undefined
    if (bytes === undefined || bytes.length !== TILE_WIDTH * HASH_BYTES) {
      throw new CountersignError('watch/not-found', 'the tile was not kept')
    }
    return new Uint8Array(bytes.subarray(0, width * HASH_BYTES))
  }

  /** What was seen of a file of evidence: changes when the file does. */
  stampOf(path: string): string | undefined {
    return this.#sql.stamp.get(path) as string | undefined
  }

  setStamp(path: string, stamp: string): void {
    this.#sql.setStamp.run(path, stamp)
  }

  close(): void {
    this.database.close()
  }
}

interface KeptRow {
  readonly state: string
  readonly edge_size: number
  readonly edge: Uint8Array
  readonly progress_size: number | null
  readonly progress: Uint8Array | null
}

function prepareFile(database: Database.Database): void {
  // From the first write on, until the process ends: two monitors on one state would each undo the other's.
  database.pragma('locking_mode = EXCLUSIVE')
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.exec('BEGIN EXCLUSIVE; COMMIT')
  const version = Number(database.pragma('user_version', { simple: true }))
  const application = Number(database.pragma('application_id', { simple: true }))
  const isEmpty = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0
  if (!isEmpty && application !== APPLICATION_ID) throw damaged('monitor.db is not a monitor’s state')
  if (version > SCHEMA_VERSION) {
    throw new CountersignError('data/newer-version', `the state has schema ${version}, this release ${SCHEMA_VERSION}`)
  }
  if (!isEmpty) return
  database.transaction(() => {
    database.exec(SCHEMA)
    database.pragma(`application_id = ${APPLICATION_ID}`)
    database.pragma(`user_version = ${SCHEMA_VERSION}`)
  })()
}

function prepare(database: Database.Database) {
  return {
    read: database.prepare('SELECT * FROM monitor'),
    begin: database.prepare('INSERT INTO monitor (id, log_key, state, edge_size, edge) VALUES (1, ?, ?, 0, ?)'),
    saveState: database.prepare('UPDATE monitor SET state = ?'),
    saveEdge: database.prepare('UPDATE monitor SET edge_size = ?, edge = ?, progress_size = ?, progress = ?'),
    addHead: database.prepare('INSERT OR IGNORE INTO heads (size, root, note, is_settled) VALUES (?, ?, ?, 0)'),
    trimHeads: database.prepare('DELETE FROM heads WHERE number <= (SELECT max(number) FROM heads) - ?'),
    headsOfSize: database.prepare('SELECT root, note, is_settled FROM heads WHERE size = ?'),
    settledHeads: database.prepare(
      'SELECT size, root, note FROM heads WHERE is_settled = 1 AND size BETWEEN 1 AND ? ORDER BY size',
    ),
    settleHead: database.prepare('UPDATE heads SET is_settled = 1 WHERE size = ? AND root = ?'),
    addTile: database.prepare('INSERT OR REPLACE INTO tiles (level, idx, bytes) VALUES (?, ?, ?)'),
    dropTile: database.prepare('DELETE FROM tiles WHERE level = 0 AND idx = ?'),
    tile: database.prepare('SELECT bytes FROM tiles WHERE level = ? AND idx = ?').pluck(),
    stamp: database.prepare('SELECT stamp FROM files WHERE path = ?').pluck(),
    setStamp: database.prepare('INSERT OR REPLACE INTO files (path, stamp) VALUES (?, ?)'),
  }
}

/** The state as it was written: by us, so that its shape is looked at only as far as damage goes. */
function readState(text: string): MonitorState {
  const value: Json = parseJson(utf8(text), STATE_LIMITS)
  const begun = initialState('')
  const isState = typeof value === 'object' && value !== null && !Array.isArray(value)
  const known = isState ? { ...(value as { readonly [name: string]: unknown }) } : {}
  for (const [name, initial] of Object.entries(begun)) {
    const present = known[name]
    if (
      initial !== undefined &&
      (typeof present !== typeof initial || Array.isArray(present) !== Array.isArray(initial))
    ) {
      throw damaged(`the kept state has no ${name}`)
    }
  }
  return { ...begun, ...known } as MonitorState
}

/** What SQLite throws, as one of our errors. */
function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code.startsWith('json/'))
      throw damaged('the kept state is no JSON')
    if (thrown instanceof CountersignError) throw thrown
    const { code } = (thrown ?? {}) as { readonly code?: unknown }
    if (typeof code !== 'string') throw thrown
    if (code.startsWith('SQLITE_BUSY')) {
      throw new CountersignError('data/locked', 'another monitor has this state')
    }
    if (code === 'SQLITE_FULL') throw new CountersignError('disk/full', 'there is no space for the state')
    if (!code.startsWith('SQLITE_') || /^SQLITE_(CANTOPEN|READONLY|PERM|IOERR)/.test(code))
      throw new CountersignError('file/unreadable', `the state cannot be opened (${code})`)
    throw damaged(`the state cannot be read (${code})`)
  }
}

function damaged(why: string): CountersignError {
  return new CountersignError('data/damaged', `${why}; keep it as it is, and begin anew with another --state`)
}
