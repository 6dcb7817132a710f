/**
 * The dossier: one self-contained file about one answer.
 *
 * @spec spec/dossier.md
 */
import { toBase64 } from '../bytes/base64.ts'
import { toHex } from '../bytes/bytes.ts'
import { FILE_LIMITS, type Json, parseJson } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { parseBundle, readHash, type UnverifiedReceipt } from '../log/bundle.ts'
import { type Hash, MAX_PROOF_HASHES } from '../log/merkle.ts'
import { formatNote, readNote, type UnverifiedNote } from '../log/note.ts'
import { type Opening, SALT_BYTES } from '../statement/commitment.ts'
import { COMMITTED_SUBJECTS, type CommittedSubject, type ReceiptId } from '../statement/inference.ts'

import type { Memory } from './memory.ts'

export const DOSSIER_FORMAT = 'countersign-dossier/v1'

/** Media type of evidence that is a checkpoint: the cosigned head that the statement cites. */
export const CHECKPOINT_MEDIA_TYPE = 'application/vnd.countersign.checkpoint'

/** Most statements beside the receipt, openings, and other lists in a dossier. */
export const MAX_DOSSIER_ITEMS = 256

/** What opens the commitments of the subjects that it names. */
export interface DossierOpening extends Opening {
  readonly subjects: readonly CommittedSubject[]
}

/** Leads from an older head, named by size and root, to the head of the receipt. */
export interface ConsistencyProof {
  readonly size: number
  readonly root: Hash
  readonly path: readonly Hash[]
}

/** Bytes that a statement leads to: attestation evidence and collateral by their SHA-256, the head that it cites. */
export interface EvidenceFile {
  readonly mediaType: string
  readonly content: Uint8Array
}

/** A dossier as read. Nothing in it is checked yet. */
export interface UnverifiedDossier {
  /** The receipt that it claims to be about. */
  readonly receiptId: ReceiptId
  readonly receipt: UnverifiedReceipt
  readonly promise: UnverifiedNote | undefined
  readonly openings: readonly DossierOpening[]
  /** Receipts of the statements that the answer's statement leads to. */
  readonly statements: readonly UnverifiedReceipt[]
  readonly consistency: readonly ConsistencyProof[]
  readonly evidence: readonly EvidenceFile[]
}

/**
 * Reads a dossier; checks no signature, no proof, no opening. With a memory, statements that many dossiers carry are read
 * once.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`, `bundle/malformed`, `note/malformed`, `leaf/malformed`, `dsse/*`
 */
export function parseDossier(bytes: Uint8Array, memory?: Memory): UnverifiedDossier {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'dossier')
  fields.literal('format', DOSSIER_FORMAT)
  const dossier: UnverifiedDossier = {
    receiptId: fields.hex('receipt', 16),
    receipt: parseBundle(fields.required('bundle'), fields.at('bundle')),
    promise: fields.optional('promise', () => readNote(fields, 'promise')),
    openings: fields.list('openings', MAX_DOSSIER_ITEMS, readOpening),
    statements: fields.list('statements', MAX_DOSSIER_ITEMS, (item, path) => readStatement(item, path, memory)),
    consistency: fields.list('consistency', MAX_DOSSIER_ITEMS, readConsistency),
    evidence: fields.list('evidence', MAX_DOSSIER_ITEMS, readEvidence),
  }
  fields.end()
  return dossier
}

function readStatement(item: Json, path: Path, memory: Memory | undefined): UnverifiedReceipt {
  return memory === undefined
    ? parseBundle(item, path)
    : memory.recall('bundle', JSON.stringify(item), () => parseBundle(item, path))
}

function readOpening(item: Json, path: Path): DossierOpening {
  const fields = new Fields(item, path)
  const opening = {
    subjects: fields.list('subjects', COMMITTED_SUBJECTS.length, readSubject),
    salt: fields.base64('salt', 44),
    content: fields.base64('content', FILE_LIMITS.maxBytes),
  }
  fields.end()
  if (opening.salt.length !== SALT_BYTES) {
    throw new CountersignError('shape/bad-value', `${path}.salt: a salt has ${SALT_BYTES} bytes`)
  }
  return opening
}

function readSubject(item: Json, path: Path): CommittedSubject {
  const subject = COMMITTED_SUBJECTS.find((known) => known === item)
  if (subject === undefined)
    throw new CountersignError('shape/bad-value', `${path}: not a subject that is committed to`)
  return subject
}

function readConsistency(item: Json, path: Path): ConsistencyProof {
  const fields = new Fields(item, path)
  const proof = {
    size: fields.integer('size'),
    root: readHash(fields.required('root'), fields.at('root')),
    path: fields.list('path', MAX_PROOF_HASHES, readHash),
  }
  fields.end()
  return proof
}

function readEvidence(item: Json, path: Path): EvidenceFile {
  const fields = new Fields(item, path)
  const file = {
    mediaType: fields.text('mediaType', { maxLength: 128 }),
    content: fields.base64('content', FILE_LIMITS.maxBytes),
  }
  fields.end()
  return file
}

/** The parts that a dossier is written from; bundles in their JSON form. */
export interface DossierParts {
  readonly receiptId: ReceiptId
  readonly bundle: Json
  readonly promise: UnverifiedNote | undefined
  readonly openings: readonly DossierOpening[]
  readonly statements: readonly Json[]
  readonly consistency: readonly ConsistencyProof[]
  readonly evidence: readonly EvidenceFile[]
}

/** The JSON form of a dossier. */
export function formatDossier(parts: DossierParts): Json {
  return {
    format: DOSSIER_FORMAT,
    receipt: parts.receiptId,
    bundle: parts.bundle,
    ...(parts.promise === undefined ? {} : { promise: formatNote(parts.promise) }),
    openings: parts.openings.map(({ subjects, salt, content }) => ({
      subjects,
      salt: toBase64(salt),
      content: toBase64(content),
    })),
    statements: parts.statements,
    consistency: parts.consistency.map(({ size, root, path }) => ({
      size,
      root: toBase64(root),
      path: path.map(toBase64),
    })),
    evidence: parts.evidence.map(({ mediaType, content }) => ({ mediaType, content: toBase64(content) })),
  }
}

/** Name of a consistency proof's older head, for looking it up. */
export function isProofFrom(proof: ConsistencyProof, size: number, rootHex: string): boolean {
  return proof.size === size && toHex(proof.root) === rootHex
}
