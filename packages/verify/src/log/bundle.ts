/**
 * Receipts as Sigstore bundles: a signed statement with proof that the log holds it.
 *
 * @spec Sigstore bundle v0.3, spec/receipt.md
 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import { formatEnvelope, parseEnvelope, type UnverifiedEnvelope } from '../statement/dsse.ts'
import { type Leaf, parseLeaf } from './leaf.ts'
import { HASH_BYTES, type Hash, MAX_PROOF_HASHES } from './merkle.ts'
import { readNote, type UnverifiedNote } from './note.ts'

export const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/** A statement and where the log is said to hold it. Nothing about it is checked yet. */
export interface UnverifiedReceipt {
  readonly envelope: UnverifiedEnvelope
  /** Names the key's file; no reason to trust it. */
  readonly keyHint: string
  /** 32 bytes that name the log's key. */
  readonly logKeyId: Uint8Array
  readonly index: number
  /** What the bundle says that the checkpoint says. */
  readonly treeSize: number
  readonly root: Hash
  readonly path: readonly Hash[]
  readonly checkpoint: UnverifiedNote
  readonly leaf: Leaf
  /** The leaf as logged. */
  readonly leafBytes: Uint8Array
}

/** What the log holds, as bytes and as read. */
export type LoggedLeaf = Pick<UnverifiedReceipt, 'leaf' | 'leafBytes'>

/** Reads the parts of a bundle that other bundles have too, so that whoever reads many can read each part once. */
export interface BundleParts {
  envelope(value: Json, path: Path): UnverifiedEnvelope
  leaf(fields: Fields, name: string): LoggedLeaf
  note(fields: Fields, name: string): UnverifiedNote
}

/** Reads every part anew. */
export const PLAIN_PARTS: BundleParts = {
  envelope: parseEnvelope,
  leaf: (fields, name) => {
    const leafBytes = fields.base64(name, 90_000)
    return { leaf: parseLeaf(leafBytes), leafBytes }
  },
  note: readNote,
}

/**
 * Reads a bundle; checks no signature and no proof.
 *
 * @throws {CountersignError} `bundle/malformed`, `shape/*`, `bytes/*`, `note/malformed`, `leaf/malformed`, `dsse/*`
 */
export function parseBundle(value: Json, path: Path = 'bundle', parts = PLAIN_PARTS): UnverifiedReceipt {
  const fields = new Fields(value, path)
  fields.literal('mediaType', BUNDLE_MEDIA_TYPE)
  const envelope = parts.envelope(fields.required('dsseEnvelope'), fields.at('dsseEnvelope'))
  const material = fields.object('verificationMaterial')
  const publicKey = material.object('publicKey')
  const keyHint = publicKey.text('hint', { maxLength: 128 })
  const [entry] = material.list('tlogEntries', 1, (item, at) => readEntry(item, at, parts))
  for (const each of [publicKey, material, fields]) each.end()
  if (entry === undefined) throw new CountersignError('bundle/malformed', `${path}: the bundle has no log entry`)
  return { envelope, keyHint, ...entry }
}

function readEntry(item: Json, path: Path, parts: BundleParts): Omit<UnverifiedReceipt, 'envelope' | 'keyHint'> {
  const fields = new Fields(item, path)
  const logId = fields.object('logId')
  const kindVersion = fields.object('kindVersion')
  kindVersion.literal('kind', 'dsse')
  kindVersion.literal('version', '0.0.2')
  fields.optional('integratedTime', () => fields.literal('integratedTime', '0'))
  const proof = readProof(fields.object('inclusionProof'), parts)
  const index = readOptionalCount(fields, 'logIndex')
  if (index !== proof.index) throw new CountersignError('bundle/malformed', `${path}: two log indexes that differ`)
  const logged = parts.leaf(fields, 'canonicalizedBody')
  const logKeyId = readHash(logId.required('keyId'), logId.at('keyId'))
  for (const each of [logId, kindVersion, fields]) each.end()
  return { ...proof, logKeyId, ...logged }
}

function readProof(
  fields: Fields,
  parts: BundleParts,
): Pick<UnverifiedReceipt, 'index' | 'treeSize' | 'root' | 'path' | 'checkpoint'> {
  const checkpoint = fields.object('checkpoint')
  const proof = {
    index: readOptionalCount(fields, 'logIndex'),
    treeSize: readCount(fields.text('treeSize'), fields.at('treeSize')),
    root: readHash(fields.required('rootHash'), fields.at('rootHash')),
    path: fields.optional('hashes', () => fields.list('hashes', MAX_PROOF_HASHES, readHash)) ?? [],
    checkpoint: parts.note(checkpoint, 'envelope'),
  }
  checkpoint.end()
  fields.end()
  return proof
}

/** The JSON form of a receipt. */
export function formatBundle(
  receipt: Omit<UnverifiedReceipt, 'leaf' | 'checkpoint'> & { readonly checkpoint: string },
): Json {
  const index = String(receipt.index)
  return {
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      publicKey: { hint: receipt.keyHint },
      tlogEntries: [
        {
          logIndex: index,
          logId: { keyId: toBase64(receipt.logKeyId) },
          kindVersion: { kind: 'dsse', version: '0.0.2' },
          integratedTime: '0',
          inclusionProof: {
            logIndex: index,
            rootHash: toBase64(receipt.root),
            treeSize: String(receipt.treeSize),
            hashes: receipt.path.map(toBase64),
            checkpoint: { envelope: receipt.checkpoint },
          },
          canonicalizedBody: toBase64(receipt.leafBytes),
        },
      ],
    },
    dsseEnvelope: formatEnvelope(receipt.envelope),
  }
}

/** Protobuf's JSON form leaves out a number that is zero. */
function readOptionalCount(fields: Fields, name: string): number {
  return fields.optional(name, () => readCount(fields.text(name), fields.at(name))) ?? 0
}

/** An unsigned 53-bit integer written as text, as protobuf's JSON form does with 64-bit ones. */
export function readCount(text: string, path: Path): number {
  const value = Number(text)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(value)) {
    throw new CountersignError('bundle/malformed', `${path}: expected an integer below 2^53 in decimal`)
  }
  return value
}

const HASH_BASE64_LENGTH = 44

/** A base64 hash of 32 bytes. */
export function readHash(value: Json, path: Path): Hash {
  if (typeof value !== 'string') throw new CountersignError('shape/wrong-type', `${path}: expected base64`)
  const hash = value.length === HASH_BASE64_LENGTH ? parseBase64(value) : new Uint8Array(0)
  if (hash.length !== HASH_BYTES)
    throw new CountersignError('proof/bad-hash', `${path}: a hash has ${HASH_BYTES} bytes`)
  return hash
}
