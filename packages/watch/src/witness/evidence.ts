/** Two heads of one size that a log signed: kept, because a witness may be the only one that ever saw both. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Crypto, MISBEHAVIOUR_FORMAT, toHex, utf8 } from '@countersign/verify'
import { makePrivateFolder, writeDurably } from '../durable-file.ts'
import type { Effect } from './decision.ts'

/** Most files that are kept, of all logs together: a log that lies once has lied, and may not fill the disk. */
export const MAX_EVIDENCE_FILES = 64

/**
 * Writes the proof where it is not there yet, as `countersign verify` reads it.
 *
 * @returns the file's path; `undefined` when there are too many already
 * @spec spec/misbehaviour.md
 */
export function keepEvidence(
  crypto: Crypto,
  folder: string,
  { origin, first, second }: Extract<Effect, { kind: 'keep-evidence' }>,
): string | undefined {
  // Named for what was signed: signature lines may differ each time that the same lie is told.
  const texts = [first, second].map((note) => note.slice(0, note.lastIndexOf('\n\n')))
  const name = toHex(crypto.sha256(utf8([origin, ...texts].join('\n\n')))).slice(0, 32)
  const path = join(folder, `${name}.json`)
  makePrivateFolder(folder)
  if (existsSync(path)) return path
  if (readdirSync(folder).length >= MAX_EVIDENCE_FILES) return undefined
  const proof = { format: MISBEHAVIOUR_FORMAT, kind: 'two-heads-of-one-size', first, second }
  writeDurably(path, `${JSON.stringify(proof, null, 2)}\n`)
  return path
}
