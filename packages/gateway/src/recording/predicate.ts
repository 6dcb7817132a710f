/** The text of an inference statement, in two parts: the sequence number goes between them, in the commit. */
import {
  COMMITMENT_ALGORITHM,
  type CommittedSubject,
  INFERENCE_TYPE,
  type InferencePredicate,
  type Json,
  statementText,
} from '@countersign/verify'

/** All but what the commit assigns. */
export type UnsequencedPredicate = Omit<InferencePredicate, 'sequence'>

/** Commitments by subject, in hexadecimal. */
export type Commitments = readonly (readonly [CommittedSubject, string])[]

/** The payload's text up to the sequence number, and from there on. */
export function splitPayload(
  predicate: UnsequencedPredicate,
  commitments: Commitments,
): { readonly beforeSequence: string; readonly afterSequence: string } {
  const text = statementText({
    subjects: commitments.map(([name, commitment]) => ({ name, digest: { [COMMITMENT_ALGORITHM]: commitment } })),
    predicateType: INFERENCE_TYPE,
    predicate: predicate as unknown as Json,
  })
  return { beforeSequence: `${text.slice(0, -2)},"sequence":`, afterSequence: '}}' }
}
