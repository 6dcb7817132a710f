/** The tier of one appraised piece of evidence. @spec spec/attestation.md */
import type { TrustTier } from './appraised.ts'
import type { EvidenceCheck } from './checks.ts'

/** `isAccepted`: genuine, and of known code. `isWeak`: with something that a reader should know. */
export function tierOf(checks: readonly EvidenceCheck[], isAccepted: boolean, isWeak: boolean): TrustTier {
  if (checks.some(({ result }) => result === 'fail')) return 'contraindicated'
  if (!isAccepted) return 'none'
  return isWeak ? 'warning' : 'affirming'
}
