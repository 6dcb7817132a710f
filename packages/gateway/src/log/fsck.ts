/** Checks everything that a stopped gateway keeps, against itself and its keys: what `countersign log fsck` runs. */
import { existsSync, readFileSync } from 'node:fs'
import {
  type Checkpoint,
  CountersignError,
  equalBytes,
  type Hash,
  openCheckpoint,
  parseNote,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { type DataFolder, dataFolderAt, lockDataFolder, readVersion } from '../data/data-folder.ts'
import { keyPaths, loadLogKey, readP256PublicKey } from '../data/keys.ts'
import { archivedFolderAt } from '../recovery/archive.ts'
import { isRecoveryUnderWay } from '../recovery/recovery-marker.ts'
import { readCosignedHeads } from '../store/cosigned-heads.ts'
import { openDatabaseReadOnly, SCHEMA_VERSION, type Sqlite } from '../store/database.ts'
import { type CheckedEntries, checkEntries } from './fsck-entries.ts'
import { type Finding, Findings, type Fsck } from './fsck-findings.ts'
import { checkLookup } from './fsck-lookup.ts'
import { checkTiles } from './fsck-tiles.ts'
import { checkIntents, checkVault } from './fsck-vault.ts'
import { checkpointPath } from './open-log.ts'

export interface FsckReport {
  readonly entries: number
  /** Signed heads that were checked: the database's, the published one, and those that witnesses cosigned. */
  readonly heads: number
  readonly tiles: number
  readonly findings: readonly Finding[]
}

export interface FsckOptions {
  /** Called now and then with how many entries are checked, of how many. */
  readonly onProgress?: (done: number, total: number) => void
  /** Number of an archived log, in place of the one that goes on. */
  readonly archive?: number
}

/**
 * Checks the data folder of a stopped gateway. Changes nothing but SQLite's own files beside the databases. Damage is
 * described, never thrown.
 *
 * Does not open what the vault holds, and knows nothing of what witnesses and clients have seen.
 *
 * @throws {CountersignError} `data/locked` when a gateway runs on the folder
 */
export function checkLog(dataRoot: string, { onProgress = () => undefined, archive }: FsckOptions = {}): FsckReport {
  const folder = archive === undefined ? dataFolderAt(dataRoot) : archivedFolderAt(dataRoot, archive)
  const findings = new Findings()
  // While files are being moved, to open one could make another beside it.
  if (isRecoveryUnderWay(dataRoot))
    findings.error('folder', 'a recovery is not finished; run "countersign log recover"')
  else if (!existsSync(folder.database)) findings.error('folder', 'there is no database here')
  if (findings.list.length > 0) return { entries: 0, heads: 0, tiles: 0, findings: findings.all() }
  const release = lockDataFolder(dataFolderAt(dataRoot))
  const opened: Sqlite[] = []
  const open = (path: string, what: string) => {
    const database = findings.attempt('integrity', what, () => openDatabaseReadOnly(path))
    if (database !== undefined) opened.push(database)
    return database
  }
  try {
    findings.attempt('version', 'the version file', () => readVersion(folder))
    const database = open(folder.database, 'the database')
    const vaultKeys = open(folder.vaultKeys, 'the database of vault keys')
    for (const each of opened) checkIntegrity(each, findings)
    if (database === undefined || !hasSchema(database, findings)) {
      return { entries: 0, heads: 0, tiles: 0, findings: findings.all() }
    }
    const crypto = createNodeCrypto()
    const keys = readKeys(folder, database, findings)
    return checkParts({ crypto, folder, database, vaultKeys, findings, onProgress, ...keys })
  } finally {
    for (const each of opened) each.close()
    release()
  }
}

function checkParts(fsck: Fsck): FsckReport {
  const { findings } = fsck
  const head = readHead(fsck)
  const published = readPublished(fsck)
  const cosigned = readCosigned(fsck)
  const nothing: CheckedEntries = { count: 0, roots: new Map(), erased: new Set(), promised: new Map() }
  const sizes = [head?.size ?? 0, published?.size ?? 0, ...cosigned.map(({ size }) => size)]
  const entries = findings.attempt('integrity', 'the entries', () => checkEntries(fsck, sizes)) ?? nothing
  if (head !== undefined) checkRoot(findings, 'head', head, entries)
  if (published !== undefined) {
    checkRoot(findings, 'published', published, entries)
    if (published.size > (head?.size ?? 0)) {
      findings.error('published', `a head of ${published.size} is published, the database has ${head?.size ?? 0}`)
    }
  }
  for (const each of cosigned) {
    checkRoot(findings, 'cosigned', each, entries)
    if (each.size <= (head?.size ?? 0)) continue
    findings.error('cosigned', `witnesses have a head of ${each.size}, the database has ${head?.size ?? 0}`)
  }
  if (entries.count > (head?.size ?? 0)) {
    findings.note('head', `${entries.count - (head?.size ?? 0)} entries wait for a head; the next start signs one`)
  }
  findings.attempt('lookup', 'the lookup', () => checkLookup(fsck))
  const tiles = findings.attempt('tile', 'the tiles', () => checkTiles(fsck, published?.size ?? 0, entries.count)) ?? 0
  findings.attempt('vault', 'the vault', () => checkVault(fsck, entries))
  findings.attempt('journal', 'the intent journal', () => checkIntents(fsck))
  const heads = [head, published, ...cosigned].filter((each) => each !== undefined).length
  return { entries: entries.count, heads, tiles, findings: findings.all() }
}

function checkIntegrity(database: Sqlite, findings: Findings): void {
  const rows = findings.attempt('integrity', 'SQLite', () => database.pragma('integrity_check')) as
    | { readonly integrity_check: string }[]
    | undefined
  for (const row of rows ?? []) if (row.integrity_check !== 'ok') findings.error('integrity', row.integrity_check)
}

function hasSchema(database: Sqlite, findings: Findings): boolean {
  const version = findings.attempt('schema', 'the schema', () => database.pragma('user_version', { simple: true }))
  if (version === SCHEMA_VERSION) return true
  // A first start that a crash cut short has committed nothing: it begins again.
  if (version === 0) findings.note('schema', 'the database is empty; the first start was cut short')
  else findings.error('schema', `the database has schema ${String(version)}, this release reads ${SCHEMA_VERSION}`)
  return false
}

function readKeys({ keys }: DataFolder, database: Sqlite, findings: Findings): Pick<Fsck, 'logKey' | 'statementSpki'> {
  const paths = keyPaths(keys)
  const origin = findings.attempt('key', 'the name of the log', () => {
    const found = database.prepare(`SELECT value FROM meta WHERE name = 'origin'`).pluck().get()
    if (typeof found !== 'string') throw new CountersignError('data/damaged', 'the database does not say it')
    return found
  })
  const logKey = origin && findings.attempt('key', 'the log key', () => loadLogKey(paths.log, origin, false).note)
  // An archive holds its public half alone.
  const statementSpki = findings.attempt('key', 'the statement key', () => readP256PublicKey(paths.statement))
  return { logKey: logKey || undefined, statementSpki }
}

function readHead(fsck: Fsck): Checkpoint | undefined {
  const row = fsck.findings.attempt('head', 'the head', () =>
    fsck.database.prepare('SELECT size, root, note FROM head').get(),
  ) as { readonly size: number; readonly root: Uint8Array; readonly note: string } | undefined
  if (row === undefined) return undefined
  const head = openHead(fsck, 'head', utf8(row.note))
  if (head !== undefined && (head.size !== row.size || !equalBytes(head.root, row.root))) {
    fsck.findings.error('head', 'size and root beside the signed head are not the ones in it')
  }
  return head
}

function readPublished(fsck: Fsck): Checkpoint | undefined {
  const path = checkpointPath(fsck.folder.log)
  return existsSync(path) ? openHead(fsck, 'published', readFileSync(path)) : undefined
}

function readCosigned(fsck: Fsck): readonly Checkpoint[] {
  const { findings, database } = fsck
  const rows = findings.attempt('cosigned', 'the heads of witnesses', () => readCosignedHeads(database)) ?? []
  return rows.flatMap((row) => {
    const head = openHead(fsck, 'cosigned', utf8(row.note))
    if (head === undefined) return []
    if (head.size !== row.size || !equalBytes(head.root, row.root)) {
      findings.error('cosigned', `size and root beside the head of ${head.size} entries are not the ones in it`)
    }
    return [head]
  })
}

type HeadCheck = 'head' | 'published' | 'cosigned'

function openHead({ crypto, findings, logKey }: Fsck, check: HeadCheck, note: Uint8Array) {
  if (logKey === undefined) return undefined
  return findings.attempt(check, 'the checkpoint', () => openCheckpoint(crypto, parseNote(note), logKey))
}

function checkRoot(findings: Findings, check: HeadCheck, head: Checkpoint, entries: CheckedEntries): void {
  const root: Hash | undefined = entries.roots.get(head.size)
  if (root === undefined) {
    findings.error(check, `the checkpoint covers ${head.size} entries, the database has ${entries.count}`)
  } else if (!equalBytes(root, head.root)) {
    findings.error(check, `the entries do not give the signed root of ${head.size} entries`)
  }
}
