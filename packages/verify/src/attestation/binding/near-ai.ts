/** NEAR AI Cloud: an Ethereum key that signs answers, perhaps a TLS key, and the challenge, in the report data. */
import { equalBytes, toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import { isTeeKind } from '../vocabulary.ts'
import type { BindingInput, BindingProfile, BindingResult, BoundKey } from './binding-profile.ts'
import {
  besideFields,
  boundBytes,
  findSigned,
  lacking,
  lackOf,
  looseHex,
  NO_CHALLENGE,
  padded,
  REPORT_DATA_BYTES,
  readBeside,
  requireEqual,
  SIGNED_CHECKS,
} from './signed-bytes.ts'

const CHECKS = [...SIGNED_CHECKS, 'signing-address', 'address-bound', 'tls-fingerprint', 'nonce', 'gpu-nonce'] as const
type Checks = EvidenceChecks<(typeof CHECKS)[number]>

const ADDRESS_BYTES = 20
const HALF_BYTES = 32

/**
 * First half of the report data: the address (20 bytes) and zeros, or SHA-256(address ‖ fingerprint of the TLS key). Second
 * half: the challenge.
 *
 * GPUs answer the same challenge. That shows no common machine: whoever has the challenge can put it to any GPU anywhere, and
 * the processor signs nothing of what the GPUs said. Not even known code closes this, because the file does not tell who
 * collected it. So the fact `gpu-same-session` is never shown here.
 */
export const NEAR_AI: BindingProfile = {
  name: 'near-ai',
  describes:
    'NEAR AI: the address of the key that signs answers, perhaps a TLS key, and the challenge are in the report data',
  canShow: ['serving-key-bound'],
  bindsConnections: true,
  isTriedOnReal: false,
  bind(input: BindingInput): BindingResult {
    const list: Checks = new EvidenceChecks('binding', CHECKS)
    const { evidence } = input
    const lacks = lackOf(evidence, 'signing_address')
    const item = findSigned(list, input.items, ['tdx'])
    const address = readBeside(list, 'signing-address', lacks, () => readAddress(input))
    const keys = item === undefined || address === undefined ? [] : bindKeys(list, input, item, address)
    const answersNonce = item !== undefined && checkNonce(list, evidence.nonce, item)
    checkGpus(list, input.items, evidence.nonce)
    return {
      checks: list.list(),
      keys,
      shown: [],
      ...lacking(lacks),
      answersNonce,
      doesNotProve: [
        'that the GPUs are in the same machine: one challenge can be put to any GPU',
        'that the machine which signs is the one that ran the model, where a gateway stands before it',
        'which weights were loaded',
      ],
    }
  },
}

function readAddress({ evidence }: BindingInput): Uint8Array {
  const beside = besideFields(evidence)
  const algorithm = beside.has('signing_algo') ? beside.text('signing_algo') : 'ecdsa'
  if (algorithm === 'ecdsa') return looseHex(beside, 'signing_address', ADDRESS_BYTES)
  throw new CountersignError('evidence/unsupported', `keys of ${algorithm} are not read; ask for ecdsa`)
}

function bindKeys(
  list: Checks,
  { crypto, evidence }: BindingInput,
  item: Appraised,
  address: Uint8Array,
): readonly BoundKey[] {
  const beside = besideFields(evidence)
  const half = item.boundData?.subarray(0, HALF_BYTES) ?? new Uint8Array(0)
  let fingerprint: Uint8Array | undefined
  if (beside.has('tls_cert_fingerprint')) {
    fingerprint = list.attempt('tls-fingerprint', () => {
      const given = looseHex(beside, 'tls_cert_fingerprint', HALF_BYTES)
      requireEqual(half, crypto.sha256(address, given), 'the report data does not cover the fingerprint of the TLS key')
      return given
    })
  } else {
    list.notChecked('tls-fingerprint', 'no fingerprint of a TLS key was given')
  }
  list.attempt('address-bound', () => {
    boundBytes(item, REPORT_DATA_BYTES)
    if (fingerprint !== undefined) return
    requireEqual(half, padded(address, HALF_BYTES), 'the report data does not hold the signing address')
  })
  if (!list.passed('address-bound')) return []
  const signer: BoundKey = { use: 'ethereum-address', address: toHex(address) }
  return fingerprint === undefined ? [signer] : [signer, { use: 'tls-key', sha256: toHex(fingerprint) }]
}

function checkNonce(list: Checks, nonce: Uint8Array, item: Appraised): boolean {
  if (nonce.length === 0) {
    list.notChecked('nonce', NO_CHALLENGE)
    return false
  }
  list.attempt('nonce', () =>
    requireEqual(
      boundBytes(item, REPORT_DATA_BYTES).subarray(HALF_BYTES),
      nonce,
      'the report data holds another challenge',
    ),
  )
  return list.passed('nonce')
}

function checkGpus(list: Checks, items: readonly Appraised[], nonce: Uint8Array): void {
  const gpus = items.filter(({ kind }) => !isTeeKind(kind))
  if (gpus.length === 0 || nonce.length === 0) {
    list.notChecked('gpu-nonce', gpus.length === 0 ? 'there is no evidence of a GPU' : NO_CHALLENGE)
    return
  }
  if (gpus.some(({ isGenuine }) => !isGenuine)) {
    list.notChecked('gpu-nonce', 'the evidence of a GPU is not shown to be genuine')
    return
  }
  list.attempt('gpu-nonce', () => {
    if (gpus.every(({ boundData }) => boundData !== undefined && equalBytes(boundData, nonce))) return
    throw new CountersignError('evidence/mismatch', 'a GPU answers another challenge than the processor')
  })
}
