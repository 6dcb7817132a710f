/** What the log holds of a statement: digest of its payload, signature, key. @spec Rekor v2 `dsse` 0.0.2 */
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { equalBytes, parseUtf8, utf8 } from '../bytes/bytes.ts'
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

const BEFORE_DIGEST =
  '{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":{"algorithm":"SHA2_256","digest":"'
const BEFORE_SIGNATURE = '"},"signatures":[{"content":"'
const BEFORE_KEY = '","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"'
const END = '"}}}]}}}'

/** The exact bytes of a leaf: keys in canonical order, no white space. @spec RFC 8785 for this shape */
export function formatLeaf({ payloadHash, signature, spki }: Leaf): Uint8Array {
  const [digest, content, key] = [toBase64(payloadHash), toBase64(signature), toBase64(spki)]
  return utf8(`${BEFORE_DIGEST}${digest}${BEFORE_SIGNATURE}${content}${BEFORE_KEY}${key}${END}`)
}

/**
 * Reads a leaf. Bytes that are not exactly what {@link formatLeaf} writes are refused, so that a leaf has one spelling.
 *
 * @throws {CountersignError} `leaf/malformed`
 */
export function parseLeaf(bytes: Uint8Array): Leaf {
  if (bytes.length > MAX_ENTRY_BYTES) throw malformed()
  try {
    const text = parseUtf8(bytes)
    const signatureAt = text.indexOf(BEFORE_SIGNATURE)
    const keyAt = text.indexOf(BEFORE_KEY)
    if (!text.startsWith(BEFORE_DIGEST) || signatureAt < 0 || keyAt < signatureAt || !text.endsWith(END))
      throw malformed()
    // Strict base64 has one spelling, and no quotation mark: so the three parts are all that can differ.
    return {
      payloadHash: parseBase64(text.slice(BEFORE_DIGEST.length, signatureAt)),
      signature: parseBase64(text.slice(signatureAt + BEFORE_SIGNATURE.length, keyAt)),
      spki: parseBase64(text.slice(keyAt + BEFORE_KEY.length, -END.length)),
    }
  } catch {
    throw malformed()
  }
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
