/** Tinfoil: the keys that serve stand in the report data itself, and the image names the weights. */
import { toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised, EvidenceKind } from '../appraised.ts'
import { EvidenceChecks } from '../checks.ts'
import type { PlacePolicy } from '../place-policy.ts'
import type { BindingInput, BindingProfile, BindingResult, BoundKey } from './binding-profile.ts'
import { boundBytes, findSigned, isBlank, REPORT_DATA_BYTES, SIGNED_CHECKS } from './signed-bytes.ts'

const CHECKS = [...SIGNED_CHECKS, 'tls-key', 'hpke-key', 'weights', 'nonce'] as const
type Checks = EvidenceChecks<(typeof CHECKS)[number]>

const HALF_BYTES = 32

/**
 * Registers that a policy must pin for the kernel's command line to be known, by hardware. For TDX it is every register that
 * is filled before the workload starts: which of them has the command line depends on how the machine boots.
 */
const BOOT_REGISTERS: { readonly [kind in EvidenceKind]?: readonly string[] } = {
  'sev-snp': ['measurement'],
  tdx: ['mrtd', 'rtmr0', 'rtmr1', 'rtmr2'],
}

/**
 * Report data: SHA-256 of the TLS key (SubjectPublicKeyInfo) ‖ HPKE key. The weights are on a disk whose dm-verity root is
 * on the kernel's command line, which is measured: so they are measured exactly where the policy pins that measurement.
 */
export const TINFOIL: BindingProfile = {
  name: 'tinfoil',
  describes: 'Tinfoil: the TLS key and the HPKE key are the report data; the measured command line names the weights',
  canShow: ['serving-key-bound', 'weights-measured'],
  bindsConnections: true,
  isTriedOnReal: false,
  bind({ items, policy }: BindingInput): BindingResult {
    const list: Checks = new EvidenceChecks('binding', CHECKS)
    const item = findSigned(list, items, ['sev-snp', 'tdx'])
    const keys = item === undefined ? [] : bindKeys(list, item)
    if (item !== undefined) {
      checkWeights(list, item, policy)
      list.notChecked('nonce', 'no freshness: the layout has no room for a challenge')
    }
    return {
      checks: list.list(),
      keys,
      shown: list.passed('weights')
        ? [
            {
              name: 'weights-measured',
              reason:
                'the policy pins what covers the kernel’s command line, which names the weights by their dm-verity root',
            },
          ]
        : [],
      answersNonce: false,
      doesNotProve: [
        'which weights the measured command line names: that is for whoever wrote the measurement into the policy',
        'that the pinned image runs a model: a router that passes requests on has no weights to measure',
        'that a GPU took part',
      ],
    }
  },
}

function bindKeys(list: Checks, item: Appraised): readonly BoundKey[] {
  const tls = list.attempt('tls-key', () => requireFilled(half(item, 0), 'the report data has no TLS key'))
  const hpke = list.attempt('hpke-key', () => requireFilled(half(item, HALF_BYTES), 'the report data has no HPKE key'))
  return [
    ...(tls === undefined ? [] : [{ use: 'tls-key', sha256: toHex(tls) } as const]),
    ...(hpke === undefined ? [] : [{ use: 'hpke-key', publicKey: toHex(hpke) } as const]),
  ]
}

function half(item: Appraised, from: number): Uint8Array {
  return boundBytes(item, REPORT_DATA_BYTES).subarray(from, from + HALF_BYTES)
}

function requireFilled(bytes: Uint8Array, otherwise: string): Uint8Array {
  if (!isBlank(bytes)) return bytes
  throw new CountersignError('evidence/malformed', otherwise)
}

function checkWeights(list: Checks, item: Appraised, policy: PlacePolicy | undefined): void {
  const missing = BOOT_REGISTERS[item.kind]?.filter((register) => policy?.measurements[register] === undefined) ?? []
  if (policy === undefined) list.notChecked('weights', 'no policy pins the measurement that covers the command line')
  else if (missing.length > 0) list.notChecked('weights', `the policy does not pin ${missing.join(', ')}`)
  else if (!item.isKnownCode) list.notChecked('weights', 'the measurements are not those of the policy')
  else list.attempt('weights', () => undefined)
}
