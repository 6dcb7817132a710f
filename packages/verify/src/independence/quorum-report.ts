/** Who could break what the policy's quorum is for. */
import type { PolicyWitness } from '../log/tlog-policy.ts'
import type { Party, Trust } from '../trust/trust-file.ts'
import { findCoalitions, type SmallestCoalition } from './coalition.ts'
import { isQuorum } from './confirmation.ts'
import { DIMENSIONS, type Dimension } from './share-report.ts'

export interface CoalitionReport {
  readonly dimension: Dimension
  /** Who, by not cosigning, could keep every head from its quorum. The operator alone always can. */
  readonly stop: SmallestCoalition
  /** Who could keep one answer out: the operator alone by not recording it, witnesses only as they stop everything. */
  readonly censor: SmallestCoalition
  /** Who, together with the operator and its own witnesses, could confirm two histories. 0: the operator alone. */
  readonly equivocate: SmallestCoalition
}

export interface QuorumReport {
  /** Its name in the policy. */
  readonly quorum: string
  readonly coalitions: readonly CoalitionReport[]
  /** For each owner of witnesses: whether the others could still meet the quorum. */
  readonly without: readonly { readonly owner: string; readonly canBeMet: boolean }[]
  /** Witnesses whose owner nobody knows. */
  readonly unknownWitnesses: readonly string[]
  /** Witnesses of an owner of the operator's. */
  readonly operatorsWitnesses: readonly string[]
}

/** Says it of a trust file's policy, by what the file knows of its witnesses. Nothing here depends on who cosigned what. */
export function reportQuorum({ policy, parties }: Trust): QuorumReport {
  const operators = new Set(parties.filter(({ roles }) => roles.includes('operator')).map(({ owner }) => owner))
  const holders = policy.witnesses.map(({ name }) => ({
    name,
    party: parties.find(({ witnesses }) => witnesses.includes(name)),
  }))
  const owners = new Set(holders.flatMap(({ party }) => party?.owner ?? []))
  const own = holders.filter(({ party }) => party !== undefined && operators.has(party.owner)).map(({ name }) => name)
  return {
    quorum: policy.quorum,
    coalitions: DIMENSIONS.map((dimension) => {
      const { stop, equivocate } = findCoalitions(policy, {
        controllers: controllersOf(holders, dimension),
        operators: new Set(own),
      })
      return { dimension, stop, censor: stop, equivocate }
    }),
    without: [...owners].sort().map((owner) => {
      const others = holders.filter(({ party }) => party?.owner !== owner).map(({ name }) => name)
      return { owner, canBeMet: isQuorum(policy, new Set(others)) }
    }),
    unknownWitnesses: holders.filter(({ party }) => party === undefined).map(({ name }) => name),
    operatorsWitnesses: own,
  }
}

function controllersOf(
  holders: readonly { readonly name: PolicyWitness['name']; readonly party: Party | undefined }[],
  dimension: Dimension,
): ReadonlyMap<string, string> {
  return new Map(
    holders.flatMap(({ name, party }) => {
      const controller = party?.[dimension]
      return controller === undefined ? [] : [[name, controller] as const]
    }),
  )
}
