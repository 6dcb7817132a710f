/** What says that a recovery is under way: there from its first change to the data to its last. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError, FILE_LIMITS, Fields, type Json, type Path, parseJson, utf8 } from '@countersign/verify'
import { syncFolder, writeDurably } from '../data/durable-file.ts'

/** Each is complete when it is written: what comes after it is under way, or not begun. */
export const RECOVERY_PHASES = ['begun', 'staged', 'archived', 'placed', 'published'] as const
export type RecoveryPhase = (typeof RECOVERY_PHASES)[number]

/** All that is needed to finish, decided before anything was changed. */
export interface RecoveryMarker {
  readonly phase: RecoveryPhase
  /** Number of the archive that the old log goes to. */
  readonly archive: number
  /** Name of the log that ends. */
  readonly oldOrigin: string
  /** Name of the log that follows. */
  readonly origin: string
  /** The successor statement, exactly. */
  readonly statement: string
  readonly endedAtMs: number
  /** A head to be published for the log that ends, and the size that is published; missing where there is no new one. */
  readonly finalHead?: { readonly note: string; readonly size: number; readonly publishedSize: number }
  readonly keysToDestroy: readonly number[]
}

const FORMAT = 'countersign-recovery/v1'

/** Erasures that can be under way at once; each is noted in the database. */
const MAX_KEYS = 1_000_000

function markerPath(dataRoot: string): string {
  return join(dataRoot, 'recovery.json')
}

export function isRecoveryUnderWay(dataRoot: string): boolean {
  return existsSync(markerPath(dataRoot))
}

/**
 * Refuses a data folder whose log is being brought to its end.
 *
 * @throws {CountersignError} `log/recovering`
 */
export function requireNoRecovery(dataRoot: string): void {
  if (!isRecoveryUnderWay(dataRoot)) return
  throw new CountersignError(
    'log/recovering',
    'a recovery of this log was begun and not finished; run "countersign log recover" on this data folder again',
  )
}

/** @throws {CountersignError} `json/*`, `shape/*`: then nobody but its writer can say what was under way */
export function readMarker(dataRoot: string): RecoveryMarker | undefined {
  if (!isRecoveryUnderWay(dataRoot)) return undefined
  const fields = new Fields(parseJson(readFileSync(markerPath(dataRoot)), FILE_LIMITS), 'recovery')
  fields.literal('format', FORMAT)
  const finalHead = fields.optional('finalHead', () => readFinalHead(fields.object('finalHead')))
  const marker: RecoveryMarker = {
    phase: fields.oneOf('phase', RECOVERY_PHASES),
    archive: fields.integer('archive', 1, 999),
    oldOrigin: fields.text('oldOrigin', { maxLength: 256 }),
    origin: fields.text('origin', { maxLength: 256 }),
    statement: fields.text('statement', { maxLength: 1024 * 1024 }),
    endedAtMs: fields.integer('endedAtMs'),
    ...(finalHead === undefined ? {} : { finalHead }),
    keysToDestroy: fields.list('keysToDestroy', MAX_KEYS, readKeyId),
  }
  fields.end()
  return marker
}

function readKeyId(item: Json, path: Path): number {
  if (typeof item === 'number' && Number.isSafeInteger(item)) return item
  throw new CountersignError('shape/wrong-type', `${path}: expected an integer`)
}

function readFinalHead(fields: Fields): NonNullable<RecoveryMarker['finalHead']> {
  const head = {
    note: fields.text('note', { maxLength: 64 * 1024, isMultiline: true }),
    size: fields.integer('size'),
    publishedSize: fields.integer('publishedSize'),
  }
  fields.end()
  return head
}

export function writeMarker(dataRoot: string, marker: RecoveryMarker): void {
  writeDurably(markerPath(dataRoot), utf8(`${JSON.stringify({ format: FORMAT, ...marker }, null, 2)}\n`))
}

/** The end of a recovery. */
export function removeMarker(dataRoot: string): void {
  rmSync(markerPath(dataRoot), { force: true })
  syncFolder(dataRoot)
}
