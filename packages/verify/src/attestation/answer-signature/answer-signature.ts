/** What a provider's signature on one answer says, and what it leaves out. */
import type { BoundKey } from '../binding/binding-profile.ts'

/** The exact bytes that went over the wire: what the provider was sent, and what it answered. */
export interface AnswerBytes {
  readonly request: Uint8Array
  readonly response: Uint8Array
}

/** Proven: `signer`, one of the keys that evidence binds, signed this. */
export interface AnswerSignature {
  readonly signer: BoundKey
  /** What was signed, in words to be recorded. */
  readonly covers: readonly string[]
  /** What a reader might think was signed and was not, in words to be recorded. */
  readonly doesNotCover: readonly string[]
  /** When, by the signer's own clock, milliseconds since 1970; missing where no time is signed. */
  readonly signedAtMs?: number
}
