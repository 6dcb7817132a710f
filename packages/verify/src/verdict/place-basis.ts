/** What the claim `place` is decided from, once everything that it needs was opened. */
import type { Appraisal } from '../attestation/appraise.ts'
import type { CollateralBundle } from '../attestation/collateral.ts'
import type { UnverifiedEvidence } from '../attestation/evidence-file.ts'
import type { UnverifiedDossier } from '../dossier/dossier.ts'
import type { WitnessedSecond } from '../independence/time-interval.ts'
import type { AppraisalPredicate } from '../statement/appraisal.ts'
import type { Trust } from '../trust/trust-file.ts'
import type { RecordedAnswer, SignedStatement, VerdictInput } from './evidence.ts'
import type { ChosenPolicy, ServingPlace } from './serving-place.ts'
import type { TimeInterval } from './time.ts'

/** All that the checks of a place are made from. */
export interface PlaceBasis {
  readonly answer: RecordedAnswer
  readonly input: VerdictInput
  readonly trust: Trust
  readonly dossier: UnverifiedDossier
  /** When the answer was recorded. */
  readonly time: TimeInterval
  readonly place: ServingPlace
  readonly signed: SignedStatement
  readonly logged: AppraisalPredicate
  /** By when witnesses had seen the appraisal; `undefined` where none bounds it. */
  readonly loggedBy: WitnessedSecond | undefined
  readonly evidence: UnverifiedEvidence
  readonly collateral: CollateralBundle
  readonly chosen: ChosenPolicy
  /** The appraisal, made again here. */
  readonly repeated: Appraisal
}
