/** Signers of answers as providers have them, with keys made up for tests. */
import { constants, generateKeyPairSync, sign } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { concat, parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import { canonicalJson } from '../../bytes/canonical-json.ts'
import type { Json } from '../../bytes/json.ts'
import { keccak256 } from '../../crypto/ethereum.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { BoundKey } from '../binding/binding-profile.ts'
import type { AciSignature } from './aci.ts'
import type { AnswerBytes } from './answer-signature.ts'
import type { NearAiSignature } from './near-ai.ts'
import type { OpenGradientSignature } from './opengradient.ts'

export const crypto = createNodeCrypto()
export const AT_SECONDS = 1_790_000_000

export interface RsaSigner {
  readonly spki: Uint8Array
  readonly key: BoundKey
  /** Signs what Python would have hashed. */
  sign(request: string, response: string, atSeconds?: number, saltLength?: number): OpenGradientSignature
}

/** Makes a key anew: a signature of another run is another one. */
export function rsaSigner(): RsaSigner {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
  return {
    spki,
    key: { use: 'signing-key', sha256: toHex(crypto.sha256(spki)) },
    sign(request, response, atSeconds = AT_SECONDS, saltLength = 32) {
      const time = parseHex(atSeconds.toString(16).padStart(64, '0'))
      const message = keccak256(keccak256(utf8(request)), keccak256(utf8(response)), time)
      const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
      const signature = new Uint8Array(sign('sha256', message, { key: privateKey, ...padding }))
      return {
        scheme: 'opengradient',
        signature,
        publicKey: spki,
        signedAtSeconds: atSeconds,
        teeId: keccak256(spki),
      }
    },
  }
}

/** The address of the key whose secret is filled with one byte. */
export function addressOf(fill: number): BoundKey {
  const point = secp256k1.getPublicKey(new Uint8Array(32).fill(fill), false)
  return { use: 'ethereum-address', address: toHex(keccak256(point.subarray(1)).subarray(12)) }
}

/** r ‖ s ‖ v over a digest, v from `base` on. */
export function ethereumSign(fill: number, digest: Uint8Array, base = 27): Uint8Array {
  const secret = new Uint8Array(32).fill(fill)
  const recovered = secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' })
  return concat(recovered.subarray(1), Uint8Array.of(base + (recovered[0] ?? 0)))
}

export function nearText({ request, response }: AnswerBytes, model?: string): string {
  const hashes = `${toHex(crypto.sha256(request))}:${toHex(crypto.sha256(response))}`
  return model === undefined ? hashes : `${model}:${hashes}`
}

export function nearSignature(text: string, fill = 1, base = 27): NearAiSignature {
  const bytes = utf8(text)
  const digest = keccak256(utf8(`\x19Ethereum Signed Message:\n${bytes.length}`), bytes)
  return { scheme: 'near-ai', text, signature: ethereumSign(fill, digest, base) }
}

export const ED25519_KEY: BoundKey = {
  use: 'ed25519',
  publicKey: toHex(ed25519.getPublicKey(new Uint8Array(32).fill(2))),
}

const hash = (bytes: Uint8Array) => `sha256:${toHex(crypto.sha256(bytes))}`

/** A receipt without its signature. */
export function aciReceipt({ request, response }: AnswerBytes, forwarded = request): { readonly [name: string]: Json } {
  return {
    api_version: 'aci/1',
    receipt_id: 'one',
    chat_id: null,
    model: 'm',
    workload_id: hash(utf8('workload')),
    workload_keyset_digest: hash(utf8('set')),
    endpoint: '/v1/chat/completions',
    method: 'POST',
    served_at: AT_SECONDS,
    event_log: [
      { seq: 0, type: 'request.received', body_hash: hash(request) },
      { seq: 1, type: 'request.forwarded', body_hash: hash(forwarded) },
      { seq: 3, type: 'upstream.verified', result: 'verified', extra: { '\u00e9': [1, 2] } },
      { seq: 4, type: 'response.returned', cleartext_hash: hash(response), wire_hash: hash(response) },
    ],
  }
}

export function signReceipt(
  receipt: { readonly [name: string]: Json },
  algo: 'ed25519' | 'ecdsa-secp256k1' = 'ed25519',
): AciSignature {
  const unsigned = { algo, key_id: 'a' }
  const message = utf8(canonicalJson({ ...receipt, signature: unsigned }))
  const value =
    algo === 'ed25519' ? ed25519.sign(message, new Uint8Array(32).fill(2)) : ethereumSign(1, crypto.sha256(message), 0)
  return { scheme: 'aci', receipt: { ...receipt, signature: { ...unsigned, value: toHex(value) } } }
}
