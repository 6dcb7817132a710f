/** Applications on dstack (Phala): what runs is measured by its compose file, what is bound is the application's own choice. */
import { concat, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { BindingInput, BindingProfile, BindingResult } from './binding-profile.ts'
import {
  besideFields,
  boundBytes,
  findSigned,
  NO_CHALLENGE,
  padded,
  REPORT_DATA_BYTES,
  requireEqual,
  SIGNED_CHECKS,
} from './signed-bytes.ts'

/** Events in RTMR3 that say which application runs, and who gave it its keys. */
const MEASURED = ['compose-hash', 'app-id', 'key-provider'] as const
const CHECKS = [...SIGNED_CHECKS, ...MEASURED, 'tls-key', 'report-data', 'nonce'] as const
type Checks = EvidenceChecks<(typeof CHECKS)[number]>

/** Tags that dstack puts before what it hashes, so that one use is not taken for another. */
const TLS_KEY_TAG = utf8('ratls-cert:')
const APPLICATION_TAG = utf8('app-data:')

const MAX_KEY_TEXT = 1024
const MAX_APPLICATION_TEXT = 4096

/** Fewer bytes could stand at the end of the application's data by chance. */
const MIN_CHALLENGE_BYTES = 16

/**
 * An RA-TLS key is bound as SHA-512("ratls-cert:" ‖ SPKI); other data as it is, or hashed under "app-data:". Which key
 * stands in data of the application's own, nothing says: so that shows freshness at most.
 */
export const DSTACK: BindingProfile = {
  name: 'dstack',
  describes: 'an application on dstack: the compose file is measured; the key of its RA-TLS certificate may be bound',
  canShow: ['serving-key-bound'],
  bindsConnections: true,
  isTriedOnReal: false,
  bind(input: BindingInput): BindingResult {
    const list: Checks = new EvidenceChecks('binding', CHECKS)
    const item = findSigned(list, input.items, ['tdx'])
    if (item !== undefined) for (const event of MEASURED) noteMeasured(list, item, event)
    const tlsKey = item && checkTlsKey(list, input, item)
    const answersNonce = item !== undefined && checkApplicationData(list, input, item)
    return {
      checks: list.list(),
      keys: tlsKey === undefined ? [] : [{ use: 'tls-key', sha256: toHex(input.crypto.sha256(tlsKey)) }],
      shown: [],
      answersNonce,
      doesNotProve: [
        'that the key provider gave its keys to this application alone',
        'what the application does with data of its own in the report',
        'which model answered',
      ],
    }
  },
}

function noteMeasured(list: Checks, item: Appraised, event: (typeof MEASURED)[number]): void {
  if (item.measurements[event] !== undefined) list.attempt(event, () => undefined)
  else list.notChecked(event, 'no event log that replays says so')
}

function checkTlsKey(list: Checks, { crypto, evidence }: BindingInput, item: Appraised): Uint8Array | undefined {
  const beside = besideFields(evidence)
  if (!beside.has('tlsKey')) {
    list.notChecked('tls-key', 'no RA-TLS key was given beside the evidence')
    return undefined
  }
  return list.attempt('tls-key', () => {
    const spki = beside.base64('tlsKey', MAX_KEY_TEXT)
    if (spki.length === 0) throw new CountersignError('evidence/malformed', 'the RA-TLS key is empty')
    requireEqual(
      boundBytes(item, REPORT_DATA_BYTES),
      crypto.sha512(TLS_KEY_TAG, spki),
      'the report data is not the hash of the RA-TLS key beside the evidence',
    )
    return spki
  })
}

/** Without data beside the evidence, the challenge alone may be what was bound. */
function checkApplicationData(list: Checks, { crypto, evidence }: BindingInput, item: Appraised): boolean {
  const beside = besideFields(evidence)
  if (beside.has('tlsKey')) {
    list.notChecked('report-data', 'the report data is for the RA-TLS key')
    list.notChecked('nonce', 'no freshness: a report for an RA-TLS key has no room for a challenge')
    return false
  }
  if (!beside.has('appData') && evidence.nonce.length === 0) {
    list.notChecked('report-data', 'neither data of the application nor a challenge was given')
    list.notChecked('nonce', NO_CHALLENGE)
    return false
  }
  const data = list.attempt('report-data', () => {
    const given = beside.has('appData') ? beside.base64('appData', MAX_APPLICATION_TEXT) : evidence.nonce
    requireOneOf(boundBytes(item, REPORT_DATA_BYTES), layoutsOf(crypto, given))
    return given
  })
  if (data === undefined) return false
  if (evidence.nonce.length === 0) {
    list.notChecked('nonce', NO_CHALLENGE)
    return false
  }
  return list.attempt('nonce', () => requireChallenge(data, evidence.nonce)) !== undefined
}

function layoutsOf(crypto: Crypto, data: Uint8Array): readonly Uint8Array[] {
  const tagged = concat(APPLICATION_TAG, data)
  const hashes = [crypto.sha512(tagged), crypto.sha384(tagged), crypto.sha256(tagged)]
  const raw = data.length <= REPORT_DATA_BYTES && data.length > 0 ? [data] : []
  return [...raw, ...hashes].map((each) => padded(each, REPORT_DATA_BYTES))
}

function requireOneOf(found: Uint8Array, layouts: readonly Uint8Array[]): void {
  const hex = toHex(found)
  if (layouts.some((each) => toHex(each) === hex)) return
  throw new CountersignError(
    'evidence/mismatch',
    'the report data is neither the data of the application nor its SHA-256, SHA-384 or SHA-512 under "app-data:"',
  )
}

function requireChallenge(data: Uint8Array, nonce: Uint8Array): true {
  if (nonce.length < MIN_CHALLENGE_BYTES) {
    throw new CountersignError(
      'evidence/mismatch',
      `a challenge of less than ${MIN_CHALLENGE_BYTES} bytes shows nothing`,
    )
  }
  requireEqual(data.subarray(-nonce.length), nonce, 'the data of the application does not end with the challenge')
  return true
}
