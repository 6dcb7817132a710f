/** What the log holds of a statement: digest of its payload, signature, key. @spec Rekor v2 `dsse` 0.0.2 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { equalBytes, utf8 } from '../bytes/bytes.ts'
import { PAYLOAD_LIMITS, parseJson } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import type { UnverifiedEnvelope } from '../statement/dsse.ts'
import { MAX_ENTRY_BYTES } from './tile.ts'

export interface Leaf {
  /** SHA-256 of the statement's payload. */
  readonly payloadHash: Uint8Array
  /** DER ECDSA P-256. */
  readonly signature: Uint8Array
  /** SubjectPublicKeyInfo of the key that signed. */
  readonly spki: Uint8Array
}

/** The exact bytes of a leaf: keys in canonical order, no white space. @spec RFC 8785 for this shape */
export function formatLeaf({ payloadHash, signature, spki }: Leaf): Uint8Array {
  const verifier = `{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"${toBase64(spki)}"}}`
  const signatures = `[{"content":"${toBase64(signature)}","verifier":${verifier}}]`
  const digest = `{"algorithm":"SHA2_256","digest":"${toBase64(payloadHash)}"}`
  return utf8(
    `{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":${digest},"signatures":${signatures}}}}`,
  )
}

/**
 * Reads a leaf. Bytes that are not exactly what {@link formatLeaf} writes are refused, so that a leaf has one spelling.
 *
 * @throws {CountersignError} `leaf/malformed`
 */
export function parseLeaf(bytes: Uint8Array): Leaf {
  if (bytes.length > MAX_ENTRY_BYTES) throw malformed()
  let leaf: Leaf
  try {
    leaf = readLeaf(bytes)
  } catch {
    throw malformed()
  }
  if (!equalBytes(formatLeaf(leaf), bytes)) throw malformed()
  return leaf
}

function readLeaf(bytes: Uint8Array): Leaf {
  const entry = new Fields(parseJson(bytes, PAYLOAD_LIMITS), 'leaf')
  const dsse = entry.object('spec').object('dsseV002')
  const [signature] = dsse.list('signatures', 1, (item, path) => {
    const fields = new Fields(item, path)
    const publicKey = fields.object('verifier').object('publicKey')
    return { signature: parseBase64(fields.text('content')), spki: parseBase64(publicKey.text('rawBytes')) }
  })
  if (signature === undefined) throw malformed()
  return { payloadHash: parseBase64(dsse.object('payloadHash').text('digest')), ...signature }
}

/**
 * Proves that `leaf` is the log's record of `envelope` signed with `spki`, or throws. Stock Sigstore verifiers compare
 * payload and signature; we compare the key as well.
 *
 * @throws {CountersignError} `leaf/mismatch`
 */
export function verifyLeaf(crypto: Crypto, leaf: Leaf, envelope: UnverifiedEnvelope, spki: Uint8Array): void {
  const same: readonly [string, boolean][] = [
    ['payload', equalBytes(leaf.payloadHash, crypto.sha256(envelope.payload))],
    ['signature', equalBytes(leaf.signature, envelope.signature)],
    ['key', equalBytes(leaf.spki, spki)],
  ]
  const other = same.find(([, equal]) => !equal)
  if (other !== undefined) {
    throw new CountersignError('leaf/mismatch', `the log's entry is for another ${other[0]}`)
  }
}

function malformed(): CountersignError {
  return new CountersignError('leaf/malformed', 'not a canonical dsse 0.0.2 log entry for P-256')
}
