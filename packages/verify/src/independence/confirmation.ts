/** Who, apart from the operator, has confirmed a head: counted by owner, as the relying party knows owners. */
import type { Crypto } from '../crypto/crypto.ts'
import { type Cosignature, openCosignature } from '../log/checkpoint.ts'
import type { UnverifiedNote } from '../log/note.ts'
import type { TlogPolicy } from '../log/tlog-policy.ts'
import type { Party, Trust } from '../trust/trust-file.ts'

/** A witness of the policy, by its name there, with what it signed. */
export interface Confirmation {
  readonly witness: string
  readonly cosignature: Cosignature
}

/**
 * The policy's witnesses whose cosignatures on `note` check.
 *
 * @throws {CountersignError} `note/bad-signature` where a line that names one of them does not check
 */
export function openConfirmations(crypto: Crypto, note: UnverifiedNote, policy: TlogPolicy): readonly Confirmation[] {
  return policy.witnesses.flatMap(({ name, key }) => {
    const cosignature = openCosignature(crypto, note, key)
    return cosignature === undefined ? [] : [{ witness: name, cosignature }]
  })
}

/** Whether the confirmations meet the policy's quorum. `quorum none` needs nobody. */
export function meetsQuorum(policy: TlogPolicy, confirmations: readonly Confirmation[]): boolean {
  return isQuorum(policy, new Set(confirmations.map((confirmation) => confirmation.witness)))
}

/** Whether those witnesses, by their names in the policy, would be enough. */
export function isQuorum({ groups, quorum }: TlogPolicy, witnesses: ReadonlySet<string>): boolean {
  const met = new Set(witnesses)
  // Groups stand in order of definition, and name only what stands before them.
  for (const { name, threshold, members } of groups) {
    if (members.filter((member) => met.has(member)).length >= threshold) met.add(name)
  }
  return quorum === 'none' || met.has(quorum)
}

/** How far a clock may be ahead of the time that is judged by: a witness's, or the operator's. */
export const MAX_CLOCK_SKEW_MS = 300_000

/** The confirmations that count at a time: those from its future are left out, but for what clocks may differ by. */
export function confirmationsAsOf(confirmations: readonly Confirmation[], atMs: number): readonly Confirmation[] {
  return confirmations.filter(({ cosignature }) => cosignature.timeSeconds * 1000 <= atMs + MAX_CLOCK_SKEW_MS)
}

/** The parties whose witnesses confirmed, once for each witness. Witnesses that the trust file gives to nobody are nobody's. */
export function confirmingParties(trust: Trust, confirmations: readonly Confirmation[]): readonly Party[] {
  return confirmations.flatMap(({ witness }) => trust.parties.find((each) => each.witnesses.includes(witness)) ?? [])
}

/** An owner, and how many confirmations by its parties count. */
export interface CountedOwner {
  readonly owner: string
  readonly counted: number
}

/**
 * Whose confirmations count as independent, by owner: of each owner at most `perOwner`, and none of an owner of the
 * operator. `confirming` has a party once for each confirmation.
 */
export function countOwners(trust: Trust, confirming: readonly Party[]): readonly CountedOwner[] {
  const operators = new Set(
    trust.parties.filter((party) => party.roles.includes('operator')).map((party) => party.owner),
  )
  const counts = new Map<string, number>()
  for (const { owner } of confirming) {
    if (!operators.has(owner)) counts.set(owner, Math.min((counts.get(owner) ?? 0) + 1, trust.perOwner))
  }
  return [...counts].map(([owner, counted]) => ({ owner, counted })).sort((a, b) => (a.owner < b.owner ? -1 : 1))
}
