/** The independence report as people read it. */
import type {
  Bounds,
  CoalitionReport,
  ComparedDeclaration,
  Dimension,
  DimensionReport,
  GroupReport,
  IndependenceReport,
  QuorumReport,
  SmallestCoalition,
} from '@countersign/verify'
import { formatTable } from '../table.ts'
import { paint, paintStatus, wrap } from '../terminal.ts'

const MAX_ROWS = 16
const WHO_WIDTH = 12

const DIMENSION_NAMES: { readonly [dimension in Dimension]: string } = {
  owner: 'owner',
  cloud: 'cloud',
  jurisdiction: 'jurisdiction',
  hardwareVendor: 'hardware vendor',
  software: 'software',
}

const GROUP_NAMES: { readonly [role in GroupReport['role']]: string } = {
  operator: 'operators',
  publisher: 'model publishers',
  witness: 'witnesses',
  auditor: 'auditors',
  payee: 'those who are paid',
}

export function formatIndependence(report: IndependenceReport): string {
  const { status, reasons, counted, owners } = report
  const { records, passedOver, heads } = counted
  const title = `${paint('bold', 'independence')}  ${paintStatus(status)}`
  const sum = `records: ${records} counted, ${passedOver} not; published checkpoints: ${heads}`
  const confirmed = owners.confirmed.length === 0 ? 'nobody' : shortList(owners.confirmed)
  return [
    `${title}  ${paint('dim', `as of ${new Date(report.atMs).toISOString()}`)}`,
    ...bullets(reasons),
    '',
    sum,
    wrap(
      `independent owners that confirmed any of it: ${confirmed}; confirmations needed for each: ${owners.needed}`,
      '',
    ),
    ...formatHeadline(report),
    ...formatQuorum(report.quorum),
    ...formatGroups(report.groups),
    ...formatWithout(report),
    ...formatDeclarations(report.declarations),
    ...section('What would change it', bullets(report.wouldChange)),
    ...section('This does not prove', bullets(report.doesNotProve)),
  ].join('\n')
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', paint('bold', title), ...lines]
}

function bullets(texts: readonly string[]): readonly string[] {
  return texts.map((text) => `  - ${wrap(text, '    ')}`)
}

function formatHeadline({ headline, notShown }: IndependenceReport): readonly string[] {
  const unseen = notShown.length === 0 ? [] : [`not shown, so not measured: ${notShown.join(', ')}`]
  if (headline === null) return unseen
  const { dimension, effectiveNumber, topShare } = headline
  const name = `${groupName(headline)}, by ${DIMENSION_NAMES[dimension]}`
  const isOne = effectiveNumber.atLeast === 1 && effectiveNumber.atMost === 1
  const many = `as concentrated as ${range(effectiveNumber)} equals; the largest has ${range(topShare, percent)}`
  const text = `${name}: ${isOne ? 'one has all of it' : many}`
  return [`${paint('bold', 'worst')}: ${wrap(text, '       ')}`, ...unseen]
}

function groupName({ role, of, currency }: Pick<GroupReport, 'role' | 'of' | 'currency'>): string {
  return `${GROUP_NAMES[role]} (${of}${currency === undefined ? '' : ` in ${currency}`})`
}

/** Who could stop, censor or equivocate: by owner in words, then by other dimensions. */
function formatQuorum({ quorum, coalitions, operatorsWitnesses, unknownWitnesses }: QuorumReport): readonly string[] {
  const byOwner = coalitions.find(({ dimension }) => dimension === 'owner')
  if (byOwner === undefined) return []
  const others = coalitions.filter(({ dimension }) => dimension !== 'owner').flatMap(describeDimension)
  const lines = [
    ['stop', `the operator alone, always. Of owners of witnesses, by not cosigning: ${describe(byOwner.stop, quorum)}`],
    ['censor', 'the operator alone, by not recording an answer. Witnesses only by stopping everything'],
    ['equivocate', describeEquivocation(byOwner.equivocate, quorum)],
    ...(operatorsWitnesses.length === 0
      ? []
      : [['', `the operator’s own witnesses: ${shortList(operatorsWitnesses)}`]]),
    ...(unknownWitnesses.length === 0 ? [] : [['', `witnesses of unknown owners: ${shortList(unknownWitnesses)}`]]),
    ...others.map((text) => ['', text]),
  ]
  const margin = ' '.repeat(WHO_WIDTH + 2)
  const title = `Who could break it (quorum ${quorum})`
  return section(
    title,
    lines.map(([who = '', text = '']) => `  ${who.padEnd(WHO_WIDTH)}${wrap(text, margin)}`),
  )
}

function describe(coalition: SmallestCoalition, quorum: string): string {
  if (quorum === 'none') return 'nobody, for the policy asks for no witness'
  if (coalition.atMost === null) return 'nobody'
  return `${count(coalition)}${membersOf(coalition)}`
}

function describeEquivocation(coalition: SmallestCoalition, quorum: string): string {
  if (quorum === 'none')
    return 'the operator alone, for the policy asks for no witness: it can show two people two histories'
  if (coalition.atMost === null) return 'nobody'
  if (coalition.atMost === 0)
    return 'the operator alone: its own witnesses, or honest ones that are shown one history each, meet the quorum twice'
  const alone = coalition.atLeast === 0 ? ', or alone, if the witnesses that nobody knows the owner of are its own' : ''
  return `the operator, together with ${count(coalition)}${membersOf(coalition)}${alone}`
}

function describeDimension({ dimension, stop, equivocate }: CoalitionReport): readonly string[] {
  if (stop.atMost === null || equivocate.atMost === null || stop.members.some((each) => 'witness' in each)) return []
  const name = DIMENSION_NAMES[dimension]
  return [`by ${name}: stop ${count(stop)}${membersOf(stop)}; equivocate ${count(equivocate)}${membersOf(equivocate)}`]
}

function count({ atLeast, atMost }: SmallestCoalition): string {
  return atLeast === atMost ? `${atMost}` : `${atLeast ?? 0} to ${atMost}`
}

function membersOf({ members }: SmallestCoalition): string {
  const names = members.map((each) => ('controller' in each ? each.controller : `whoever owns witness ${each.witness}`))
  return names.length === 0 ? '' : ` (as in ${shortList(names)})`
}

/** A row for each dimension that something is known in; owners always have one. */
function formatGroups(groups: readonly GroupReport[]): readonly string[] {
  const columns = [
    'who (of what)',
    'by',
    'known',
    'unknown',
    'effective',
    '>1/3',
    '>1/2',
    '>2/3',
    'HHI',
    'top',
    'largest',
  ]
  const numbers = new Set(['known', 'unknown', 'effective', '>1/3', '>1/2', '>2/3', 'HHI', 'top'])
  const rows = groups.flatMap((group) => group.dimensions.flatMap((each) => formatDimension(group, each)))
  if (rows.length === 0) return []
  const table = formatTable(
    columns.map((heading) => ({ heading, isNumber: numbers.has(heading) })),
    rows,
  )
  const words = [
    'effective: as concentrated as so many equals. >1/3, >1/2, >2/3: fewest that have more than that together.',
    'HHI: 10,000 for one alone. Two figures: at least and at most, whoever owns what nobody knows the owner of.',
  ]
  const excluded = groups.flatMap((group) =>
    group.excluded.map(({ party, weight }) => `not counted, the operator’s own: ${party} (${weight} ${group.of})`),
  )
  return section(
    'How concentrated it is',
    [...table, ...excluded, ...words.map((text) => paint('dim', text))].map(indent),
  )
}

function formatDimension(group: GroupReport, { dimension, shares, unknown, measures }: DimensionReport) {
  if (measures === null || (shares.length === 0 && dimension !== 'owner')) return []
  const { effectiveNumber, nakamotoThird, nakamotoHalf, nakamotoTwoThirds, herfindahl, topShare } = measures
  return [
    [
      groupName(group),
      DIMENSION_NAMES[dimension],
      ...[shares.length, unknown.length].map(String),
      range(effectiveNumber),
      ...[nakamotoThird, nakamotoHalf, nakamotoTwoThirds].map((each) => range(each)),
      range(herfindahl, (value) => String(Math.round(value))),
      range(topShare, percent),
      shares[0]?.entity ?? 'nobody knows',
    ],
  ]
}

/** What would be left without each owner. */
function formatWithout({ quorum, groups }: IndependenceReport): readonly string[] {
  const lost = quorum.without.slice(0, MAX_ROWS).map(({ owner, canBeMet }) => {
    const what = quorum.quorum === 'none' ? 'no quorum is asked for' : canBeMet ? 'can still be met' : 'cannot be met'
    return ['quorum', owner, what]
  })
  const left = groups.flatMap((group) =>
    group.without.slice(0, MAX_ROWS).map(({ owner, measures }) => {
      const rest =
        measures === null
          ? 'nothing'
          : `effective ${range(measures.effectiveNumber)}, top ${range(measures.topShare, percent)}`
      return [groupName(group), owner, rest]
    }),
  )
  const rows = [...lost, ...left]
  if (rows.length === 0) return []
  const table = formatTable(
    ['what', 'without', 'is left'].map((heading) => ({ heading })),
    rows,
  )
  return section('Without one of them', table.map(indent))
}

function formatDeclarations(declarations: readonly ComparedDeclaration[]): readonly string[] {
  const lines = declarations.slice(0, MAX_ROWS).map(({ party, knownAs, facts }) => {
    const known = knownAs === null ? 'a key that the trust file does not know' : `known as ${knownAs}`
    const told = facts.filter(({ fact }) => fact !== 'key' && fact !== 'witness')
    const foreign = facts.filter(
      ({ fact, standing }) => (fact === 'key' || fact === 'witness') && standing === 'contradicted',
    )
    const claims = foreign.length === 0 ? '' : `; it claims ${foreign.length} keys that are another’s`
    return `${party} (${known}): ${told.map(({ fact, says, standing }) => `${fact} ${says}, ${standing}`).join('; ')}${claims}`
  })
  return section('What parties say of themselves; it counts only where confirmed', bullets(lines))
}

function indent(line: string): string {
  return `  ${line}`
}

function percent(value: number): string {
  return `${Math.round(value * 100)}%`
}

/** One figure, or two where ownership is not known. */
function range({ atLeast, atMost }: Bounds, format: (value: number) => string = decimal): string {
  const [low, high] = [format(atLeast), format(atMost)]
  return low === high ? low : `${low}–${high}`
}

function decimal(value: number): string {
  return String(Math.round(value * 100) / 100)
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, MAX_ROWS).join(', ')
  return names.length > MAX_ROWS ? `${shown} and ${names.length - MAX_ROWS} more` : shown
}
