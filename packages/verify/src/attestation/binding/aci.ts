/** Private AI Gateways (Attested Confidential Inference): one key set, bound with the challenge, endorsed by its identity. */

import { equalBytes, parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import { canonicalJson } from '../../bytes/canonical-json.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { recoverSecp256k1 } from '../../crypto/ethereum.ts'
import { CountersignError } from '../../errors.ts'
import { EvidenceChecks } from '../checks.ts'
import { type AciKey, type AciKeySet, boundKeysOf, readAciKeySet } from './aci-key-set.ts'
import type { BindingInput, BindingProfile, BindingResult } from './binding-profile.ts'
import {
  besideFields,
  boundBytes,
  findSigned,
  lacking,
  lackOf,
  NO_CHALLENGE,
  padded,
  REPORT_DATA_BYTES,
  readBeside,
  requireEqual,
  SIGNED_CHECKS,
} from './signed-bytes.ts'

const CHECKS = [...SIGNED_CHECKS, 'key-set', 'report-data', 'endorsement', 'key-set-current', 'nonce'] as const

const MS_PER_SECOND = 1000
const SIGNATURE_BYTES = 64

/**
 * Report data: SHA-256 of the canonical statement of identity, key set and challenge (the challenge as lower-case hexadecimal,
 * `null` without one), and zeros. The identity key signs the key set's digest as well; both are needed.
 *
 * @spec ACI (draft) aci/1 §4.2–4.4
 */
export const ACI: BindingProfile = {
  name: 'aci',
  describes: 'a Private AI Gateway: the digest of its key set and the challenge are in the report data',
  canShow: ['serving-key-bound'],
  bindsConnections: true,
  isTriedOnReal: false,
  bind(input: BindingInput): BindingResult {
    const list = new EvidenceChecks('binding', CHECKS)
    const { crypto, evidence } = input
    const item = findSigned(list, input.items, ['tdx', 'sev-snp'])
    const beside = besideFields(evidence)
    const lacks = lackOf(evidence, 'workload_keyset')
    const set = readBeside(list, 'key-set', lacks, () =>
      readAciKeySet(crypto, beside.required('workload_keyset'), 'beside.workload_keyset'),
    )
    if (set !== undefined) {
      if (item !== undefined) {
        const expected = aciReportData(crypto, set, evidence.nonce)
        const otherwise = 'the report data is not the digest of the key set and the challenge'
        list.attempt('report-data', () => requireEqual(boundBytes(item, REPORT_DATA_BYTES), expected, otherwise))
      }
      list.attempt('endorsement', () => requireEndorsement(input, set))
      list.attempt('key-set-current', () => requireCurrent(set, input.atMs))
    }
    const isBound = list.passed('genuine', 'key-set', 'report-data', 'endorsement', 'key-set-current')
    const answersNonce = list.passed('report-data') && evidence.nonce.length > 0
    if (answersNonce) list.attempt('nonce', () => undefined)
    else if (list.passed('report-data')) list.notChecked('nonce', NO_CHALLENGE)
    return {
      checks: list.list(),
      keys: isBound && set !== undefined ? boundKeysOf(set) : [],
      ...(isBound && set !== undefined ? { keysUntilMs: set.notAfterSeconds * MS_PER_SECOND } : {}),
      shown: [],
      ...lacking(lacks),
      answersNonce,
      doesNotProve: [
        'that the private keys never left the workload: how they are kept is not checked here',
        'what upstream answered beyond the gateway’s own word for it',
        'that a key is used for the host name that the key set gives it',
      ],
    }
  },
}

/** The report data that binds a key set and a challenge. */
export function aciReportData(crypto: Crypto, set: AciKeySet, nonce: Uint8Array): Uint8Array {
  const statement = canonicalJson({
    purpose: 'aci.report_data.v1',
    workload_id: set.workloadId,
    workload_keyset_digest: set.digest,
    nonce: nonce.length === 0 ? null : toHex(nonce),
  })
  return padded(crypto.sha256(utf8(statement)), REPORT_DATA_BYTES)
}

function requireEndorsement({ crypto, evidence }: BindingInput, set: AciKeySet): void {
  const fields = besideFields(evidence).object('keyset_endorsement')
  const algorithm = fields.text('algo', { maxLength: 64 })
  const signature = parseHex(fields.text('value', { maxLength: 2 * SIGNATURE_BYTES }), SIGNATURE_BYTES)
  if (algorithm !== set.identity.algorithm) {
    throw new CountersignError('evidence/mismatch', 'the endorsement names another algorithm than the identity key has')
  }
  const payload = utf8(canonicalJson({ purpose: 'aci.keyset.endorsement.v1', workload_keyset_digest: set.digest }))
  if (accepts(crypto, set.identity, payload, signature)) return
  throw new CountersignError('signature/invalid', 'the identity key did not endorse this key set')
}

function accepts(
  crypto: Crypto,
  { algorithm, publicKey }: AciKey,
  payload: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm === 'ed25519') return crypto.ed25519Accepts(publicKey, payload, signature)
  const digest = crypto.sha256(payload)
  return [false, true].some((isOdd) => {
    const signer = recoverSecp256k1(digest, signature, isOdd)
    return signer !== undefined && equalBytes(signer, publicKey)
  })
}

function requireCurrent({ notAfterSeconds }: AciKeySet, atMs: number): void {
  if (atMs < notAfterSeconds * MS_PER_SECOND) return
  throw new CountersignError('evidence/refused', 'the key set may not be used any more at the time of the appraisal')
}
