/** Workloads on Google Confidential Space: a token whose nonces the workload chose, the first of them the digest of its key. */
import { toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { BindingInput, BindingProfile, BindingResult } from './binding-profile.ts'
import { besideFields, findSigned, lacking, lackOf, NO_ANSWER, readBeside, SIGNED_CHECKS } from './signed-bytes.ts'

const CHECKS = [...SIGNED_CHECKS, 'serving-key', 'key-bound', 'nonce'] as const

const MAX_KEY_TEXT = 1024

/** The key's digest, and a challenge: the order tells them apart, since a challenge may look like a digest too. */
const MAX_NONCES = 2

/**
 * `eat_nonce` begins with SHA-256 of the serving key's SubjectPublicKeyInfo, in hexadecimal; a challenge may follow. The token
 * does not say what the key is for, so that it counts for TLS and for signatures alike: either needs the private key.
 */
export const CONFIDENTIAL_SPACE: BindingProfile = {
  name: 'confidential-space',
  describes: 'a workload on Google Confidential Space: the digest of its serving key is the first nonce of the token',
  canShow: ['serving-key-bound'],
  bindsConnections: true,
  isTriedOnReal: false,
  bind({ crypto, evidence, items }: BindingInput): BindingResult {
    const list = new EvidenceChecks('binding', CHECKS)
    const item = findSigned(list, items, ['confidential-space'])
    const lacks = lackOf(evidence, 'servingKey')
    const digest = readBeside(list, 'serving-key', lacks, () => {
      const spki = besideFields(evidence).base64('servingKey', MAX_KEY_TEXT)
      if (spki.length === 0) throw new CountersignError('evidence/malformed', 'the serving key is empty')
      return toHex(crypto.sha256(spki))
    })
    const nonces =
      item === undefined || digest === undefined
        ? undefined
        : list.attempt('key-bound', () => requireFirst(item, digest))
    const isBound = nonces !== undefined && digest !== undefined
    const answersNonce = isBound && nonces.length === MAX_NONCES && item?.answersNonce === true
    if (answersNonce) list.attempt('nonce', () => undefined)
    else if (isBound) list.notChecked('nonce', NO_ANSWER)
    return {
      checks: list.list(),
      keys: isBound
        ? [
            { use: 'tls-key', sha256: digest },
            { use: 'signing-key', sha256: digest },
          ]
        : [],
      shown: [],
      ...lacking(lacks),
      answersNonce,
      doesNotProve: [
        'that the workload asks for tokens over its own key alone: that is for whoever reviewed the image',
        'what the key is used for',
        'which model answered',
      ],
    }
  },
}

function requireFirst({ claims }: Appraised, digest: string): readonly Json[] {
  const claim = claims.eat_nonce
  const nonces = Array.isArray(claim) ? (claim as readonly Json[]) : claim === undefined ? [] : [claim]
  if (nonces.length === 0 || nonces.length > MAX_NONCES) {
    throw new CountersignError(
      'evidence/malformed',
      `the token has ${nonces.length} nonces; a key has one, and a challenge may follow`,
    )
  }
  if (nonces[0] === digest) return nonces
  throw new CountersignError('evidence/mismatch', 'the first nonce of the token is not SHA-256 of the serving key')
}
