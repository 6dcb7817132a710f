/**
 * The independence report: how concentrated everything is that was shown, and who could break it. Never a tick: it holds, or
 * it is unproven, with the reasons.
 *
 * @spec spec/independence.md
 */
import type { Bounds } from './concentration.ts'
import type { ComparedDeclaration } from './declaration.ts'
import { type QuorumReport, reportQuorum } from './quorum-report.ts'
import { type Dimension, type GroupReport, reportGroup } from './share-report.ts'
import { SHARE_KINDS, type ShareKind, type Tally } from './tally.ts'

export const INDEPENDENCE_FORMAT = 'countersign-independence/v1'

/** The worst of all that was measured. */
export interface Headline extends Pick<GroupReport, 'role' | 'of' | 'currency'> {
  readonly dimension: Dimension
  readonly effectiveNumber: Bounds
  readonly nakamotoHalf: Bounds
  readonly topShare: Bounds
}

export interface IndependenceReport {
  readonly format: typeof INDEPENDENCE_FORMAT
  /** The time that it is for. */
  readonly atMs: number
  readonly status: 'holds' | 'unproven'
  /** Why it is unproven; empty where it holds. */
  readonly reasons: readonly string[]
  /** What would make it better. */
  readonly wouldChange: readonly string[]
  readonly counted: Tally['counted']
  readonly owners: {
    /** Confirmations that count, by owner, for the record or head with fewest. */
    readonly fewestCounted: number
    readonly needed: number
    readonly perOwner: number
    /** Owners that confirmed any. */
    readonly confirmed: readonly string[]
  }
  /** `null` where nothing was measured. */
  readonly headline: Headline | null
  readonly groups: readonly GroupReport[]
  /** Of what nothing was shown. */
  readonly notShown: readonly ShareKind[]
  readonly quorum: QuorumReport
  readonly declarations: readonly ComparedDeclaration[]
  readonly doesNotProve: readonly string[]
}

const DOES_NOT_PROVE = [
  'that the owners are truly apart: ownership is what the trust file says it is',
  'anything about answers, fees or audits that were not given',
  'that who could do harm would, or that who could not is honest',
]

/** Decides the report from what was counted. Pure: the same input gives the same report on any machine. */
export function decideIndependenceReport(
  tally: Tally,
  declarations: readonly ComparedDeclaration[],
  atMs: number,
): IndependenceReport {
  const { trust, counted, confirmed } = tally
  const groups = tally.groups.map((group) => reportGroup(trust, group))
  const quorum = reportQuorum(trust)
  const reasons = [...whyNothingShown(tally), ...whyTooFew(tally), ...whyUnknown(groups, quorum)]
  return {
    format: INDEPENDENCE_FORMAT,
    atMs,
    status: reasons.length === 0 ? 'holds' : 'unproven',
    reasons,
    wouldChange: wouldChange(tally, groups, quorum),
    counted,
    owners: {
      fewestCounted: confirmed.fewestCounted,
      needed: trust.minimumOwners,
      perOwner: trust.perOwner,
      confirmed: confirmed.owners,
    },
    headline: findHeadline(groups),
    groups,
    notShown: SHARE_KINDS.filter((kind) => !groups.some(({ of }) => of === kind)),
    quorum,
    declarations,
    doesNotProve: DOES_NOT_PROVE,
  }
}

function whyNothingShown({ counted: { records, passedOver, heads, unmetHeads } }: Tally): readonly string[] {
  return [
    ...(records + heads === 0 ? ['nothing that was given holds under this trust file'] : []),
    ...(passedOver > 0 ? [`records and manifests that do not hold, and are not counted: ${passedOver}`] : []),
    ...(unmetHeads > 0 ? ['the published checkpoint does not meet the policy’s quorum'] : []),
  ]
}

function whyTooFew({ trust, counted, confirmed }: Tally): readonly string[] {
  if (counted.records + counted.heads === 0 || confirmed.fewestCounted >= trust.minimumOwners) return []
  const needed = `the trust file asks for ${trust.minimumOwners}`
  if (confirmed.owners.length === 0) return [`nobody but the operator confirmed what was given; ${needed}`]
  const { fewestCounted } = confirmed
  return [`independent confirmations of the least confirmed that was given: ${fewestCounted}; ${needed}`]
}

function whyUnknown(groups: readonly GroupReport[], { unknownWitnesses }: QuorumReport): readonly string[] {
  // Witnesses are all of the policy, where they may do harm whether they cosigned or not.
  const others = groups.filter(({ role }) => role !== 'witness')
  const unknown = others.flatMap(({ role, of, dimensions }) => {
    const names = dimensions.find(({ dimension }) => dimension === 'owner')?.unknown ?? []
    return names.length === 0
      ? []
      : [`${role}s, by ${of}: nobody knows who owns ${listed(names.map(({ name }) => name))}`]
  })
  const witnesses =
    unknownWitnesses.length === 0 ? [] : [`witnesses: nobody knows who owns ${listed(unknownWitnesses)}`]
  return [...unknown, ...witnesses]
}

function wouldChange(
  { trust, confirmed, counted }: Tally,
  groups: readonly GroupReport[],
  quorum: QuorumReport,
): readonly string[] {
  const missing = trust.minimumOwners - confirmed.fewestCounted
  const equivocate = quorum.coalitions.find(({ dimension }) => dimension === 'owner')?.equivocate
  const facts = [...new Set(groups.flatMap(({ dimensions }) => dimensions.filter(({ unknown }) => unknown.length > 0)))]
  const unsaid = [...new Set(facts.map(({ dimension }) => dimension))].filter((dimension) => dimension !== 'owner')
  return [
    ...(counted.records + counted.heads > 0 && missing > 0
      ? [
          `independent confirmations that are missing: ${missing}, by witnesses whose owner the trust file knows and is not the operator’s`,
        ]
      : []),
    ...(trust.policy.quorum === 'none'
      ? ['a policy that asks for a quorum: now the operator alone decides what history is']
      : []),
    ...(trust.policy.quorum !== 'none' && (equivocate?.atLeast ?? 2) < 2
      ? [
          'a quorum that more owners are needed for: the operator and at most one other may be enough to confirm two histories',
        ]
      : []),
    ...(whyUnknown(groups, quorum).length > 0
      ? ['a trust file that says who owns those it does not know; what parties say of themselves is not enough']
      : []),
    ...(unsaid.length > 0
      ? [`a trust file that says more of ${unsaid.join(', ')}: measures of these are wide or missing`]
      : []),
  ]
}

/** The dimension with the smallest effective number at the worst; of equals the one whose largest share may be largest. */
function findHeadline(groups: readonly GroupReport[]): Headline | null {
  const all = groups.flatMap(({ role, of, currency, dimensions }) =>
    dimensions.flatMap(({ dimension, measures }): readonly Headline[] => {
      if (measures === null) return []
      const { effectiveNumber, nakamotoHalf, topShare } = measures
      return [
        {
          role,
          of,
          ...(currency === undefined ? {} : { currency }),
          dimension,
          effectiveNumber,
          nakamotoHalf,
          topShare,
        },
      ]
    }),
  )
  const worst = [...all].sort(
    (a, b) =>
      a.effectiveNumber.atLeast - b.effectiveNumber.atLeast ||
      b.topShare.atLeast - a.topShare.atLeast ||
      a.effectiveNumber.atMost - b.effectiveNumber.atMost,
  )
  return worst[0] ?? null
}

/** Names, at most five. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).join('; ')
  return names.length > 5 ? `${shown}; and ${names.length - 5} more` : shown
}
