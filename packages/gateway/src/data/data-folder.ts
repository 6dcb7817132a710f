/** The folder that holds everything a gateway must not lose: its layout, its lock, its version. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError, utf8 } from '@countersign/verify'
import Database from 'better-sqlite3'
import { makeFolderDurably, makePrivateFile, writeDurably } from './durable-file.ts'

/** Version of the folder's layout and of everything in it. A newer one is refused. */
export const DATA_VERSION = 1

/** Where things are. */
export interface DataFolder {
  readonly root: string
  readonly keys: string
  /** Entries, statements, vault records, heads. */
  readonly database: string
  /** Keys of vault records, apart, so that a backup of one does not hold the other. */
  readonly vaultKeys: string
  readonly journal: string
  /** What any web server may serve: checkpoint and tiles. */
  readonly log: string
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
    vaultKeys: join(root, 'vault-keys', 'vault-keys.db'),
    journal: join(root, 'journal', 'intents'),
    log: join(root, 'log'),
  }
}

/**
 * Opens a data folder, making it when it is new.
 *
 * @throws {CountersignError} `data/locked` when another process has it, `data/newer-version`, `data/damaged`
 */
export function openDataFolder(root: string): LockedDataFolder {
  const folder = dataFolderAt(root)
  makeFolderDurably(root)
  const release = lock(join(root, 'lock.db'))
  try {
    checkVersion(join(root, 'version'), existsSync(folder.database))
    for (const each of [
      folder.keys,
      join(root, 'store'),
      join(root, 'vault-keys'),
      join(root, 'journal'),
      folder.log,
    ]) {
      makeFolderDurably(each)
    }
    return { ...folder, release }
  } catch (thrown) {
    release()
    throw thrown
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

function checkVersion(path: string, hasData: boolean): void {
  if (!existsSync(path)) {
    if (hasData) throw new CountersignError('data/damaged', 'the data folder has a database but no version file')
    writeDurably(path, utf8(`${DATA_VERSION}\n`))
    return
  }
  const text = readFileSync(path, 'utf8').trim()
  const version = Number(text)
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new CountersignError('data/damaged', 'the version file cannot be read')
  if (version > DATA_VERSION) {
    throw new CountersignError(
      'data/newer-version',
      `the data folder is of version ${version}, this release reads up to ${DATA_VERSION}; install a newer release`,
    )
  }
}
