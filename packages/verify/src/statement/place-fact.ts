/** What evidence of a place can show. The facts are separate: none follows from another. @spec spec/appraisal.md */

export const FACTS = [
  /** A vendor's key signed the evidence, on hardware that is not for debugging and whose state the policy accepts. */
  'genuine-hardware',
  /** What was measured is what the policy names. */
  'known-code',
  /** The key that serves answers is in bytes that the hardware signed. */
  'serving-key-bound',
  /** Genuine GPUs, distinct, tied to the same measured session. */
  'gpu-same-session',
  /** The weights are part of what was measured. */
  'weights-measured',
  /** Somebody whom the policy trusts keeps hands off the hardware. */
  'physical-trust',
] as const
export type FactName = (typeof FACTS)[number]

/** `refuted`: shown to be otherwise. `not-shown` is the default of every fact. */
export const FACT_STATUSES = ['shown', 'not-shown', 'refuted'] as const
export type FactStatus = (typeof FACT_STATUSES)[number]
