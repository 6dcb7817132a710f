/**
 * The dossier: one self-contained file about one answer.
 *
 * @spec spec/dossier.md
 */
import { toBase64 } from '../bytes/base64.ts'
import { FILE_LIMITS, type Json, parseJson } from '../bytes/json.ts'
import { createMemory, type Memory } from '../bytes/memory.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { type BundleParts, PLAIN_PARTS, parseBundle, type UnverifiedReceipt } from '../log/bundle.ts'
import { type ConsistencyProof, formatConsistency, readConsistency } from '../log/consistency-proof.ts'
import { formatNote, readNote, type UnverifiedNote } from '../log/note.ts'
import { type Opening, SALT_BYTES } from '../statement/commitment.ts'
import { COMMITTED_SUBJECTS, type CommittedSubject, type ReceiptId } from '../statement/inference.ts'

export const DOSSIER_FORMAT = 'countersign-dossier/v1'

/** Media type of evidence that is a checkpoint: the cosigned head that the statement cites. */
export const CHECKPOINT_MEDIA_TYPE = 'application/vnd.countersign.checkpoint'

/** Media types of evidence of the serving place: an evidence file, and the collateral bundle that it was appraised with. */
export const EVIDENCE_MEDIA_TYPE = 'application/vnd.countersign.evidence+json'
export const COLLATERAL_MEDIA_TYPE = 'application/vnd.countersign.collateral+json'

/** Most statements beside the receipt, openings, and other lists in a dossier. */
export const MAX_DOSSIER_ITEMS = 256

/** What opens the commitments of the subjects that it names. */
export interface DossierOpening extends Opening {
  readonly subjects: readonly CommittedSubject[]
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
  /** Each leads from an older head to the head of the receipt. */
  readonly consistency: readonly ConsistencyProof[]
  readonly evidence: readonly EvidenceFile[]
}

/**
 * Reads a dossier; checks no signature, no proof, no opening. With a memory, what many dossiers carry is read once, and is
 * then the same object in all of them; without, once in this one.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`, `bundle/malformed`, `note/malformed`, `leaf/malformed`, `dsse/*`
 */
export function parseDossier(bytes: Uint8Array, memory: Memory = createMemory()): UnverifiedDossier {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'dossier')
  fields.literal('format', DOSSIER_FORMAT)
  const shared = sharedParts(memory)
  const dossier: UnverifiedDossier = {
    receiptId: fields.hex('receipt', 16),
    // Nobody else has the answer; its head, others have too.
    receipt: parseBundle(fields.required('bundle'), fields.at('bundle'), { ...PLAIN_PARTS, note: shared.note }),
    promise: fields.optional('promise', () => readNote(fields, 'promise')),
    openings: fields.list('openings', MAX_DOSSIER_ITEMS, readOpening),
    statements: fields.list('statements', MAX_DOSSIER_ITEMS, (item, path) =>
      memory.recallJson('bundle', payloadIn(item), item, () => parseBundle(item, path, shared)),
    ),
    consistency: fields.list('consistency', MAX_DOSSIER_ITEMS, (item, path) =>
      memory.recall('consistency-proof', JSON.stringify(item), () => readConsistency(item, path)),
    ),
    evidence: fields.list('evidence', MAX_DOSSIER_ITEMS, readEvidence),
  }
  fields.end()
  return dossier
}

/** Each part by its own text: the same statement stands under one head today, and under another tomorrow. */
function sharedParts(memory: Memory): BundleParts {
  const byText = <T>(kind: string, fields: Fields, name: string, read: () => T): T => {
    const text = fields.any(name)
    return typeof text === 'string' ? memory.recall(kind, text, read) : read()
  }
  return {
    envelope: (value, path) =>
      memory.recallJson('envelope', textIn(value, 'payload'), value, () => PLAIN_PARTS.envelope(value, path)),
    leaf: (fields, name) => byText('leaf', fields, name, () => PLAIN_PARTS.leaf(fields, name)),
    note: (fields, name) => byText('note', fields, name, () => PLAIN_PARTS.note(fields, name)),
  }
}

/** What bundles are told apart by: the payload, as it stands there. */
function payloadIn(bundle: Json): string {
  return isObject(bundle) ? textIn(bundle.dsseEnvelope, 'payload') : ''
}

function textIn(value: Json | undefined, name: string): string {
  const text = isObject(value) ? value[name] : undefined
  return typeof text === 'string' ? text : ''
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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
    consistency: parts.consistency.map(formatConsistency),
    evidence: parts.evidence.map(({ mediaType, content }) => ({ mediaType, content: toBase64(content) })),
  }
}
