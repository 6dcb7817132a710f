/** An erasure: the operator's word that the keys and salts of some receipts are destroyed. @spec spec/erasure.md */
import { Fields, readHex } from '../bytes/shape.ts'
import { CountersignError } from '../errors.ts'
import type { ReceiptId } from './inference.ts'
import type { Statement } from './statement.ts'

export const ERASURE_TYPE = 'urn:countersign:erasure/v1'

export const ERASURE_REASONS = ['requested', 'retention-ended', 'operator-decision'] as const
export type ErasureReason = (typeof ERASURE_REASONS)[number]

/** Names receipts, never the person that asked. */
export interface Erasure {
  readonly receipts: readonly ReceiptId[]
  readonly reason: ErasureReason
  readonly erasedAtMs: number
}

/** The statement of an erasure. Each receipt stands as a subject, by the digest of its inference statement. */
export function erasureStatement(
  receipts: readonly { readonly receipt: ReceiptId; readonly statement: string }[],
  reason: ErasureReason,
  erasedAtMs: number,
): Statement {
  return {
    subjects: receipts.map(({ receipt, statement }) => ({ name: receipt, digest: { sha256: statement } })),
    predicateType: ERASURE_TYPE,
    predicate: { reason, erasedAtMs },
  }
}

/** @throws {CountersignError} `statement/wrong-type`, `shape/*` */
export function parseErasure(statement: Statement): Erasure {
  if (statement.predicateType !== ERASURE_TYPE) {
    throw new CountersignError('statement/wrong-type', `expected a statement of type ${ERASURE_TYPE}`)
  }
  const fields = new Fields(statement.predicate, 'predicate')
  const erasure = {
    receipts: statement.subjects.map(({ name }, i) => readHex(name, `subject[${i}].name`, 16)),
    reason: fields.oneOf('reason', ERASURE_REASONS),
    erasedAtMs: fields.integer('erasedAtMs'),
  }
  fields.end()
  return erasure
}
