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

/** What came of one file, and what can be done next. With `isWhole`, all checks and everything that the evidence says. */
export function formatAppraisal(appraisal: Appraisal, isWhole: boolean, steps: readonly string[] = []): string {
  const { status, reason, atMs, facts, items, checks, keys, notes, doesNotProve } = appraisal
  const at = paint('dim', `as of ${new Date(atMs).toISOString()}`)
  const lines = [
    `${paint(STATUS_STYLE[status], status.padEnd(WIDTH))}${at}`,
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
  const measured = Object.entries(item.measurements).map(([name, value]) => `  ${name.padEnd(WIDTH - 2)}${value}`)
  const claims = isWhole
    ? Object.entries(item.claims).map(([name, value]) => `  ${name.padEnd(WIDTH - 2)} ${JSON.stringify(value)}`)
    : []
  const genuine = item.isGenuine ? paint('green', 'genuine') : paint('yellow', 'not shown to be genuine')
  return [`${paint('bold', item.kind.padEnd(WIDTH))}${genuine}, ${item.tier}`, ...measured, ...claims, '']
}

function formatCheck({ name, result, code, detail }: EvidenceCheck): string {
  const why = [code, detail].filter((each) => each !== undefined).join(': ')
  return wrap(`${paint(RESULT_STYLE[result], result)} ${name}${why === '' ? '' : `  ${why}`}`, '    ')
}
