/** Receipts, dossiers and promises that someone gives to the monitor: what was shown to others than it. */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  DOSSIER_FORMAT,
  FILE_LIMITS,
  type Json,
  parseBundle,
  parseDossier,
  parseJson,
  parseNote,
  parsePromiseHeader,
  parseUtf8,
  type UnverifiedNote,
  type UnverifiedReceipt,
} from '@countersign/verify'
import { MAX_EVIDENCE_FILES } from './limits.ts'

/** A file that is there, with what changes when it does. */
export interface EvidenceFile {
  readonly path: string
  readonly stamp: string
}

/** What is in one. Nothing of it is checked. */
export interface Evidence {
  readonly receipts: readonly { readonly receipt: UnverifiedReceipt; readonly bundle: Json }[]
  readonly promises: readonly UnverifiedNote[]
}

/**
 * The files at these paths, and in folders those that end in `.json` or `.promise`. What is half written has another stamp
 * when it is whole, and is read again then.
 *
 * @throws {CountersignError} `file/unreadable` for a path that is not there
 */
export function listEvidence(paths: readonly string[]): readonly EvidenceFile[] {
  const files: EvidenceFile[] = []
  for (const path of paths) {
    try {
      if (!statSync(path).isDirectory()) files.push(stamped(path))
      else {
        const names = readdirSync(path).filter((name) => /\.(json|promise)$/.test(name))
        const room = Math.max(0, MAX_EVIDENCE_FILES - files.length)
        for (const name of names.slice(0, room)) files.push(stampedOrNot(join(path, name)))
      }
    } catch (thrown) {
      const { code } = thrown as { readonly code?: string }
      throw new CountersignError('file/unreadable', `${path}: cannot be read (${code ?? 'unknown error'})`)
    }
  }
  return files
}

function stamped(path: string): EvidenceFile {
  const { mtimeMs, size, ino } = statSync(path)
  return { path, stamp: `${mtimeMs} ${size} ${ino}` }
}

/** What others put into a folder may be gone by now, or lead nowhere: that is said of it when it is read. */
function stampedOrNot(path: string): EvidenceFile {
  try {
    return stamped(path)
  } catch {
    return { path, stamp: 'unreadable' }
  }
}

/**
 * Reads a file: a dossier, a receipt, or a promise as a note or in its one-line form.
 *
 * @throws {CountersignError} `file/unreadable`, and what reading the parts throws
 */
export function readEvidence(path: string): Evidence {
  return parseEvidence(readBounded(path))
}

/** @throws {CountersignError} what reading the parts throws */
export function parseEvidence(bytes: Uint8Array): Evidence {
  const text = parseUtf8(bytes)
  if (!/^\s*\{/.test(text)) {
    const note = text.startsWith('countersign-promise/') ? parseNote(bytes) : parsePromiseHeader(text.trim())
    return { receipts: [], promises: [note] }
  }
  const value = parseJson(bytes, FILE_LIMITS) as { readonly [name: string]: Json }
  if (value.format !== DOSSIER_FORMAT)
    return { receipts: [{ receipt: parseBundle(value), bundle: value }], promises: [] }
  const { receipt, statements, promise } = parseDossier(bytes)
  const bundles = [value.bundle ?? null, ...(value.statements as readonly Json[])]
  return {
    receipts: [receipt, ...statements].map((each, i) => ({ receipt: each, bundle: bundles[i] ?? null })),
    promises: promise === undefined ? [] : [promise],
  }
}

/** Of files alone: a pipe would be waited for, and a device has no end. */
function readBounded(path: string): Uint8Array {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw new CountersignError('file/unreadable', `${path}: this is no file`)
    if (stat.size > FILE_LIMITS.maxBytes) {
      throw new CountersignError('file/unreadable', `${path}: the file has more than ${FILE_LIMITS.maxBytes} bytes`)
    }
    return readFileSync(descriptor)
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('file/unreadable', `${path}: cannot be read (${(thrown as { code?: string }).code})`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
