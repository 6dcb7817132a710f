/** Files that survive a power cut. Written by whoever watches, for its user alone unless it says otherwise. */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { CountersignError } from '@countersign/verify'

/** Readable for its user alone. */
const PRIVATE_FILE = 0o600
const PRIVATE_FOLDER = 0o700

/** Puts `content` at `path`, whole or not at all. `mode` is for a file that others may read. */
export function writeDurably(path: string, content: string | Uint8Array, mode: number = PRIVATE_FILE): void {
  // A name that nobody can have prepared, and never through a link.
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`
  const file = openSync(temporary, 'wx', mode)
  try {
    const bytes = Buffer.from(content)
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  syncFolder(dirname(path))
}

/** Makes an empty file where there is none; one that is there is not opened, so that no lock on it is dropped (POSIX). */
export function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', PRIVATE_FILE))
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code !== 'EEXIST') throw thrown
  }
  syncFolder(dirname(path))
}

/**
 * Makes a folder for this user alone, and what leads to it.
 *
 * @throws {CountersignError} `data/damaged` where others can put files in it
 */
export function makePrivateFolder(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: PRIVATE_FOLDER })
  if (first !== undefined) {
    for (let folder = path; folder.length >= first.length; folder = dirname(folder)) syncFolder(dirname(folder))
  }
  const found = lstatSync(path)
  const isOurs = process.geteuid === undefined || found.uid === process.geteuid()
  if (!isOurs || (found.mode & 0o022) !== 0 || !found.isDirectory()) {
    throw new CountersignError(
      'data/damaged',
      'the folder must be one of the user that runs this, writable by nobody else, for keys or seeds are in it; use chmod go-w and chown',
    )
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
