/** Logs that have ended: kept whole in folders of their own, laid out as a data folder is. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatTilePath, parseLogSuccessor, parseStatement, type TileName } from '@countersign/verify'
import { type DataFolder, dataFolderAt } from '../data/data-folder.ts'
import { checkpointPath } from '../log/open-log.ts'

/** Most logs of one data folder that can have ended. */
export const MAX_ARCHIVES = 999

/** A log that has ended. */
export interface ArchivedLog {
  /** 1 for the first that ended. */
  readonly number: number
  readonly origin: string
  /** As policies have it. */
  readonly key: string
}

export function archiveRoot(dataRoot: string, number: number): string {
  return join(dataRoot, 'archive', String(number))
}

/** The statement that says how it ended: a copy of the first entry of the log that followed. */
export function endingPath(dataRoot: string, number: number): string {
  return join(archiveRoot(dataRoot, number), 'ending.json')
}

/** An archived log as a data folder; the vault's keys and the evidence are where they always were. */
export function archivedFolderAt(dataRoot: string, number: number): DataFolder {
  const { vaultKeys, evidence } = dataFolderAt(dataRoot)
  return { ...dataFolderAt(archiveRoot(dataRoot, number)), vaultKeys, evidence }
}

/** Numbers of the archives there are, oldest first. */
export function archiveNumbers(dataRoot: string): readonly number[] {
  const folder = join(dataRoot, 'archive')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => /^[1-9][0-9]{0,2}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
}

/** The logs of a data folder that have ended, oldest first. @throws {CountersignError} `json/*`, `shape/*` */
export function listArchives(dataRoot: string): readonly ArchivedLog[] {
  return archiveNumbers(dataRoot)
    .filter((number) => existsSync(endingPath(dataRoot, number)))
    .map((number) => {
      const { origin, key } = parseLogSuccessor(parseStatement(readFileSync(endingPath(dataRoot, number))))
      return { number, origin, key }
    })
}

/** The last checkpoint that an archived log published; `undefined` where there is none. */
export function archivedCheckpoint(dataRoot: string, number: number): string | undefined {
  return readIfThere(checkpointPath(archivedFolderAt(dataRoot, number).log))?.toString('utf8')
}

/** A tile file of an archived log; `undefined` where there is none. */
export function archivedTile(dataRoot: string, number: number, tile: TileName): Uint8Array | undefined {
  return readIfThere(join(archivedFolderAt(dataRoot, number).log, formatTilePath(tile)))
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === 'ENOENT') return undefined
    throw thrown
  }
}
