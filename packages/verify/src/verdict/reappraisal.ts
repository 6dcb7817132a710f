/** What newer collateral and revocations change about the places of answers that were judged before. */
import type { UnverifiedDossier } from '../dossier/dossier.ts'
import type { ReceiptId } from '../statement/inference.ts'
import type { Grade } from '../trust/requirement.ts'
import type { ClaimStatus } from './checklist.ts'
import type { VerdictInput } from './evidence.ts'
import { type ChangedCheck, changedChecks, decidePlace, type PlaceDecision } from './place.ts'
import { decideRecord } from './record.ts'
import { decideTime } from './time.ts'

/** How the claim `place` came out. */
export interface PlaceFinding {
  readonly status: ClaimStatus
  readonly grade: Grade | null
  readonly reason: string
}

/** One answer under two inputs. */
export interface Reappraisal {
  readonly receipt: ReceiptId
  /** `null` where the record does not hold, so that no place was decided. */
  readonly before: PlaceFinding | null
  readonly after: PlaceFinding | null
  /** Checks of the claim that came out in another way, and checks of the evidence behind it. */
  readonly changes: readonly ChangedCheck[]
}

/**
 * Decides `place` for each dossier under both inputs, and lists what differs. Pure: nothing is fetched, and nothing of the
 * claim rests on the other claims.
 *
 * The claim is about the time of the answer: newer collateral takes nothing from it, and stands among the changes of the
 * evidence; a revocation may.
 */
export function reappraise(
  dossiers: readonly UnverifiedDossier[],
  before: VerdictInput,
  after: VerdictInput,
): readonly Reappraisal[] {
  return dossiers.map((dossier) => {
    const [was, is] = [placeOf(dossier, before), placeOf(dossier, after)]
    return {
      receipt: dossier.receiptId,
      before: was === undefined ? null : findingOf(was),
      after: is === undefined ? null : findingOf(is),
      changes: was === undefined || is === undefined ? [] : changesOf(was, is),
    }
  })
}

/** Whether anything about an answer's place is otherwise now. */
export function isChanged({ before, after, changes }: Reappraisal): boolean {
  return changes.length > 0 || before?.status !== after?.status || before?.grade !== after?.grade
}

function placeOf(dossier: UnverifiedDossier, input: VerdictInput): PlaceDecision | undefined {
  const { answer } = decideRecord(dossier, input)
  if (answer === undefined || input.trust === undefined) return undefined
  return decidePlace(answer, input, dossier, input.trust, decideTime(dossier, answer, input))
}

function findingOf({ row: { status, grade, reason } }: PlaceDecision): PlaceFinding {
  return { status, grade, reason }
}

/** What is only looked at under one of the two is no change. */
function changesOf(was: PlaceDecision, is: PlaceDecision): readonly ChangedCheck[] {
  const ofClaim = is.row.checks.flatMap(({ name, result, detail }) => {
    const before = was.row.checks.find((each) => each.name === name)?.result
    if (before === undefined || before === result) return []
    return [{ name, before, after: result, ...(detail === undefined ? {} : { detail }) }]
  })
  const ofEvidence = was.appraisal && is.appraisal ? changedChecks(was.appraisal, is.appraisal) : []
  return [...ofClaim, ...ofEvidence]
}
