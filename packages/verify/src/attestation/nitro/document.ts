/**
 * Attestation documents of AWS Nitro Enclaves: a COSE_Sign1 around a map. Parsed only: nothing here is proven.
 *
 * @spec RFC 9052 §4.2; aws-nitro-enclaves-nsm-api, docs/attestation_process.md
 */
import { CountersignError, quote } from '../../errors.ts'
import { type Cbor, type CborLimits, type CborMap, parseCbor, parseFirstCbor } from './cbor.ts'

/** Unverified. */
export interface NitroDocument {
  /** As it stands in the envelope: it is signed in this form. */
  readonly protectedHeader: Uint8Array
  readonly unprotectedHeader: CborMap
  readonly payload: Uint8Array
  /** r ‖ s, 96 bytes. */
  readonly signature: Uint8Array
  /** Bytes after the envelope, which nothing signs. */
  readonly trailingBytes: number
  readonly moduleId: string
  readonly timestampMs: number
  /** By index, 48 bytes each. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>
  /** DER of the certificate whose key signed. */
  readonly certificate: Uint8Array
  /** DER of its issuers, from the root down. */
  readonly cabundle: readonly Uint8Array[]
  readonly publicKey: Uint8Array | undefined
  readonly userData: Uint8Array | undefined
  readonly nonce: Uint8Array | undefined
}

const MAX_DOCUMENT_BYTES = 64 * 1024
const COSE_SIGN1_TAG = 0xd2
const SIGNATURE_BYTES = 96
const PCR_BYTES = 48
const MAX_PCR_INDEX = 31
const MAX_CERTIFICATE_BYTES = 1024
const MAX_ISSUERS = 7
const MAX_PUBLIC_KEY_BYTES = 1024
const MAX_USER_BYTES = 512
const MAX_MODULE_ID_LENGTH = 256

const ENVELOPE_LIMITS: CborLimits = {
  ...{ maxBytes: MAX_DOCUMENT_BYTES, maxContainers: 4, maxValues: 16, allowIndefinite: false },
}
/** AWS writes the map with an end mark, or used to write it with a length. */
const PAYLOAD_LIMITS: CborLimits = {
  ...{ maxBytes: MAX_DOCUMENT_BYTES, maxContainers: 8, maxValues: 128, allowIndefinite: true },
}

const FIELDS = [
  ...['module_id', 'digest', 'timestamp', 'pcrs', 'certificate', 'cabundle', 'public_key', 'user_data', 'nonce'],
]

/**
 * Reads a document, with or without the tag of COSE_Sign1 before it.
 *
 * @throws {CountersignError} `cbor/malformed`, `evidence/malformed`, `evidence/unsupported`
 */
export function parseNitroDocument(bytes: Uint8Array): NitroDocument {
  const tagBytes = bytes[0] === COSE_SIGN1_TAG ? 1 : 0
  const { value, length } = parseFirstCbor(bytes.subarray(tagBytes), ENVELOPE_LIMITS)
  if (!Array.isArray(value) || value.length !== 4) throw malformed('the envelope is not a list of four')
  const [protectedHeader, unprotectedHeader, payload, signature] = value as readonly Cbor[]
  if (!(unprotectedHeader instanceof Map)) throw malformed('the unprotected header is no map')
  const signatureBytes = bytesOf(signature, 'signature', SIGNATURE_BYTES)
  if (signatureBytes.length !== SIGNATURE_BYTES) throw malformed(`the signature is not of ${SIGNATURE_BYTES} bytes`)
  const signed = bytesOf(payload, 'payload', MAX_DOCUMENT_BYTES)
  return {
    protectedHeader: bytesOf(protectedHeader, 'protected header', 64),
    unprotectedHeader,
    payload: signed,
    signature: signatureBytes,
    trailingBytes: bytes.length - tagBytes - length,
    ...readPayload(parseCbor(signed, PAYLOAD_LIMITS)),
  }
}

function readPayload(payload: Cbor) {
  if (!(payload instanceof Map)) throw malformed('the payload is no map')
  const map = payload as CborMap
  for (const name of map.keys()) {
    if (FIELDS.includes(String(name))) continue
    throw new CountersignError('evidence/unsupported', `the document has a field ${quote(String(name))}`)
  }
  const digest = map.get('digest')
  if (digest !== 'SHA384')
    throw new CountersignError('evidence/unsupported', 'the digest of the document is not SHA384')
  const moduleId = map.get('module_id')
  if (typeof moduleId !== 'string' || moduleId === '' || moduleId.length > MAX_MODULE_ID_LENGTH) {
    throw malformed('the module has no name')
  }
  const timestampMs = map.get('timestamp')
  if (typeof timestampMs !== 'number' || timestampMs <= 0) throw malformed('there is no time')
  const optional = (name: string, max: number) => {
    const value = map.get(name) ?? null
    return value === null ? undefined : bytesOf(value, name, max)
  }
  return {
    ...{ moduleId, timestampMs, pcrs: readPcrs(map.get('pcrs')) },
    certificate: certificateOf(map.get('certificate')),
    cabundle: readBundle(map.get('cabundle')),
    publicKey: optional('public_key', MAX_PUBLIC_KEY_BYTES),
    userData: optional('user_data', MAX_USER_BYTES),
    nonce: optional('nonce', MAX_USER_BYTES),
  }
}

function readPcrs(value: Cbor | undefined): ReadonlyMap<number, Uint8Array> {
  if (!(value instanceof Map) || value.size === 0) throw malformed('there are no PCRs')
  const pcrs = new Map<number, Uint8Array>()
  for (const [index, content] of value as CborMap) {
    if (typeof index !== 'number' || index < 0 || index > MAX_PCR_INDEX) throw malformed('a PCR is not of 0 to 31')
    const bytes = bytesOf(content, `PCR${index}`, PCR_BYTES)
    if (bytes.length !== PCR_BYTES) throw malformed(`PCR${index} is not of ${PCR_BYTES} bytes`)
    pcrs.set(index, bytes)
  }
  return pcrs
}

function readBundle(value: Cbor | undefined): readonly Uint8Array[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ISSUERS) {
    throw malformed(`there are not 1 to ${MAX_ISSUERS} certificates of issuers`)
  }
  return value.map(certificateOf)
}

function certificateOf(value: Cbor | undefined): Uint8Array {
  const bytes = bytesOf(value, 'certificate', MAX_CERTIFICATE_BYTES)
  if (bytes.length === 0) throw malformed('a certificate is empty')
  return bytes
}

function bytesOf(value: Cbor | undefined, what: string, max: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(`${what}: expected bytes`)
  if (value.length > max) throw malformed(`${what}: more than ${max} bytes`)
  return value
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', `not an attestation document of Nitro: ${why}`)
}

/**
 * Where no signature reaches: the bytes after the envelope. Empty for bytes that are no document. The tag and the lengths of the
 * envelope are not signed either, and have one spelling each; the unprotected header has to be empty.
 */
export function unsignedRegions(bytes: Uint8Array): readonly { from: number; to: number; why: string }[] {
  try {
    const { trailingBytes } = parseNitroDocument(bytes)
    return [{ from: bytes.length - trailingBytes, to: Number.MAX_SAFE_INTEGER, why: 'after the envelope' }]
  } catch (thrown) {
    if (thrown instanceof CountersignError) return []
    throw thrown
  }
}
