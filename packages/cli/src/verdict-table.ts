/** A verdict as people read it: a row per claim, with what it rests on and what it does not prove. */
import type { ClaimRow, TimeInterval, Verdict } from '@countersign/verify'
import { paint, paintStatus, wrap } from './terminal.ts'

const CLAIM_WIDTH = 14
const STATUS_WIDTH = 10
const FACT_WIDTH = 20
const MAX_DATE_MS = 8_640_000_000_000_000
const INDENT = ' '.repeat(CLAIM_WIDTH)

export function formatVerdict(verdict: Verdict): string {
  const title = paint('bold', `receipt ${verdict.receipt}`)
  const at = `as of ${new Date(verdict.atMs).toISOString()}`
  return [`${title}  ${paint('dim', at)}`, ...formatTime(verdict.time), '', ...verdict.claims.map(formatRow)].join('\n')
}

/** When the answer was recorded, by whose word; nothing where the record does not hold. */
function formatTime({ notBeforeMs, notAfterMs, operatorMs, trusts, reason }: TimeInterval): readonly string[] {
  if (operatorMs === null) return []
  const bounds = [
    ...(notBeforeMs === null ? [] : [`after ${isoTime(notBeforeMs)}`]),
    ...(notAfterMs === null ? [] : [`before ${isoTime(notAfterMs)}`]),
  ]
  const operator = `the operator says ${isoTime(operatorMs)}`
  const said = bounds.length === 0 ? operator : `recorded ${bounds.join(' and ')}, by the word of ${trusts.join(', ')}`
  return [wrap(bounds.length === 0 ? said : `${said}; ${operator}`, ''), paint('dim', wrap(reason, ''))]
}

/** A witness's time may lie a little beyond the last that a date can have. */
function isoTime(timeMs: number): string {
  return new Date(Math.min(timeMs, MAX_DATE_MS)).toISOString()
}

function formatRow(row: ClaimRow): string {
  const lines = [
    `${paint('bold', row.claim.padEnd(CLAIM_WIDTH))}${paintStatus(row.status, STATUS_WIDTH)} ${row.grade ?? ''}`,
    wrap(row.reason, INDENT),
    ...(row.facts ?? []).map(({ name, status }) => `${name.padEnd(FACT_WIDTH)}${status}`),
    ...row.checks.filter((check) => check.result !== 'pass').map((check) => `${check.result}: ${check.name}`),
    ...(row.status === 'holds' ? row.basis.map((basis) => paint('dim', `basis: ${basis}`)) : []),
    ...(row.status === 'holds' ? [paint('dim', `trusting: ${row.trusts.join('; ')}`)] : []),
    ...row.doesNotProve.map((what) => paint('dim', wrap(`does not prove: ${what}`, INDENT))),
  ]
  return `${lines.join(`\n${INDENT}`)}\n`
}
