/** Who, apart from the operator, has confirmed a head: counted by owner, as the relying party knows owners. */
import type { Crypto } from '../crypto/crypto.ts'
import { type Cosignature, openCosignature } from '../log/checkpoint.ts'
import type { UnverifiedNote } from '../log/note.ts'
import type { TlogPolicy } from '../log/tlog-policy.ts'
import type { Trust } from '../trust/trust-file.ts'

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
  const met = new Set(confirmations.map((confirmation) => confirmation.witness))
  // Groups stand in order of definition, and name only what stands before them.
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => met.has(member)).length >= threshold) met.add(name)
  }
  return policy.quorum === 'none' || met.has(policy.quorum)
}

/**
 * Owners that confirmed, each once. An owner that the trust file does not know counts for nothing, nor does any owner of
 * the operator.
 */
export function independentOwners(trust: Trust, confirmations: readonly Confirmation[]): readonly string[] {
  const operators = new Set(
    trust.parties.filter((party) => party.roles.includes('operator')).map((party) => party.owner),
  )
  const owners = new Set<string>()
  for (const { witness } of confirmations) {
    const party = trust.parties.find((each) => each.witnesses.includes(witness))
    if (party !== undefined && !operators.has(party.owner)) owners.add(party.owner)
  }
  return [...owners].sort()
}
