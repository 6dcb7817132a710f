/** One group of shares, measured by every dimension. */
import type { Party, Trust } from '../trust/trust-file.ts'
import { type BoundedMeasures, boundMeasures, ratio } from './concentration.ts'
import type { Holding, ShareGroup } from './tally.ts'

/** What parties are clustered by: one controlling entity is behind all parties that have it in common. */
export const DIMENSIONS = ['owner', 'cloud', 'jurisdiction', 'hardwareVendor', 'software'] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** Weights are decimal texts: sums may have more than 53 bits. */
export interface EntityShare {
  readonly entity: string
  readonly weight: string
  readonly share: number
}

export interface UnknownShare {
  /** A party of the trust file, or what is known of one that is not in it. */
  readonly name: string
  readonly weight: string
}

export interface DimensionReport {
  readonly dimension: Dimension
  /** Largest first. */
  readonly shares: readonly EntityShare[]
  readonly unknown: readonly UnknownShare[]
  /** `null` where nothing has weight. */
  readonly measures: BoundedMeasures | null
}

/** What would be left without an owner. */
export interface WithoutOwner {
  readonly owner: string
  /** `null` where nothing would be. */
  readonly measures: Pick<BoundedMeasures, 'effectiveNumber' | 'nakamotoHalf' | 'topShare'> | null
}

export interface GroupReport extends Pick<ShareGroup, 'role' | 'of' | 'currency'> {
  readonly total: string
  /** Witnesses and auditors of the operator's: they count for nothing, and are not in the total. */
  readonly excluded: readonly { readonly party: string; readonly weight: string }[]
  readonly dimensions: readonly DimensionReport[]
  /** For each of the largest owners. */
  readonly without: readonly WithoutOwner[]
}

/** Most owners for whom it is said what would be left without them. */
const MAX_WITHOUT = 32

/** Measures a group. The operator's own witnesses and auditors are set apart, so that they do not make it look better. */
export function reportGroup(trust: Trust, { role, of, currency, holdings }: ShareGroup): GroupReport {
  const operators = new Set(trust.parties.filter(({ roles }) => roles.includes('operator')).map(({ owner }) => owner))
  const isOwn = ({ by }: Holding) =>
    (role === 'witness' || role === 'auditor') && typeof by !== 'string' && operators.has(by.owner)
  const counted = holdings.filter((each) => !isOwn(each))
  return {
    ...{ role, of },
    ...(currency === undefined ? {} : { currency }),
    total: String(counted.reduce((sum, { weight }) => sum + weight, 0n)),
    excluded: holdings.filter(isOwn).map(({ by, weight }) => ({ party: nameOf(by), weight: String(weight) })),
    dimensions: DIMENSIONS.map((dimension) => reportDimension(dimension, counted)),
    without: withoutOwners(counted),
  }
}

/** Holdings by who is behind them; those that nobody knows that of stand apart. */
function cluster(dimension: Dimension, holdings: readonly Holding[]) {
  const entities = new Map<string, bigint>()
  const unknown: Holding[] = []
  for (const holding of holdings) {
    const entity = entityOf(holding.by, dimension)
    if (entity === undefined) unknown.push(holding)
    else entities.set(entity, (entities.get(entity) ?? 0n) + holding.weight)
  }
  const sorted = [...entities].sort(([a, x], [b, y]) => compare(y, x) || compare(a, b))
  return {
    entities: sorted,
    unknown: unknown.sort((a, b) => compare(b.weight, a.weight) || compare(nameOf(a.by), nameOf(b.by))),
  }
}

/** The entity behind a holder in one dimension; `undefined` where the trust file does not say. */
export function entityOf(by: Party | string, dimension: Dimension): string | undefined {
  return typeof by === 'string' ? undefined : by[dimension]
}

function reportDimension(dimension: Dimension, holdings: readonly Holding[]): DimensionReport {
  const { entities, unknown } = cluster(dimension, holdings)
  const total = holdings.reduce((sum, { weight }) => sum + weight, 0n)
  return {
    dimension,
    shares: entities.map(([entity, weight]) => ({ entity, weight: String(weight), share: ratio(weight, total) })),
    unknown: unknown.map(({ by, weight }) => ({ name: nameOf(by), weight: String(weight) })),
    measures: measure(entities, unknown),
  }
}

function measure(
  entities: readonly (readonly [string, bigint])[],
  unknown: readonly Holding[],
): BoundedMeasures | null {
  const known = entities.map(([, weight]) => weight)
  return (
    boundMeasures(
      known,
      unknown.map(({ weight }) => weight),
    ) ?? null
  )
}

function withoutOwners(holdings: readonly Holding[]): readonly WithoutOwner[] {
  const { entities, unknown } = cluster('owner', holdings)
  return entities.slice(0, MAX_WITHOUT).map(([owner]) => {
    const left = measure(
      entities.filter(([other]) => other !== owner),
      unknown,
    )
    const { effectiveNumber, nakamotoHalf, topShare } = left ?? {}
    if (!effectiveNumber || !nakamotoHalf || !topShare) return { owner, measures: null }
    return { owner, measures: { effectiveNumber, nakamotoHalf, topShare } }
  })
}

function nameOf(by: Party | string): string {
  return typeof by === 'string' ? by : by.name
}

function compare<T extends string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
