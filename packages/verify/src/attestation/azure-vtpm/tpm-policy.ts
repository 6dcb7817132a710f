/** What a place policy asks of a virtual TPM and the paravisor that plays it. */
import { toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { Appraised } from '../appraised.ts'
import type { EvidenceChecks } from '../checks.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { refused } from '../refusals.ts'
import { TEE_VOCABULARY } from '../vocabulary.ts'
import { TPM_REGISTERS } from './tpm-quote.ts'

/** Checks of a policy, in their order; those of the hardware are made with the hardware. */
export const AZURE_POLICY_CHECKS = ['paravisor', 'pcrs'] as const
type PolicyCheck = (typeof AZURE_POLICY_CHECKS)[number]

/** What was proven: hardware that binds the TPM's key, and registers that the key signed. */
export interface ProvenTpm {
  readonly hardware: Appraised
  readonly values: ReadonlyMap<number, Uint8Array> | undefined
}

/** By kind of hardware: which checks compare the paravisor, and which words of a policy ask for that. */
const PARAVISOR = {
  'sev-snp': { checks: ['sev-snp/measurement', 'sev-snp/id-key'], words: ['measurement', 'idkeydigest'] },
  tdx: { checks: ['tdx/measurements'], words: ['mrtd'] },
} as const

const NUMBERS = /* @__PURE__ */ Array.from({ length: TPM_REGISTERS }, (_, i) => i)

/** Makes the checks of the policy; whether the paravisor is one that it names, and the registers are as it says. */
export function checkPolicy<Name extends string>(
  list: EvidenceChecks<Name | PolicyCheck>,
  policy: PlacePolicy | undefined,
  proven: ProvenTpm | undefined,
): boolean {
  if (policy === undefined) {
    for (const name of AZURE_POLICY_CHECKS) list.notChecked(name, 'no policy was given')
    return false
  }
  if (proven === undefined) return false
  const { hardware, values } = proven
  const { checks, words } = PARAVISOR[hardware.kind === 'tdx' ? 'tdx' : 'sev-snp']
  const isNamed = words.some((word) => policy.measurements[word] !== undefined || policy.signers[word] !== undefined)
  const results = hardware.checks.filter(({ name }) => (checks as readonly string[]).includes(name))
  if (!isNamed) list.attempt('paravisor', () => refuseUnnamed(policy, hardware))
  // Where a value differs the hardware's own check has said so, and nothing that the TPM says counts.
  else if (results.every(({ result }) => result !== 'fail')) list.attempt('paravisor', () => undefined)
  if (list.passed('paravisor')) list.attempt('pcrs', () => requireRegisters(policy, values))
  return list.passed('paravisor', 'pcrs')
}

function refuseUnnamed({ measurements, signers }: PlacePolicy, { kind }: Appraised): never {
  const vouching = TEE_VOCABULARY['azure-vtpm'].vouching ?? []
  const isEmpty = vouching.every((word) => measurements[word] === undefined && signers[word] === undefined)
  throw new CountersignError(
    isEmpty ? 'place-policy/empty' : 'evidence/refused',
    `the policy names no paravisor for ${kind}: any program on such hardware could have made this TPM`,
  )
}

/** A policy that names no register leaves open what the guest is. */
function requireRegisters({ measurements }: PlacePolicy, values: ProvenTpm['values']): void {
  let isAnyNamed = false
  for (const number of NUMBERS) {
    const allowed = measurements[`pcr${number}`]
    if (allowed === undefined) continue
    isAnyNamed ||= TEE_VOCABULARY['azure-vtpm'].identifying.includes(`pcr${number}`)
    const value = values?.get(number)
    if (value === undefined) throw refused(`register ${number} was not quoted`)
    if (!allowed.includes(toHex(value)))
      throw refused(`register ${number} is ${toHex(value)}, which the policy does not name`)
  }
  if (isAnyNamed) return
  throw new CountersignError('place-policy/empty', 'the policy names no register that tells which guest this is')
}
