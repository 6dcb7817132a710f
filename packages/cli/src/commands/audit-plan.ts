/** `countersign audit plan`: how many entries to look at. */
import { CountersignError, excludedFraud, MILLION, quote, samplesNeeded } from '@countersign/verify'
import type { Command } from 'commander'
import { formatShare, parseShare } from '../share.ts'
import { formatTable } from '../table.ts'
import { print } from '../terminal.ts'

export const AUDIT_PLAN_FORMAT = 'countersign-audit-plan/v1'

interface PlanOptions {
  readonly fraud: string
  readonly confidence: string
  readonly entriesPerDay?: string
  readonly json?: boolean
}

/** One rate of fraud and one confidence, with what they take. */
interface PlannedSample {
  readonly fraudMillionths: number
  readonly confidenceMillionths: number
  readonly samples: number
  /** Rate at which a day gives so many, rounded up; `null` where a day has fewer entries. */
  readonly rateMillionths?: number | null
}

const EXAMPLES = `
Examples:
  countersign audit plan --fraud 0.01 --confidence 0.99
  countersign audit plan --fraud 0.001 --confidence 0.95 --entries-per-day 100000 --json

Exit codes: 0 shown; 2 bad usage.`

export function addAuditPlan(audit: Command): void {
  audit
    .command('plan')
    .description('say how many entries must be looked at')
    .requiredOption('--fraud <share>', 'share of wrong answers that must not go unseen, as in 0.01')
    .option('--confidence <share>', 'with which it must be seen (default: 0.99)')
    .option('--entries-per-day <number>', 'entries of the log in a day: says the rate that one day takes')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    // The command above has some of these options, and takes them.
    .action((_: unknown, command: Command) => plan(command.optsWithGlobals<PlanOptions>()))
}

function plan({ fraud, confidence, entriesPerDay, json }: PlanOptions): void {
  const fraudMillionths = parseShare('--fraud', fraud, MILLION)
  const confidenceMillionths = parseShare('--confidence', confidence, MILLION - 1)
  const perDay = entriesPerDay === undefined ? undefined : readEntries(entriesPerDay)
  const sampleFor = (share: number, certainty: number): PlannedSample => {
    const samples = samplesNeeded(share, certainty)
    const terms = { fraudMillionths: share, confidenceMillionths: certainty, samples }
    return perDay === undefined ? terms : { ...terms, rateMillionths: rateFor(samples, perDay) }
  }
  const asked = sampleFor(fraudMillionths, confidenceMillionths)
  const near = neighbours(fraudMillionths, confidenceMillionths).map(([share, certainty]) =>
    sampleFor(share, certainty),
  )
  if (json)
    print(JSON.stringify({ format: AUDIT_PLAN_FORMAT, ...asked, entriesPerDay: perDay ?? null, neighbours: near }))
  else printPlan(asked, near, perDay)
}

function printPlan(asked: PlannedSample, near: readonly PlannedSample[], perDay: number | undefined): void {
  const { fraudMillionths, confidenceMillionths, samples, rateMillionths } = asked
  const certainty = formatShare(confidenceMillionths)
  print(
    `Look at ${samples} entries: if ${formatShare(fraudMillionths)} or more are wrong, one shows with ${certainty} confidence.`,
  )
  const oneOff = formatShare(excludedFraud(samples, 1, confidenceMillionths))
  print(`If one of them is wrong or withheld, only rates above ${oneOff} are excluded.`)
  if (perDay !== undefined) {
    const rate = rateMillionths === null || rateMillionths === undefined ? undefined : formatShare(rateMillionths)
    print(
      rate === undefined
        ? `A day has ${perDay} entries: fewer than that. Audit for longer.`
        : `A day has ${perDay} entries: a rate of ${rate} selects so many on average.`,
    )
  }
  print()
  const columns = ['wrong', 'confidence', 'entries', ...(perDay === undefined ? [] : ['rate in a day'])]
  const rows = near.map((each) => [
    formatShare(each.fraudMillionths),
    formatShare(each.confidenceMillionths),
    String(each.samples),
    ...(perDay === undefined ? [] : [each.rateMillionths == null ? '-' : formatShare(each.rateMillionths)]),
  ])
  for (const line of formatTable(
    columns.map((heading) => ({ heading, isNumber: true })),
    rows,
  ))
    print(line)
}

/** Half, the same and twice the share, at what is asked for and what is usual. */
function neighbours(fraud: number, confidence: number): readonly (readonly [number, number])[] {
  const shares = [
    ...new Set([fraud / 2, fraud, fraud * 2].map((share) => Math.min(MILLION, Math.max(1, Math.round(share))))),
  ]
  const certainties = [...new Set([900_000, 950_000, 990_000, 999_000, confidence])].sort((a, b) => a - b)
  return shares.flatMap((share) => certainties.map((certainty) => [share, certainty] as const))
}

function rateFor(samples: number, perDay: number): number | null {
  return samples > perDay ? null : Math.ceil((samples * MILLION) / perDay)
}

function readEntries(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw new CountersignError('usage/invalid', `--entries-per-day: ${quote(text)} is not a whole number`)
}
