/** A provider's signature on one answer, as a file: its bytes are what a statement commits to. @spec spec/provider-signatures.md */
import { toBase64 } from '../../bytes/base64.ts'
import { parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import { type Json, PAYLOAD_LIMITS, parseJson } from '../../bytes/json.ts'
import { Fields, type Path } from '../../bytes/shape.ts'
import type { AciSignature } from './aci.ts'
import { MAX_SIGNED_TEXT, type NearAiSignature } from './near-ai.ts'
import type { OpenGradientSignature } from './opengradient.ts'

export const PROVIDER_SIGNATURE_FORMAT = 'countersign-provider-signature/v1'

/** How providers sign answers, by whom it is done. */
export const SIGNATURE_SCHEMES = ['opengradient', 'near-ai', 'aci'] as const
export type SignatureScheme = (typeof SIGNATURE_SCHEMES)[number]

/** Nothing in it is checked yet. */
export type ProviderSignature = OpenGradientSignature | NearAiSignature | AciSignature

const MAX_KEY_TEXT = 1024
const MAX_SIGNATURE_TEXT = 1024
const MAX_SECONDS = 8_640_000_000_000

/**
 * Reads the file of a signature; checks no signature.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`
 */
export function parseProviderSignature(bytes: Uint8Array): ProviderSignature {
  return readProviderSignature(parseJson(bytes, PAYLOAD_LIMITS), 'signature')
}

/**
 * Reads a signature from parsed JSON.
 *
 * @throws {CountersignError} `shape/*`, `bytes/*`
 */
export function readProviderSignature(value: Json, path: Path): ProviderSignature {
  const fields = new Fields(value, path)
  fields.literal('format', PROVIDER_SIGNATURE_FORMAT)
  const read = READERS[fields.oneOf('scheme', SIGNATURE_SCHEMES)](fields)
  fields.end()
  return read
}

const READERS: { readonly [scheme in SignatureScheme]: (fields: Fields) => ProviderSignature } = {
  opengradient: (fields) => ({
    scheme: 'opengradient',
    signature: fields.base64('signature', MAX_SIGNATURE_TEXT),
    publicKey: fields.base64('publicKey', MAX_KEY_TEXT),
    signedAtSeconds: fields.integer('signedAtSeconds', 0, MAX_SECONDS),
    teeId: parseHex(fields.hex('teeId', 32), 32),
  }),
  'near-ai': (fields) => ({
    scheme: 'near-ai',
    text: fields.text('text', { maxLength: MAX_SIGNED_TEXT }),
    signature: parseHex(fields.hex('signature', 65), 65),
  }),
  aci: (fields) => {
    fields.object('receipt')
    return { scheme: 'aci', receipt: fields.required('receipt') }
  },
}

/** The bytes of a signature's file. */
export function formatProviderSignature(signature: ProviderSignature): Uint8Array {
  return utf8(JSON.stringify({ format: PROVIDER_SIGNATURE_FORMAT, scheme: signature.scheme, ...membersOf(signature) }))
}

function membersOf(signature: ProviderSignature): { readonly [name: string]: Json } {
  switch (signature.scheme) {
    case 'opengradient':
      return {
        signature: toBase64(signature.signature),
        publicKey: toBase64(signature.publicKey),
        signedAtSeconds: signature.signedAtSeconds,
        teeId: toHex(signature.teeId),
      }
    case 'near-ai':
      return { text: signature.text, signature: toHex(signature.signature) }
    case 'aci':
      return { receipt: signature.receipt }
  }
}
