/** A report of an audit as people read it. */
import { AUDIT_OUTCOMES, type AuditOutcome } from '@countersign/verify'
import type { AuditReport } from '@countersign/watch'
import { formatMoney } from './money.ts'
import { formatShare } from './share.ts'
import { formatTable } from './table.ts'
import { paint } from './terminal.ts'

const MEANING: { readonly [outcome in AuditOutcome]: string } = {
  agreed: 'run again, and the same',
  differed: 'run again, and not the same, or against its own manifest',
  refused: 'the operator said no: counts against it',
  'evidence-missing': 'no answer in time, or one that opens nothing: counts against it',
  'not-comparable': 'nobody can run it again',
  'out-of-scope': 'of another deployment, by the operator’s word',
  'not-an-answer': 'another kind of statement',
  unavailable: 'could not be run here: counts for nobody',
}

export function formatAuditReport(report: AuditReport): string {
  const { counts, headline, cost, confidenceMillionths, exceptions } = report
  const rows = AUDIT_OUTCOMES.filter((outcome) => counts[outcome] > 0 || outcome === 'agreed').map((outcome) => [
    outcome,
    String(counts[outcome]),
    MEANING[outcome],
  ])
  const columns = [{ heading: 'outcome' }, { heading: 'entries', isNumber: true }, { heading: 'meaning' }]
  return [
    paint('bold', `audit of ${report.gateway}, log ${report.log}`),
    `entries from ${report.from} up to, without, ${report.to}: ${report.seen} seen, ${report.sampled} selected at a rate of ${formatShare(report.rateMillionths)}`,
    '',
    ...formatTable(columns, rows),
    '',
    `${headline.failures} of ${headline.sampled} were not as they should be. ${boundText(report)}`,
    ...(headline.failures > counts.differed
      ? [`Of what was shown alone: no more than ${formatShare(report.answered.excludedAboveMillionths)} wrong.`]
      : []),
    `computing: ${(cost.computeMs / 1000).toFixed(1)} s, ${moneyText(report)}`,
    `commitment: entry ${report.commitment.index}; result: ${report.result.index === null ? 'not logged' : `entry ${report.result.index}`}`,
    ...exceptions.map(({ index, outcome, code, evidence }) =>
      paint(
        outcome === 'differed' ? 'red' : 'yellow',
        `entry ${index}: ${outcome}${code === undefined ? '' : ` (${code})`}${evidence === undefined ? '' : `, see ${evidence}`}`,
      ),
    ),
    '',
  ].join('\n')

  function boundText({ headline: { sampled, excludedAboveMillionths } }: AuditReport): string {
    if (sampled === 0) return 'That says nothing.'
    const confidence = formatShare(confidenceMillionths)
    return `With ${confidence} confidence, no more than ${formatShare(excludedAboveMillionths)} of the answers are.`
  }
}

function moneyText({ cost }: AuditReport): string {
  const { amountMicros, currency } = cost
  return amountMicros === null || currency === null ? 'price unknown' : formatMoney(amountMicros, currency)
}
