/**
 * The verdict: a row per claim, never one green tick.
 *
 * @spec spec/verdict.md
 */
import type { UnverifiedDossier } from '../dossier/dossier.ts'
import type { ReceiptId } from '../statement/inference.ts'
import type { StatementDigest } from '../statement/statement.ts'
import { CLAIMS, type ClaimName, type Requirement, reachesGrade } from '../trust/requirement.ts'
import { decideAccountable } from './accountable.ts'
import { type ClaimRow, type ClaimStatus, unprovenRow } from './checklist.ts'
import type { RecordedAnswer, VerdictInput } from './evidence.ts'
import { decideIndependence } from './independence.ts'
import { decideModel } from './model.ts'
import { decideOutput } from './output.ts'
import { decidePlace } from './place.ts'
import { decideRecord } from './record.ts'
import { decideTime, type TimeInterval } from './time.ts'

export const VERDICT_FORMAT = 'countersign-verdict/v1'

export interface Verdict {
  readonly format: typeof VERDICT_FORMAT
  /** The receipt that the dossier claims to be about. */
  readonly receipt: ReceiptId
  /** Digest of the answer's statement; `null` unless the record holds. */
  readonly statement: StatementDigest | null
  /** The time that the verdict is for. */
  readonly atMs: number
  /** When the answer was recorded, as far as witnesses bound it. */
  readonly time: TimeInterval
  /** One row per claim, in the order of `CLAIMS`. */
  readonly claims: readonly ClaimRow[]
}

const NO_RECORD = 'the record does not hold, and this claim would rest on what it says'

/**
 * Decides all seven claims. Pure: the same dossier and input give the same verdict on any machine.
 */
export function decideVerdict(dossier: UnverifiedDossier, input: VerdictInput): Verdict {
  const { row, answer } = decideRecord(dossier, input)
  const time = decideTime(dossier, answer, input)
  const claims: ClaimRow[] = []
  for (const claim of CLAIMS) {
    claims.push(claim === 'record' ? row : decideClaim(claim, answer, input, { dossier, time, earlier: claims }))
  }
  return {
    format: VERDICT_FORMAT,
    receipt: dossier.receiptId,
    statement: answer?.statement ?? null,
    atMs: input.atMs,
    time,
    claims,
  }
}

function decideClaim(
  claim: Exclude<ClaimName, 'record'>,
  answer: RecordedAnswer | undefined,
  input: VerdictInput,
  beside: {
    readonly dossier: UnverifiedDossier
    readonly time: TimeInterval
    readonly earlier: readonly ClaimRow[]
  },
): ClaimRow {
  if (answer === undefined || input.trust === undefined) return unprovenRow(claim, NO_RECORD)
  switch (claim) {
    case 'model':
      return decideModel(answer, input)
    case 'place':
      return decidePlace(answer, input, beside.dossier, input.trust, beside.time).row
    case 'output':
      return decideOutput(answer, input)
    case 'independence':
      return decideIndependence(answer, input.trust, beside.earlier.some(isOutputHolding))
    case 'outcome':
      return unprovenRow(
        claim,
        'no evaluation or recorded outcome was given; a right computation can be a bad decision',
      )
    case 'accountable':
      return decideAccountable(answer)
  }
}

function isOutputHolding({ claim, status }: ClaimRow): boolean {
  return claim === 'output' && status === 'holds'
}

/** How a verdict meets what was required: what the exit code of `countersign verify` says. */
export type Satisfaction = 'satisfied' | 'refuted' | 'unproven'

/**
 * `refuted` when any claim is; `unproven` when the record or a required claim does not hold at its grade; else
 * `satisfied`.
 */
export function assessVerdict(verdict: Verdict, requirements: readonly Requirement[]): Satisfaction {
  if (verdict.claims.some((row) => row.status === 'refuted')) return 'refuted'
  const record: Requirement = { claim: 'record', grade: undefined }
  const met = [record, ...requirements].every(({ claim, grade }) => {
    const row = findRow(verdict, claim)
    return row.status === 'holds' && row.grade !== null && reachesGrade(claim, row.grade, grade)
  })
  return met ? 'satisfied' : 'unproven'
}

/** The row of a claim. */
export function findRow(verdict: Verdict, claim: ClaimName): ClaimRow {
  return verdict.claims.find((row) => row.claim === claim) ?? unprovenRow(claim, 'the verdict has no such row')
}

export type { ClaimRow, ClaimStatus }
