/** How a gateway of ours ties the key that signs its statements to the machine that it runs on. */
import { toHex } from '../../bytes/bytes.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { parseP256Spki } from '../../crypto/keys.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { BindingInput, BindingProfile, BindingResult } from './binding-profile.ts'
import {
  besideFields,
  boundBytes,
  findSigned,
  lacking,
  lackOf,
  NO_ANSWER,
  NO_CHALLENGE,
  REPORT_DATA_BYTES,
  readBeside,
  requireEqual,
  SIGNED_CHECKS,
} from './signed-bytes.ts'

const CHECKS = [...SIGNED_CHECKS, 'signing-key', 'key-bound', 'nonce'] as const

/** Characters of a P-256 key in base64, and some more: it is read strictly afterwards. */
const MAX_KEY_TEXT = 256

/** Report data by which a gateway ties the key in `spki` to its machine, answering the challenge `nonce`: SHA-512 of both. */
export function countersignReportData(crypto: Crypto, spki: Uint8Array, nonce: Uint8Array): Uint8Array {
  return crypto.sha512(spki, nonce)
}

/** TDX and SEV-SNP: SHA-512(key ‖ challenge) is the report data. Nitro: the key is `public_key`, the challenge `nonce`. */
export const COUNTERSIGN: BindingProfile = {
  name: 'countersign',
  describes: 'a gateway of Countersign: the key that signs its statements, and the challenge, are in the signed bytes',
  canShow: ['serving-key-bound'],
  bindsConnections: false,
  isTriedOnReal: false,
  bind(input: BindingInput): BindingResult {
    const list = new EvidenceChecks('binding', CHECKS)
    const { crypto, evidence } = input
    const item = findSigned(list, input.items, ['tdx', 'sev-snp', 'nitro'])
    const lacks = lackOf(evidence, 'signingKey')
    const spki = readBeside(list, 'signing-key', lacks, () => {
      const key = besideFields(evidence).base64('signingKey', MAX_KEY_TEXT)
      parseP256Spki(key)
      return key
    })
    if (item !== undefined && spki !== undefined) {
      list.attempt('key-bound', () => requireBound(crypto, item, spki, evidence.nonce))
    }
    const isBound = list.passed('genuine', 'signing-key', 'key-bound')
    const answersNonce = isBound && (item?.kind === 'nitro' ? item.answersNonce : evidence.nonce.length > 0)
    if (answersNonce) list.attempt('nonce', () => undefined)
    else if (isBound) list.notChecked('nonce', item?.kind === 'nitro' ? NO_ANSWER : NO_CHALLENGE)
    return {
      checks: list.list(),
      keys: isBound && spki !== undefined ? [{ use: 'signing-key', sha256: toHex(crypto.sha256(spki)) }] : [],
      shown: [],
      ...lacking(lacks),
      answersNonce,
      doesNotProve: [
        'that TLS connections to the gateway end in that machine: the bound key signs statements, it serves no connection',
        'which model answered, or where: a gateway passes requests on',
      ],
    }
  },
}

function requireBound(crypto: Crypto, item: Appraised, spki: Uint8Array, nonce: Uint8Array): void {
  if (item.kind === 'nitro') {
    if (item.boundKey === undefined) throw new CountersignError('evidence/malformed', 'the document has no public_key')
    requireEqual(item.boundKey, spki, 'the document binds another key than the one beside it')
    return
  }
  requireEqual(
    boundBytes(item, REPORT_DATA_BYTES),
    countersignReportData(crypto, spki, nonce),
    'the report data is not SHA-512 of the signing key and the challenge',
  )
}
