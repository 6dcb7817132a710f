/** Dead Simple Signing Envelope. @spec DSSE v1.0.2 */
import { toBase64 } from '../bytes/base64.ts'
import { concat, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { verifyP256 } from '../crypto/keys.ts'
import { CountersignError } from '../errors.ts'

/** The only payload type we sign or read. */
export const STATEMENT_PAYLOAD_TYPE = 'application/vnd.in-toto+json'

/** Most bytes of a payload. The leaf holds its digest, so this bounds statements, not the log. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024

/** An envelope with exactly one signature, as Sigstore bundles require. Nothing about it is checked yet. */
export interface UnverifiedEnvelope {
  readonly payload: Uint8Array
  /** DER ECDSA P-256. */
  readonly signature: Uint8Array
  /** A hint at the key, never a reason to trust it. */
  readonly keyId: string
}

/** The bytes that are signed: type and payload with their lengths, so that neither can be read as the other. */
export function preAuthEncoding(payload: Uint8Array): Uint8Array {
  const header = `DSSEv1 ${STATEMENT_PAYLOAD_TYPE.length} ${STATEMENT_PAYLOAD_TYPE} ${payload.length} `
  return concat(utf8(header), payload)
}

/**
 * Reads an envelope; checks no signature.
 *
 * @throws {CountersignError} `shape/*`, `bytes/bad-base64`, `dsse/wrong-payload-type`
 */
export function parseEnvelope(value: Json, path: Path = 'envelope'): UnverifiedEnvelope {
  const fields = new Fields(value, path)
  const payloadType = fields.text('payloadType')
  if (payloadType !== STATEMENT_PAYLOAD_TYPE) {
    throw new CountersignError('dsse/wrong-payload-type', `the payload type is not ${STATEMENT_PAYLOAD_TYPE}`)
  }
  const payload = fields.base64('payload', Math.ceil(MAX_PAYLOAD_BYTES / 3) * 4)
  const signatures = fields.list('signatures', 1, (item, itemPath) => {
    const signature = new Fields(item, itemPath)
    const parsed = {
      signature: signature.base64('sig', 256),
      keyId: signature.optional('keyid', () => signature.text('keyid', { maxLength: 128, mayBeEmpty: true })) ?? '',
    }
    signature.end()
    return parsed
  })
  fields.end()
  const [only] = signatures
  if (only === undefined) throw new CountersignError('signature/malformed', 'the envelope has no signature')
  return { payload, ...only }
}

/** The JSON form of an envelope. */
export function formatEnvelope(envelope: UnverifiedEnvelope): Json {
  return {
    payload: toBase64(envelope.payload),
    payloadType: STATEMENT_PAYLOAD_TYPE,
    signatures: [{ sig: toBase64(envelope.signature), keyid: envelope.keyId }],
  }
}

/**
 * The payload of `envelope`, after its signature was checked under `spki`.
 *
 * Says nothing about who holds that key or when it signed.
 *
 * @throws {CountersignError} `key/malformed`, `signature/malformed`, `signature/invalid`
 */
export function openEnvelope(crypto: Crypto, envelope: UnverifiedEnvelope, spki: Uint8Array): Uint8Array {
  verifyP256(crypto, spki, preAuthEncoding(envelope.payload), envelope.signature)
  return envelope.payload
}
