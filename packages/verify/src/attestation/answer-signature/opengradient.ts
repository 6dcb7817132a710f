/** Answers that OpenGradient's proxy signs: RSA-PSS over Keccak-256 of request, answer and time. */
import { concat, equalBytes, toHex } from '../../bytes/bytes.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { keccak256 } from '../../crypto/ethereum.ts'
import { CountersignError } from '../../errors.ts'
import type { BoundKey } from '../binding/binding-profile.ts'
import { openGradientTeeId } from '../binding/opengradient.ts'
import type { AnswerBytes, AnswerSignature } from './answer-signature.ts'
import { signedRequest } from './opengradient-request.ts'
import { signedResponse } from './opengradient-response.ts'
import { parseRsa2048Spki } from './rsa-public-key.ts'

/** What the provider hands out with an answer, and the key that it names by id alone. */
export interface OpenGradientSignature {
  readonly scheme: 'opengradient'
  /** 256 bytes. */
  readonly signature: Uint8Array
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array
  readonly signedAtSeconds: number
  /** Keccak-256 of the key, 32 bytes. */
  readonly teeId: Uint8Array
}

const MS_PER_SECOND = 1000
const PSS = { padding: 'pss', hash: 'sha256', saltBytes: 32 } as const

/**
 * Proves that a key which evidence binds signed this request and this answer, or throws.
 *
 * Proves nothing of the model, which the proxy only passes requests on to, nor of usage: neither is signed.
 *
 * @throws {CountersignError} `signature/unknown-key`, `signature/invalid`, `key/malformed`, `evidence/mismatch`,
 *   `evidence/unsupported`, `json/*`, `bytes/*`
 */
export function verifyOpenGradient(
  crypto: Crypto,
  keys: readonly BoundKey[],
  { request, response }: AnswerBytes,
  { signature, publicKey, signedAtSeconds, teeId }: OpenGradientSignature,
): AnswerSignature {
  const digest = toHex(crypto.sha256(publicKey))
  const signer = keys.find((key) => key.use === 'signing-key' && key.sha256 === digest)
  if (signer === undefined)
    throw new CountersignError('signature/unknown-key', 'no evidence binds the key that signed the answer')
  if (!equalBytes(openGradientTeeId(publicKey), teeId)) {
    throw new CountersignError('evidence/mismatch', 'the TEE id is of another key than the one that signed')
  }
  const rsaKey = parseRsa2048Spki(publicKey)
  const asked = signedRequest(request)
  const answered = signedResponse(response)
  const message = keccak256(keccak256(asked.text), keccak256(answered.text), uint256BigEndian(signedAtSeconds))
  if (!crypto.rsaAccepts(rsaKey, PSS, message, signature)) {
    throw new CountersignError(
      'signature/invalid',
      'the provider’s signature is not over this request, answer and time',
    )
  }
  return {
    signer,
    covers: [
      'the model that was asked for, the messages, and what else the signer takes from a request',
      answered.isToolCalls ? 'the tool calls of the answer' : 'the text of the answer',
      'the time, to the second, by the signer’s clock',
    ],
    doesNotCover: [
      ...[
        'usage',
        'the reason why the answer ended',
        'the model that served',
        'a nonce',
        'whether the signed text was an answer or tool calls',
      ],
      ...(answered.isToolCalls
        ? ['text beside the tool calls']
        : ['images, and other parts of the answer beside its text']),
      ...asked.unsigned,
    ],
    signedAtMs: signedAtSeconds * MS_PER_SECOND,
  }
}

function uint256BigEndian(value: number): Uint8Array {
  const tail = new Uint8Array(8)
  new DataView(tail.buffer).setBigUint64(0, BigInt(value))
  return concat(new Uint8Array(24), tail)
}
