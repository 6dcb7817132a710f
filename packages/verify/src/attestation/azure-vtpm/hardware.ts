/** The hardware under a paravisor, appraised as it would be on its own. */
import type { AppraisalInput, Appraised } from '../appraised.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { appraiseSevSnp } from '../sev-snp/appraise-sev-snp.ts'
import { appraiseTdx } from '../tdx/appraise-tdx.ts'
import { TEE_VOCABULARY } from '../vocabulary.ts'
import type { AzureHardware, HclReport } from './hcl-report.ts'

/** Appraises the report of SEV-SNP, or the quote of TDX; `undefined` where that quote is missing. */
export function appraiseHardware(
  { hardware, hardwareReport }: HclReport,
  hardwareQuote: Uint8Array | undefined,
  given: AppraisalInput,
): Appraised | undefined {
  // The challenge is the TPM's: the hardware's report was made when the machine started.
  const input = { ...given, nonce: undefined, policy: given.policy && hardwarePolicy(given.policy, hardware) }
  if (hardware === 'sev-snp') return appraiseSevSnp({ kind: 'sev-snp', content: hardwareReport }, input)
  return hardwareQuote && appraiseTdx({ kind: 'tdx', content: hardwareQuote }, input)
}

/** What a policy says of the hardware, in the words that the hardware has. */
function hardwarePolicy(policy: PlacePolicy, tee: AzureHardware): PlacePolicy {
  const words = TEE_VOCABULARY[tee]
  return {
    ...policy,
    tee,
    measurements: pick(policy.measurements, words.measurements),
    signers: pick(policy.signers, words.signers),
    minimum: pick(policy.minimum, words.minimum),
    // Which level may bind a TPM is no question of policy: see `privilege-level`.
    allow: [...policy.allow, 'any-vmpl'],
  }
}

function pick<T>(values: { readonly [name: string]: T }, names: readonly string[]): { readonly [name: string]: T } {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)))
}
