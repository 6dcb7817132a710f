import { auditCases } from './audit-cases.testing.ts'
import { claimCases } from './claim-cases.testing.ts'
import { knownMisbehaviourCases } from './misbehaviour-cases.testing.ts'
import { outputCases } from './output-cases.testing.ts'
import { placeCases } from './place-cases.testing.ts'
import { recordCases } from './record-cases.testing.ts'
import { standingCases } from './standing-cases.testing.ts'
import { tamperedCases } from './tampered-cases.testing.ts'
import { timeCases } from './time-cases.testing.ts'
import { upstreamCases } from './upstream-cases.testing.ts'
import type { VerdictCase } from './verdict-case.testing.ts'
import { witnessCases } from './witness-cases.testing.ts'

/** Every way to hold and every way to fail that we know. */
export function verdictCases(): readonly VerdictCase[] {
  return [
    ...recordCases(),
    ...witnessCases(),
    ...timeCases(),
    ...tamperedCases(),
    ...claimCases(),
    ...outputCases(),
    ...auditCases(),
    ...upstreamCases(),
    ...placeCases(),
    ...knownMisbehaviourCases(),
    ...standingCases(),
  ]
}
