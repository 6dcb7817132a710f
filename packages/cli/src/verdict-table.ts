/** A verdict as people read it: a row per claim, with what it rests on and what it does not prove. */
import type { ClaimRow, Verdict } from '@countersign/verify'
import { paint, paintStatus, wrap } from './terminal.ts'

const CLAIM_WIDTH = 14
const STATUS_WIDTH = 10
const INDENT = ' '.repeat(CLAIM_WIDTH)

export function formatVerdict(verdict: Verdict): string {
  const title = paint('bold', `receipt ${verdict.receipt}`)
  const at = `as of ${new Date(verdict.atMs).toISOString()}`
  return [`${title}  ${paint('dim', at)}`, '', ...verdict.claims.map(formatRow)].join('\n')
}

function formatRow(row: ClaimRow): string {
  const lines = [
    `${paint('bold', row.claim.padEnd(CLAIM_WIDTH))}${paintStatus(row.status, STATUS_WIDTH)} ${row.grade ?? ''}`,
    wrap(row.reason, INDENT),
    ...row.checks.filter((check) => check.result !== 'pass').map((check) => `${check.result}: ${check.name}`),
    ...(row.status === 'holds' ? row.basis.map((basis) => paint('dim', `basis: ${basis}`)) : []),
    ...(row.status === 'holds' ? [paint('dim', `trusting: ${row.trusts.join('; ')}`)] : []),
    ...row.doesNotProve.map((what) => paint('dim', wrap(`does not prove: ${what}`, INDENT))),
  ]
  return `${lines.join(`\n${INDENT}`)}\n`
}
