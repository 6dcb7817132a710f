/** A fact with its reason, as an appraisal gives it. */
import type { FactName, FactStatus } from '../statement/place-fact.ts'

export { FACTS, type FactName, type FactStatus } from '../statement/place-fact.ts'

export interface Fact {
  readonly name: FactName
  readonly status: FactStatus
  /** One sentence: why. */
  readonly reason: string
}
