/** An appraisal as people read it: facts first, then what was measured, then the checks that did not pass. */
import type {
  Appraisal,
  AppraisalStatus,
  Appraised,
  EvidenceCheck,
  EvidenceResult,
  FactStatus,
} from '@countersign/verify'
import { paint, wrap } from '../terminal.ts'
import type { AppraisedFile, Claimed } from './appraise-files.ts'

const WIDTH = 20
const INDENT = ' '.repeat(WIDTH)

const STATUS_STYLE = { accepted: 'green', refused: 'red', unproven: 'yellow' } as const satisfies {
  [status in AppraisalStatus]: string
}
const FACT_STYLE = { shown: 'green', refuted: 'red', 'not-shown': 'yellow' } as const satisfies {
  [status in FactStatus]: string
}
const RESULT_STYLE = { pass: 'green', fail: 'red', 'not-checked': 'yellow' } as const satisfies {
  [result in EvidenceResult]: string
}

/** What came of one file, as it is decided, and what can be done next. */
export function formatAppraisal(appraisal: Appraisal, steps: readonly string[]): string {
  const { status } = appraisal
  return formatWith(paint(STATUS_STYLE[status], status.padEnd(WIDTH)), appraisal, [], steps, false)
}

/** The same without a decision, with all checks and everything that the evidence says, and claims that are not shown. */
export function formatExplanation({ appraisal, claimed }: AppraisedFile, steps: readonly string[]): string {
  const isFailed = appraisal.checks.some(({ result }) => result === 'fail')
  const headline = paint(isFailed ? 'red' : 'bold', (isFailed ? 'a check failed' : 'no check failed').padEnd(WIDTH))
  return formatWith(headline, appraisal, claimed.flatMap(formatClaimed), steps, true)
}

function formatWith(
  headline: string,
  appraisal: Appraisal,
  claimed: readonly string[],
  steps: readonly string[],
  isWhole: boolean,
): string {
  const { reason, atMs, facts, items, checks, keys, notes, doesNotProve } = appraisal
  const at = paint('dim', `as of ${new Date(atMs).toISOString()}`)
  const lines = [
    `${headline}${at}`,
    `${INDENT}${wrap(reason, INDENT)}`,
    '',
    ...facts.map((fact) => row(fact.name, paint(FACT_STYLE[fact.status], fact.status.padEnd(10)), fact.reason)),
    row('freshness', appraisal.freshness, ''),
    ...(appraisal.currentUntilMs === undefined
      ? []
      : [row('current until', new Date(appraisal.currentUntilMs).toISOString(), '')]),
    ...keys.map((key) => row('bound key', key.use, Object.values(key).slice(1).join(' '))),
    '',
    ...items.flatMap((item) => formatItem(item, isWhole)),
    ...claimed,
    ...checks.filter(({ result }) => isWhole || result !== 'pass').map(formatCheck),
    ...notes.map((note) => paint('dim', wrap(`note: ${note}`, INDENT))),
    ...doesNotProve.map((what) => paint('dim', wrap(`does not prove: ${what}`, INDENT))),
    ...steps.map((step) => wrap(`next: ${step}`, INDENT)),
  ]
  return `${lines.join('\n')}\n`
}

function row(name: string, first: string, rest: string): string {
  return `${paint('bold', name.padEnd(WIDTH))}${wrap(rest === '' ? first : `${first} ${rest}`, INDENT)}`
}

function formatItem(item: Appraised, isWhole: boolean): readonly string[] {
  const measured = formatMeasurements(item.measurements)
  const claims = isWhole
    ? Object.entries(item.claims).map(([name, value]) => `  ${name.padEnd(WIDTH - 2)} ${JSON.stringify(value)}`)
    : []
  const genuine = item.isGenuine ? paint('green', 'genuine') : paint('yellow', 'not shown to be genuine')
  return [`${paint('bold', item.kind.padEnd(WIDTH))}${genuine}, ${item.tier}`, ...measured, ...claims, '']
}

/** Anybody can write such bytes, and a reader has to see that. */
function formatClaimed({ kind, measurements }: Claimed): readonly string[] {
  const label = paint('yellow', 'claimed, not shown: what the bytes say, whoever wrote them')
  return [`${paint('bold', kind.padEnd(WIDTH))}${label}`, ...formatMeasurements(measurements), '']
}

function formatMeasurements(measurements: Appraised['measurements']): readonly string[] {
  return Object.entries(measurements).map(([name, value]) => `  ${name.padEnd(WIDTH - 2)}${value}`)
}

function formatCheck({ name, result, code, detail }: EvidenceCheck): string {
  const why = [code, detail].filter((each) => each !== undefined).join(': ')
  return wrap(`${paint(RESULT_STYLE[result], result)} ${name}${why === '' ? '' : `  ${why}`}`, '    ')
}
