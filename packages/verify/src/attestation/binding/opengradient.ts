/** OpenGradient: a proxy in a Nitro enclave, whose TLS certificate and signing key are in the user data. */

import { concat, parseHex, toHex } from '../../bytes/bytes.ts'
import { keccak256 } from '../../crypto/ethereum.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { BindingInput, BindingProfile, BindingResult } from './binding-profile.ts'
import {
  besideFields,
  boundBytes,
  findSigned,
  isBlank,
  looseHex,
  NO_ANSWER,
  requireEqual,
  SIGNED_CHECKS,
} from './signed-bytes.ts'

const CHECKS = [...SIGNED_CHECKS, 'tls-certificate', 'signing-key', 'tee-id', 'pcr-hash', 'nonce'] as const
type Checks = EvidenceChecks<(typeof CHECKS)[number]>

/** Two digests, each behind two bytes that say which hash it is. What those bytes must be is not documented: they are not read. */
const USER_DATA_BYTES = 68
const TLS_CERTIFICATE_AT = 2
const SIGNING_KEY_AT = 36
const DIGEST_BYTES = 32
const PCR_BYTES = 48
const MAX_KEY_TEXT = 1024

/** OpenGradient's name of one enclave's key: Keccak-256 of its SubjectPublicKeyInfo. */
export function openGradientTeeId(spki: Uint8Array): Uint8Array {
  return keccak256(spki)
}

/** User data: 2 bytes ‖ SHA-256(TLS certificate) ‖ 2 bytes ‖ SHA-256(signing key, SubjectPublicKeyInfo). */
export const OPENGRADIENT: BindingProfile = {
  name: 'opengradient',
  describes:
    'OpenGradient: an enclave that passes requests on; its TLS certificate and signing key are in the user data',
  canShow: ['serving-key-bound'],
  bindsConnections: true,
  isTriedOnReal: false,
  bind(input: BindingInput): BindingResult {
    const list: Checks = new EvidenceChecks('binding', CHECKS)
    const item = findSigned(list, input.items, ['nitro'])
    const certificate = item && list.attempt('tls-certificate', () => digestAt(item, TLS_CERTIFICATE_AT))
    const key = item && list.attempt('signing-key', () => digestAt(item, SIGNING_KEY_AT))
    if (key !== undefined) checkTeeId(list, input, key)
    if (item !== undefined) {
      checkPcrHash(list, input, item)
      if (item.answersNonce) list.attempt('nonce', () => undefined)
      else list.notChecked('nonce', NO_ANSWER)
    }
    return {
      checks: list.list(),
      keys: [
        ...(certificate === undefined ? [] : [{ use: 'tls-certificate', sha256: toHex(certificate) } as const]),
        ...(key === undefined ? [] : [{ use: 'signing-key', sha256: toHex(key) } as const]),
      ],
      shown: [],
      answersNonce: list.passed('nonce'),
      doesNotProve: [
        'which model answered: the enclave passes requests on to providers that attest nothing',
        'where the model ran',
      ],
    }
  },
}

function digestAt(item: Appraised, at: number): Uint8Array {
  const digest = boundBytes(item, USER_DATA_BYTES).subarray(at, at + DIGEST_BYTES)
  if (!isBlank(digest)) return digest
  throw new CountersignError('evidence/malformed', 'the user data has zeros where a digest should be')
}

/** The registry of the provider knows enclaves by their key: what it says beside the evidence must be about the bound key. */
function checkTeeId(list: Checks, { crypto, evidence }: BindingInput, bound: Uint8Array): void {
  const beside = besideFields(evidence)
  if (!beside.has('teeId') && !beside.has('publicKey')) {
    list.notChecked('tee-id', 'neither a key nor its id was given beside the evidence')
    return
  }
  list.attempt('tee-id', () => {
    const spki = beside.base64('publicKey', MAX_KEY_TEXT)
    requireEqual(crypto.sha256(spki), bound, 'the key beside the evidence is not the one in the user data')
    if (!beside.has('teeId')) return
    requireEqual(looseHex(beside, 'teeId', DIGEST_BYTES), openGradientTeeId(spki), 'the TEE id is of another key')
  })
}

function checkPcrHash(list: Checks, { evidence }: BindingInput, { measurements }: Appraised): void {
  const beside = besideFields(evidence)
  if (!beside.has('pcrHash')) {
    list.notChecked('pcr-hash', 'no hash of the measurements was given beside the evidence')
    return
  }
  list.attempt('pcr-hash', () => {
    const pcrs = ['pcr0', 'pcr1', 'pcr2'].map((name) => parseHex(measurements[name] ?? '', PCR_BYTES))
    requireEqual(
      looseHex(beside, 'pcrHash', DIGEST_BYTES),
      keccak256(concat(...pcrs)),
      'the hash of the measurements is of other measurements',
    )
  })
}
