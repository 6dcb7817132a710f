/** Makes proof files, and checks each before it is one. @spec spec/misbehaviour.md */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  type Crypto,
  type Hash,
  type Json,
  MISBEHAVIOUR_FORMAT,
  type Misbehaviour,
  parseMisbehaviour,
  type Trust,
  toBase64,
  toHex,
  utf8,
  verifyMisbehaviour,
} from '@countersign/verify'
import { writeDurably } from '../durable-file.ts'
import type { CommonHead } from './common-head.ts'
import type { ProofDraft, ProvenPlace } from './observation.ts'

/** A proof is for everyone. */
const PUBLIC_FILE = 0o644

/** A proof that checks, with the name that its file has wherever it is made. */
export interface ProofFile {
  readonly name: string
  readonly bytes: Uint8Array
  /** SHA-256, hexadecimal. */
  readonly digest: string
  readonly misbehaviour: Misbehaviour
}

/**
 * The proof file of a draft, read again and verified as a stranger would.
 *
 * @throws {CountersignError} what reading and verifying it throws: then the draft proves nothing
 */
export function makeProof(crypto: Crypto, trust: Trust, draft: ProofDraft, common?: CommonHead): ProofFile {
  const { kind } = draft
  const parts = { ...partsOf(draft), ...(common === undefined ? {} : { common: commonJson(common) }) }
  const bytes = utf8(`${JSON.stringify({ format: MISBEHAVIOUR_FORMAT, kind, ...parts }, null, 2)}\n`)
  const misbehaviour = verifyMisbehaviour(crypto, trust, parseMisbehaviour(bytes))
  const digest = toHex(crypto.sha256(bytes))
  return { name: `${kind}-${digest.slice(0, 16)}.json`, bytes, digest, misbehaviour }
}

/**
 * Writes a proof so that after a crash it is there whole, or not at all.
 *
 * @throws {CountersignError} `disk/full`, `file/unreadable` when the folder does not take it
 */
export function writeProof(folder: string, { name, bytes }: ProofFile): void {
  try {
    mkdirSync(folder, { recursive: true })
    writeDurably(join(folder, name), bytes, PUBLIC_FILE)
  } catch (thrown) {
    const { code } = thrown as { readonly code?: string }
    if (code === undefined) throw thrown
    if (code === 'ENOSPC') throw new CountersignError('disk/full', 'there is no space for a proof')
    throw new CountersignError('file/unreadable', `${folder}: a proof cannot be written here (${code})`)
  }
}

function partsOf(draft: ProofDraft): { readonly [name: string]: Json } {
  switch (draft.kind) {
    case 'two-heads-of-one-size':
      return { first: draft.notes[0], second: draft.notes[1] }
    case 'head-of-another-history':
      return { older: draft.older, newer: draft.newer, root: toBase64(draft.root), path: draft.path.map(toBase64) }
    case 'two-leaves-one-index':
      return { index: draft.index, first: placeJson(draft.places[0]), second: placeJson(draft.places[1]) }
    case 'promise-other-leaf':
      return { promise: draft.promise, place: placeJson(draft.place) }
    case 'promise-not-covered':
      return { promise: draft.promise, head: draft.head }
    case 'two-statements-one-receipt':
    case 'two-statements-one-sequence-number':
      return { first: draft.receipts[0], second: draft.receipts[1] }
  }
}

function commonJson({ head, paths: [first, second] }: CommonHead): Json {
  const to = (path: readonly Hash[] | undefined) => (path ?? []).map(toBase64)
  return { head: head.note, first: to(first), ...(second === undefined ? {} : { second: to(second) }) }
}

function placeJson({ leafHash, path, head }: ProvenPlace): Json {
  return { leafHash: toBase64(leafHash), path: path.map(toBase64), head }
}
