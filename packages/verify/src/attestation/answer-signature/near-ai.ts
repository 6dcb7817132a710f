/** Answers that NEAR AI signs: an Ethereum signature over the hashes of the exact request and answer. */
import { concat, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { keccak256, recoverSecp256k1 } from '../../crypto/ethereum.ts'
import { CountersignError } from '../../errors.ts'
import { ethereumAddress } from '../binding/aci-key-set.ts'
import type { BoundKey } from '../binding/binding-profile.ts'
import type { AnswerBytes, AnswerSignature } from './answer-signature.ts'

export interface NearAiSignature {
  readonly scheme: 'near-ai'
  /** `[model:]sha256(request):sha256(response)`. */
  readonly text: string
  /** r ‖ s ‖ v, 65 bytes. */
  readonly signature: Uint8Array
}

/** The longest text that is looked at: a model's name and two digests. */
export const MAX_SIGNED_TEXT = 512

const TEXT = /^(?:([^\n]+):)?([0-9a-f]{64}):([0-9a-f]{64})$/
const R_AND_S_BYTES = 64
const SIGNATURE_BYTES = 65

/**
 * Proves that a key which evidence binds signed the hashes of exactly this request and this answer, or throws.
 *
 * Proves nothing of when, nor that the model named in the text is the one that ran.
 *
 * @throws {CountersignError} `signature/malformed`, `signature/invalid`, `signature/unknown-key`, `evidence/malformed`,
 *   `evidence/mismatch`
 */
export function verifyNearAi(
  crypto: Crypto,
  keys: readonly BoundKey[],
  { request, response }: AnswerBytes,
  { text, signature }: NearAiSignature,
): AnswerSignature {
  const [, model, ofRequest, ofResponse] = text.length > MAX_SIGNED_TEXT ? [] : (TEXT.exec(text) ?? [])
  if (ofRequest === undefined) {
    throw new CountersignError(
      'evidence/malformed',
      'what was signed is not two hashes with, perhaps, a model before them',
    )
  }
  const address = toHex(recoverAddress(text, signature))
  const signer = keys.find((key) => key.use === 'ethereum-address' && key.address === address)
  if (signer === undefined)
    throw new CountersignError('signature/unknown-key', 'no evidence binds the address that signed the answer')
  requireHash(crypto, request, ofRequest, 'request')
  requireHash(crypto, response, ofResponse ?? '', 'answer')
  return {
    signer,
    covers: [
      'the exact bytes of the request',
      'the exact bytes of the answer',
      ...(model === undefined ? [] : ['the name of the model, as the signer gives it']),
    ],
    doesNotCover: [
      'the time',
      'a nonce',
      ...(model === undefined ? ['the name of the model beyond what request and answer say'] : []),
    ],
  }
}

/** The address whose signature over `text`, as a personal message, this is. @spec EIP-191, version 0x45 */
function recoverAddress(text: string, signature: Uint8Array): Uint8Array {
  const v = signature[R_AND_S_BYTES] ?? 0
  const parity = v >= 27 ? v - 27 : v
  if (signature.length !== SIGNATURE_BYTES || parity > 1) {
    throw new CountersignError(
      'signature/malformed',
      'not an Ethereum signature of 65 bytes that ends in 0, 1, 27 or 28',
    )
  }
  const message = utf8(text)
  const digest = keccak256(concat(utf8(`\u0019Ethereum Signed Message:\n${message.length}`), message))
  const publicKey = recoverSecp256k1(digest, signature.subarray(0, R_AND_S_BYTES), parity === 1)
  if (publicKey === undefined) throw new CountersignError('signature/invalid', 'the signature is of no key')
  return ethereumAddress(publicKey)
}

function requireHash(crypto: Crypto, bytes: Uint8Array, hash: string, what: string): void {
  if (toHex(crypto.sha256(bytes)) === hash) return
  throw new CountersignError('evidence/mismatch', `what was signed is another ${what}`)
}
