/** What cosignatures say about time: when enough witnesses had confirmed a head. */
import type { TlogPolicy } from '../log/tlog-policy.ts'
import { type Confirmation, meetsQuorum } from './confirmation.ts'

/** A second by the clocks of those witnesses. */
export interface WitnessedSecond {
  readonly timeSeconds: number
  readonly witnesses: readonly string[]
}

/**
 * The earliest second at which the confirmations up to then meet the quorum, by the word of those who had confirmed.
 * Whoever trusts every quorum to have an honest member trusts that one to have seen the head by then.
 *
 * `undefined` where the quorum is not met, or is `none`: then no witness's word was asked for.
 */
export function quorumMetBy(policy: TlogPolicy, confirmations: readonly Confirmation[]): WitnessedSecond | undefined {
  return firstMet(policy, confirmations, (a, b) => a - b)
}

/**
 * The latest second from which on the confirmations still meet the quorum: the same for those who trust the late ones. One
 * of these witnesses is honest, and knew no larger head then.
 */
export function quorumStillMetFrom(
  policy: TlogPolicy,
  confirmations: readonly Confirmation[],
): WitnessedSecond | undefined {
  return firstMet(policy, confirmations, (a, b) => b - a)
}

/** Goes through the seconds in an order, until the confirmations up to one are enough. */
function firstMet(
  policy: TlogPolicy,
  confirmations: readonly Confirmation[],
  order: (a: number, b: number) => number,
): WitnessedSecond | undefined {
  if (policy.quorum === 'none') return undefined
  const seconds = [...new Set(confirmations.map(({ cosignature }) => cosignature.timeSeconds))].sort(order)
  for (const timeSeconds of seconds) {
    const far = confirmations.filter(({ cosignature }) => order(cosignature.timeSeconds, timeSeconds) <= 0)
    if (meetsQuorum(policy, far)) return { timeSeconds, witnesses: far.map(({ witness }) => witness).sort() }
  }
  return undefined
}
