/** How one provider ties its serving key, and perhaps its model, to evidence. */
import type { Crypto } from '../../crypto/crypto.ts'
import type { BoundKey } from '../../statement/bound-key.ts'
import type { Appraised } from '../appraised.ts'
import type { EvidenceCheck } from '../checks.ts'
import type { UnverifiedEvidence } from '../evidence-file.ts'
import type { FactName } from '../facts.ts'
import type { PlacePolicy } from '../place-policy.ts'
import type { ProfileName } from '../profile-names.ts'

export type { BoundKey } from '../../statement/bound-key.ts'

export interface BindingInput {
  readonly crypto: Crypto
  readonly evidence: UnverifiedEvidence
  /** The appraised items, in the order of the evidence. */
  readonly items: readonly Appraised[]
  /** What the place must be: some facts are shown only where it pins certain registers. */
  readonly policy: PlacePolicy | undefined
  /** The time that everything must be current at, milliseconds since 1970. */
  readonly atMs: number
}

export interface BindingResult {
  /** Names are `binding/what`. */
  readonly checks: readonly EvidenceCheck[]
  /** Keys in bytes that the hardware signed; empty unless every check that they rest on passed. */
  readonly keys: readonly BoundKey[]
  /** The first moment at which nothing may be accepted under these keys any more, milliseconds since 1970, where the provider says so. */
  readonly keysUntilMs?: number
  /** Facts that the profile adds beyond those of the items, with the reason. Never genuine hardware or known code. */
  readonly shown: readonly { readonly name: FactName; readonly reason: string }[]
  /** What has to be given beside the evidence and was not, in a sentence: nothing failed, and no policy of the profile is met. */
  readonly lacks?: string
  /** Whether the caller's nonce is in the bound bytes. */
  readonly answersNonce: boolean
  /** What an answer under this profile leaves open, as "that …". */
  readonly doesNotProve: readonly string[]
}

/** One profile. A table of these is all that knows providers by name. */
export interface BindingProfile {
  readonly name: ProfileName
  /** Whom it is for, and how it ties key and model, in a sentence. */
  readonly describes: string
  /** Facts that it can show at best, beside genuine hardware and known code. */
  readonly canShow: readonly FactName[]
  /** Whether a key that it binds can be that of a TLS connection: without one, no connection is shown to end in the hardware. */
  readonly bindsConnections: boolean
  /** False as long as nobody has tried it on evidence or answers of the real provider. */
  readonly isTriedOnReal: boolean
  bind(input: BindingInput): BindingResult
}
