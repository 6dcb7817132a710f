/** Files that survive a power cut: written beside, synced, renamed, and the folder synced. */
import { randomBytes } from 'node:crypto'
import { accessSync, closeSync, constants, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Only the owner reads keys and data. */
export const PRIVATE_FILE = 0o600
export const PRIVATE_FOLDER = 0o700

/**
 * Puts `bytes` at `path`, whole or not at all.
 */
export function writeDurably(path: string, bytes: Uint8Array, mode = PRIVATE_FILE): void {
  // A name that nobody can have prepared, and never through a link.
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`
  const file = openSync(temporary, 'wx', mode)
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  syncFolder(dirname(path))
}

/**
 * Makes an empty file for its owner alone, where there is none. SQLite gives the files beside it the same mode. A file
 * that is there is not even opened: closing it again would drop the locks that this process has on it (POSIX).
 */
export function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', PRIVATE_FILE))
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code !== 'EEXIST') throw thrown
  }
}

/**
 * Makes a folder and what leads to it; each new name is synced into its parent. So is the name of a folder that is
 * there: a process that was killed may have made it and not come to syncing it.
 */
export function makeFolderDurably(path: string, mode = PRIVATE_FOLDER): void {
  const first = mkdirSync(path, { recursive: true, mode })
  if (first === undefined) {
    if (isReadable(dirname(path))) syncFolder(dirname(path))
    return
  }
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) syncFolder(dirname(folder))
}

/** A parent that we may not read was made by somebody else, and so was the folder. */
function isReadable(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Makes the names in a folder durable. */
export function syncFolder(path: string): void {
  syncOpened(openSync(path, 'r'))
}

/** Makes what other hands wrote into a file durable, its length too. */
export function syncFile(path: string): void {
  syncOpened(openSync(path, 'r+'))
}

function syncOpened(file: number): void {
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
