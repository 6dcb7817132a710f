/** The folder that holds everything a gateway must not lose: its layout, its lock, its version. */
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CountersignError, utf8 } from '@countersign/verify'
import Database from 'better-sqlite3'
import { requireNoRecovery } from '../recovery/recovery-marker.ts'
import { makeFolderDurably, makePrivateFile, syncFolder, writeDurably } from './durable-file.ts'

/** Version of the folder's layout and of everything in it. A newer one is refused. */
export const DATA_VERSION = 1

/** Where things are. */
export interface DataFolder {
  readonly root: string
  readonly keys: string
  /** Entries, statements, vault records, heads. */
  readonly database: string
  /** Where statements stand, by digest and receipt. Derived. */
  readonly lookup: string
  /** Keys of vault records, apart, so that a backup of one does not hold the other. */
  readonly vaultKeys: string
  readonly journal: string
  /** What any web server may serve: checkpoint and tiles. */
  readonly log: string
  /** Evidence of places and the collateral that it was appraised with, by SHA-256. */
  readonly evidence: string
  /** Collateral as it was fetched, until it is out of date. Derived. */
  readonly collateral: string
}

/** An opened folder, locked against other processes until released. */
export interface LockedDataFolder extends DataFolder {
  release(): void
}

export function dataFolderAt(root: string): DataFolder {
  return {
    root,
    keys: join(root, 'keys'),
    database: join(root, 'store', 'countersign.db'),
    lookup: join(root, 'store', 'lookup.db'),
    vaultKeys: join(root, 'vault-keys', 'vault-keys.db'),
    journal: join(root, 'journal', 'intents'),
    log: join(root, 'log'),
    evidence: join(root, 'evidence'),
    collateral: join(root, 'collateral'),
  }
}

/**
 * Opens a data folder, making it when it is new.
 *
 * @throws {CountersignError} `data/locked` when another process has it, `data/newer-version`, `data/damaged`,
 *   `log/recovering`
 */
export function openDataFolder(root: string): LockedDataFolder {
  const folder = dataFolderAt(root)
  makeFolderDurably(root)
  requireOwn(root)
  const release = lock(join(root, 'lock.db'))
  try {
    checkVersion(folder)
    requireNoRecovery(root)
    const files = [folder.database, folder.vaultKeys, folder.journal]
    for (const each of [folder.keys, ...files.map(dirname), folder.log]) {
      makeFolderDurably(each)
      requireOwn(each)
      // A killed process may have renamed a file into place and not come to syncing its name.
      syncFolder(each)
    }
    return { ...folder, release }
  } catch (thrown) {
    release()
    throw thrown
  }
}

/**
 * Locks a data folder that is there, and changes nothing in it but the lock's own file; call what it returns to let go.
 *
 * @throws {CountersignError} `data/locked` when another process has it
 */
export function lockDataFolder({ root }: DataFolder): () => void {
  return lock(join(root, 'lock.db'))
}

/** A folder in which others can put files is one in which they can take or plant keys. */
function requireOwn(path: string): void {
  const { uid, mode } = lstatSync(path)
  const isOurs = process.geteuid === undefined || uid === process.geteuid()
  if (!isOurs || (mode & 0o022) !== 0 || !lstatSync(path).isDirectory()) {
    const why =
      'a data folder and what is in it must be folders of the user that runs the gateway, writable by nobody else'
    throw new CountersignError('data/damaged', `${why}; use chmod go-w and chown, or another folder`)
  }
}

/** SQLite's own file lock: the kernel drops it when the process dies, however it dies. */
function lock(path: string): () => void {
  makePrivateFile(path)
  const database = new Database(path, { timeout: 0 })
  try {
    database.pragma('locking_mode = EXCLUSIVE')
    database.exec('BEGIN EXCLUSIVE')
  } catch {
    database.close()
    throw new CountersignError('data/locked', 'another process has this data folder open; stop it, or use --data')
  }
  return () => database.close()
}

function checkVersion(folder: DataFolder): void {
  if (existsSync(versionPath(folder))) readVersion(folder)
  else if (existsSync(folder.database)) {
    throw new CountersignError('data/damaged', 'the data folder has a database but no version file')
  } else writeDurably(versionPath(folder), utf8(`${DATA_VERSION}\n`))
}

/**
 * The version of a data folder.
 *
 * @throws {CountersignError} `data/damaged`, `data/newer-version`
 */
export function readVersion(folder: DataFolder): number {
  const path = versionPath(folder)
  if (!existsSync(path)) throw new CountersignError('data/damaged', 'the data folder has no version file')
  const text = readFileSync(path, 'utf8').trim()
  const version = Number(text)
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new CountersignError('data/damaged', 'the version file cannot be read')
  if (version > DATA_VERSION) {
    throw new CountersignError(
      'data/newer-version',
      `the data folder is of version ${version}, this release reads up to ${DATA_VERSION}; install a newer release`,
    )
  }
  return version
}

function versionPath({ root }: DataFolder): string {
  return join(root, 'version')
}
