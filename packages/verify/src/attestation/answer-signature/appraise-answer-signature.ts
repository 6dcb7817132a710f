/** What a provider's signature adds to an answer, given the keys that evidence of its place binds. */
import type { Crypto } from '../../crypto/crypto.ts'
import type { BoundKey } from '../binding/binding-profile.ts'
import { type EvidenceCheck, EvidenceChecks } from '../checks.ts'
import { verifyAci } from './aci.ts'
import type { AnswerBytes, AnswerSignature } from './answer-signature.ts'
import { verifyNearAi } from './near-ai.ts'
import { verifyOpenGradient } from './opengradient.ts'
import { type ProviderSignature, parseProviderSignature } from './provider-signature.ts'

/** Whether the answer is signed, and by what. */
export interface AppraisedSignature {
  readonly checks: readonly EvidenceCheck[]
  /** Present exactly when every check passed: then the answer is `provider-signed`. */
  readonly signed?: AnswerSignature
  /** One sentence. */
  readonly reason: string
  /** What stays open, as "that …". */
  readonly doesNotProve: readonly string[]
}

const CHECKS = ['format', 'keys', 'signature'] as const

const ALWAYS_OPEN = [
  'that the weights of that model ran: the signer says what it answered, not how it came by it',
  'that the answer is correct, fair or useful for the person it concerns',
]

/**
 * Appraises the file of a provider's signature over the exact bytes of one request and answer. `keys` are those that an accepted
 * appraisal of the place binds: a signature by any other key shows nothing.
 *
 * Says nothing of the place itself, nor of whether the answer is what a model gives: a grade above this one runs it again.
 */
export function appraiseAnswerSignature(
  crypto: Crypto,
  keys: readonly BoundKey[],
  answer: AnswerBytes,
  file: Uint8Array,
): AppraisedSignature {
  const list = new EvidenceChecks('answer-signature', CHECKS)
  const signature = list.attempt('format', () => parseProviderSignature(file))
  if (keys.length > 0) list.attempt('keys', () => undefined)
  else list.notChecked('keys', 'no evidence of the place binds a key')
  const signed =
    signature === undefined || keys.length === 0
      ? undefined
      : list.attempt('signature', () => verifyProviderSignature(crypto, keys, answer, signature))
  const checks = list.list()
  if (signed === undefined) {
    const open = checks.find(({ result }) => result !== 'pass')
    return { checks, reason: open?.detail ?? 'the answer is not signed', doesNotProve: ALWAYS_OPEN }
  }
  return {
    checks,
    signed,
    reason: `a key that is bound to the place (${signed.signer.use}) signed ${signed.covers.join('; ')}`,
    doesNotProve: [
      `that these are as the signer gave them, since they are not signed: ${signed.doesNotCover.join('; ')}`,
      ...ALWAYS_OPEN,
    ],
  }
}

/**
 * Proves that one of `keys` signed the answer, or throws.
 *
 * @throws {CountersignError} what the verifier of the scheme throws
 */
export function verifyProviderSignature(
  crypto: Crypto,
  keys: readonly BoundKey[],
  answer: AnswerBytes,
  signature: ProviderSignature,
): AnswerSignature {
  switch (signature.scheme) {
    case 'opengradient':
      return verifyOpenGradient(crypto, keys, answer, signature)
    case 'near-ai':
      return verifyNearAi(crypto, keys, answer, signature)
    case 'aci':
      return verifyAci(crypto, keys, answer, signature)
  }
}
