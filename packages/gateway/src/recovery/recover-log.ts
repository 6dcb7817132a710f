/**
 * Ends a log that cannot go on, and begins the one that follows it: what `countersign log recover` does. A log never goes back
 * and never changes its key; so what is damaged is kept as it is, and a new log says at its beginning where the old one ended.
 *
 * Everything is decided first, and noted; then it is done in phases that can be repeated. A kill at any instant leaves
 * either nothing or a note, and with a note the next run finishes.
 *
 * @spec spec/log-successor.md
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import {
  CountersignError,
  type Crypto,
  formatNoteKey,
  formatStatement,
  fullKeyId,
  logSuccessorStatement,
  openLogSuccessor,
  parseStatement,
  parseUtf8,
  quote,
  toHex,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { type DataFolder, dataFolderAt, lockDataFolder, readVersion } from '../data/data-folder.ts'
import { makeFolderDurably, syncFolder, writeDurably } from '../data/durable-file.ts'
import { formatPublicPem, keyPaths, loadLogKey, loadStatementKey } from '../data/keys.ts'
import { CompactTree } from '../log/compact-tree.ts'
import { Publisher } from '../log/publisher.ts'
import { Sequencer } from '../log/sequencer.ts'
import { TileReader } from '../log/tile-reader.ts'
import { openDatabase, openDatabaseReadOnly, type Sqlite } from '../store/database.ts'
import { readIdentity } from '../store/identity.ts'
import { destroyKeysAt } from '../vault/key-store.ts'
import { archivedFolderAt, archiveNumbers, archiveRoot, endingPath, listArchives, MAX_ARCHIVES } from './archive.ts'
import { type EndedLog, inspectEndedLog } from './ended-log.ts'
import { type RecoveryMarker, readMarker, removeMarker, writeMarker } from './recovery-marker.ts'

export interface RecoveryOptions {
  /** Why, for everyone to read. */
  readonly reason: string
  /** Name of the log that follows; made from the old one's when missing. */
  readonly origin?: string
  readonly now?: () => number
  /** Called after each change that a kill could come after. */
  readonly onStep?: (step: string) => void
}

/** What a recovery did, or would do. */
export interface Recovery {
  readonly oldOrigin: string
  readonly oldKey: string
  readonly origin: string
  /** Entries that are whole, of how many; the second is 0 where the recovery was begun by an earlier run. */
  readonly wholeSize: number
  readonly entries: number
  /** Size of the last head of the old log. */
  readonly headSize: number
  readonly interrupted: number
  readonly archive: number
  /** An earlier run began it, with its own reason and name. */
  readonly isResumed: boolean
}

/**
 * What {@link recoverLog} would do. Changes nothing but SQLite's own files beside the databases.
 *
 * @throws {CountersignError} `data/locked`, `data/damaged`, `key/malformed`, `config/missing-file`, `log/closed`
 */
export function planRecovery(dataRoot: string, options: RecoveryOptions): Recovery {
  const folder = dataFolderAt(dataRoot)
  const release = lockDataFolder(folder)
  try {
    return describe(createNodeCrypto(), plan(createNodeCrypto(), folder, options))
  } finally {
    release()
  }
}

/**
 * Ends the log of a stopped gateway and begins the one that follows, or finishes what an earlier run began.
 *
 * @throws {CountersignError} as {@link planRecovery}, `disk/full`
 */
export async function recoverLog(dataRoot: string, options: RecoveryOptions): Promise<Recovery> {
  const crypto = createNodeCrypto()
  const folder = dataFolderAt(dataRoot)
  const release = lockDataFolder(folder)
  try {
    const planned = plan(crypto, folder, options)
    if (!planned.isResumed) writeMarker(dataRoot, planned.marker)
    await finish({ crypto, folder, step: options.onStep ?? (() => undefined) }, planned.marker)
    return describe(crypto, planned)
  } finally {
    release()
  }
}

interface Plan {
  readonly marker: RecoveryMarker
  readonly entries: number
  readonly isResumed: boolean
}

function plan(crypto: Crypto, folder: DataFolder, options: RecoveryOptions): Plan {
  readVersion(folder)
  const begun = readMarker(folder.root)
  if (begun !== undefined) return { marker: begun, entries: 0, isResumed: true }
  const ended = inspectEndedLog(crypto, folder)
  const archive = 1 + Math.max(0, ...archiveNumbers(folder.root))
  if (archive > MAX_ARCHIVES) throw new CountersignError('log/closed', `at most ${MAX_ARCHIVES} logs can end here`)
  const origin = options.origin ?? nameAfter(ended.origin)
  checkName(folder, origin, ended.origin)
  const endedAtMs = (options.now ?? Date.now)()
  const { head, isFinalHeadNew, publishedSize } = ended
  const marker: RecoveryMarker = {
    phase: 'begun',
    archive,
    oldOrigin: ended.origin,
    origin,
    statement: parseUtf8(successorPayload(crypto, ended, options.reason, endedAtMs)),
    endedAtMs,
    ...(head !== undefined && isFinalHeadNew ? { finalHead: { note: head.note, size: head.size, publishedSize } } : {}),
    keysToDestroy: ended.keysToDestroy,
  }
  return { marker, entries: ended.entries, isResumed: false }
}

/** A name as `countersign.yaml` takes it, that no log of this folder had. @spec spec/config.md */
function checkName({ root }: DataFolder, origin: string, oldOrigin: string): void {
  const taken = [oldOrigin, ...listArchives(root).map((each) => each.origin)]
  if (taken.includes(origin))
    throw new CountersignError('config/malformed', 'the log that follows needs a name of its own')
  if (!/^[^\s+]{1,200}$/.test(origin) || /^[0-9]+$/.test(origin)) {
    throw new CountersignError('config/malformed', `${quote(origin)} is not a name for a log`)
  }
}

/** `example.org/log`, `example.org/log/2`, `example.org/log/3`. */
function nameAfter(origin: string): string {
  const [, base = origin, number] = /^(.*)\/([1-9][0-9]{0,2})$/.exec(origin) ?? []
  return `${base}/${Number(number ?? 1) + 1}`
}

function successorPayload(crypto: Crypto, ended: EndedLog, reason: string, endedAtMs: number): Uint8Array {
  const { origin, logKey, head, whole, interrupted } = ended
  const successor = {
    origin,
    key: formatNoteKey(logKey.note),
    ...(head === undefined ? {} : { head: head.note }),
    whole: { size: whole.size, root: toHex(whole.root) },
    reason,
    interrupted,
    endedAtMs,
  }
  const payload = formatStatement(logSuccessorStatement(successor, toHex(fullKeyId(crypto, logKey.note))))
  // What nobody could read must not be signed: a reason with characters that hide, for one.
  openLogSuccessor(crypto, parseStatement(payload))
  return payload
}

function describe(crypto: Crypto, { marker, entries, isResumed }: Plan): Recovery {
  const { oldOrigin, origin, archive, statement } = marker
  const { key, head, whole, interrupted } = openLogSuccessor(crypto, parseStatement(utf8(statement)))
  return {
    ...{ oldOrigin, oldKey: formatNoteKey(key), origin, archive, entries, isResumed },
    ...{ wholeSize: whole.size, headSize: head?.size ?? 0, interrupted: interrupted.length },
  }
}

interface Run {
  readonly crypto: Crypto
  readonly folder: DataFolder
  step(name: string): void
}

/** Does what is left, from the phase that was reached. */
async function finish(run: Run, begun: RecoveryMarker): Promise<void> {
  const { folder, step } = run
  let marker = begun
  const reach = (phase: RecoveryMarker['phase']) => {
    marker = { ...marker, phase }
    writeMarker(folder.root, marker)
    step(phase)
  }
  step('begun')
  if (marker.phase === 'begun') {
    stage(run, marker)
    reach('staged')
  }
  if (marker.phase === 'staged') {
    archiveOldLog(run, marker)
    reach('archived')
  }
  if (marker.phase === 'archived') {
    placeNewLog(run)
    reach('placed')
  }
  if (marker.phase === 'placed') {
    await publishFinalHead(run, marker)
    if (marker.keysToDestroy.length > 0 && existsSync(folder.vaultKeys)) {
      destroyKeysAt(folder.vaultKeys, marker.keysToDestroy)
    }
    reach('published')
  }
  rmSync(stagingRoot(folder), { recursive: true, force: true })
  step('cleared')
  removeMarker(folder.root)
}

function stagingRoot({ root }: DataFolder): string {
  return join(root, 'recovery')
}

/** Makes the new log apart, from nothing each time: nobody has seen its key before it is in its place. */
function stage({ crypto, folder, step }: Run, { origin, oldOrigin, statement, endedAtMs }: RecoveryMarker): void {
  const staging = dataFolderAt(stagingRoot(folder))
  rmSync(staging.root, { recursive: true, force: true })
  for (const each of [staging.keys, dirname(staging.database)]) makeFolderDurably(each)
  step('staging')
  const paths = keyPaths(staging.keys)
  const statementKey = loadStatementKey(keyPaths(folder.keys).statement, false)
  const logKey = loadLogKey(paths.log, origin, true)
  const database = openDatabase(staging.database)
  try {
    readIdentity(database, origin, true)
    const tree = new CompactTree(crypto)
    const sequencer = new Sequencer({ crypto, database, statementKey, logKey, tree, head: undefined })
    const payload = utf8(statement)
    sequencer.commit([{ kind: 'own', type: 'log-successor', name: oldOrigin, payload }], endedAtMs)
    sequencer.advanceHead(endedAtMs)
    copyBooks(folder, database)
    database.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
  writeDurably(paths.used, utf8('the log key has signed heads\n'))
  syncFolder(dirname(staging.database))
}

/** What goes on although the log does not: what API keys have spent, and which upstream keeps what. As far as it can be read. */
const BOOKS = ['spend', 'upstream_objects']

function copyBooks(folder: DataFolder, database: Sqlite): void {
  for (const table of BOOKS) {
    try {
      const old = openDatabaseReadOnly(folder.database)
      try {
        const rows = old.prepare(`SELECT * FROM ${table}`).raw().all() as unknown[][]
        const [first] = rows
        if (first === undefined) continue
        const insert = database.prepare(`INSERT INTO ${table} VALUES (${first.map(() => '?').join(', ')})`)
        database.transaction(() => {
          for (const row of rows) insert.run(...row)
        })()
      } finally {
        old.close()
      }
    } catch {
      // A damaged table is left behind; the log does not depend on it.
    }
  }
}

/** Moves every file of the old log into its archive. A file that is moved already is not there any more. */
function archiveOldLog({ folder, step }: Run, { archive, statement }: RecoveryMarker): void {
  const target = archivedFolderAt(folder.root, archive)
  for (const each of [target.keys, dirname(target.database), dirname(target.journal)]) makeFolderDurably(each)
  const [from, to] = [keyPaths(folder.keys), keyPaths(target.keys)]
  const { spki } = loadStatementKey(from.statement, false)
  writeDurably(to.statement, utf8(formatPublicPem(spki)))
  writeDurably(join(target.root, 'version'), utf8(`${readVersion(folder)}\n`))
  writeDurably(endingPath(folder.root, archive), utf8(statement))
  for (const [path, moved] of [
    ...withSideFiles(folder.database, target.database),
    [folder.log, target.log],
    [from.log, to.log],
    [from.used, to.used],
    [folder.journal, target.journal],
  ] as const) {
    move(path, moved)
    step(`archived ${basename(path)}`)
  }
}

function placeNewLog({ folder, step }: Run): void {
  const staging = dataFolderAt(stagingRoot(folder))
  const [from, to] = [keyPaths(staging.keys), keyPaths(folder.keys)]
  for (const [path, placed] of [
    ...withSideFiles(staging.database, folder.database),
    [from.log, to.log],
    [from.used, to.used],
  ] as const) {
    move(path, placed)
    step(`placed ${basename(path)}`)
  }
}

/** A database, and then what SQLite keeps beside it: without the first nobody opens the others. */
function withSideFiles(from: string, to: string): readonly (readonly [string, string])[] {
  return ['', '-wal', '-shm'].map((ending) => [`${from}${ending}`, `${to}${ending}`] as const)
}

function move(from: string, to: string): void {
  if (!existsSync(from)) return
  if (existsSync(to)) throw new CountersignError('data/damaged', `${basename(to)} is in the archive already`)
  makeFolderDurably(dirname(to))
  renameSync(from, to)
  syncFolder(dirname(to))
  syncFolder(dirname(from))
}

/** Publishes the last head of the old log where a new one was signed: it covers what was promised and not yet covered. */
async function publishFinalHead({ crypto, folder }: Run, { archive, finalHead }: RecoveryMarker): Promise<void> {
  if (finalHead === undefined) return
  const old = archivedFolderAt(folder.root, archive)
  makeFolderDurably(old.log)
  const database = openDatabaseReadOnly(old.database)
  try {
    const reader = new TileReader(crypto, database)
    await new Publisher(reader, old.log, finalHead.publishedSize).publish(finalHead.size, finalHead.note)
  } finally {
    database.close()
  }
  syncFolder(archiveRoot(folder.root, archive))
}
