/** What came of one epoch, for programs; the command line makes a table of it. @spec spec/audit.md */
import {
  type AuditCounts,
  type AuditedEntry,
  type AuditOutcome,
  boundOf,
  countOutcomes,
  excludedFraud,
} from '@countersign/verify'
import type { AuditState } from './decide-audit.ts'
import { MAX_REPORTED_ENTRIES } from './limits.ts'

export const AUDIT_REPORT_FORMAT = 'countersign-audit-report/v1'

/** Price of an hour on one core. */
export interface CorePrice {
  readonly amountMicros: number
  readonly currency: string
}

/** What a sample says: of so many, so many were not as they should be. */
export interface SampleBound {
  readonly sampled: number
  readonly failures: number
  /** No larger share, in millionths. */
  readonly excludedAboveMillionths: number
}

export interface AuditReport {
  readonly format: typeof AUDIT_REPORT_FORMAT
  readonly gateway: string
  readonly log: string
  readonly auditor: string
  readonly deployments: 'all' | readonly string[]
  readonly commitment: { readonly statement: string; readonly index: number }
  /** `index` is `null` when the gateway did not log the result in time. */
  readonly result: { readonly statement: string; readonly index: number | null }
  readonly from: number
  readonly to: number
  readonly rateMillionths: number
  /** Entries of the epoch, and how many of them were selected. */
  readonly seen: number
  readonly sampled: number
  readonly counts: AuditCounts
  readonly confidenceMillionths: number
  /** Refusals and silence count as failures. */
  readonly headline: SampleBound
  /** Among what was opened and run again. */
  readonly answered: SampleBound
  readonly cost: { readonly computeMs: number; readonly amountMicros: number | null; readonly currency: string | null }
  /** What did not agree, by index; no more than a thousand. */
  readonly exceptions: readonly (AuditedEntry & { readonly evidence?: string })[]
  readonly exitCode: 0 | 1 | 3
}

/** Outcomes that nobody need look at one by one. */
const QUIET: readonly AuditOutcome[] = ['agreed', 'not-an-answer', 'not-comparable']

export interface ReportInput {
  readonly state: Extract<AuditState, { phase: 'over' }>
  readonly gateway: string
  readonly resultDigest: string
  readonly confidenceMillionths: number
  readonly price: CorePrice | undefined
  /** Where the evidence of an entry was put. */
  evidenceOf(index: number): string | undefined
}

/** The report on an epoch that is over. */
export function reportOn({
  state,
  gateway,
  resultDigest,
  confidenceMillionths,
  price,
  evidenceOf,
}: ReportInput): AuditReport {
  const { epoch, index, to, entries, computeMs, resultIndex } = state
  const { commitment, digest } = epoch
  const counts = countOutcomes(entries)
  const failures = counts.differed + counts.refused + counts['evidence-missing']
  const exceptions = entries.filter(({ outcome }) => !QUIET.includes(outcome)).slice(0, MAX_REPORTED_ENTRIES)
  return {
    format: AUDIT_REPORT_FORMAT,
    ...{ gateway, log: commitment.log, auditor: commitment.auditor, deployments: commitment.deployments },
    commitment: { statement: digest, index },
    result: { statement: resultDigest, index: resultIndex },
    ...{ from: index + 1, to, rateMillionths: commitment.rateMillionths },
    seen: to - index - 1,
    sampled: entries.length,
    ...{ counts, confidenceMillionths },
    headline: {
      ...{ sampled: counts.agreed + failures, failures },
      excludedAboveMillionths: boundOf(counts, confidenceMillionths).fraudMillionths,
    },
    answered: {
      ...{ sampled: counts.agreed + counts.differed, failures: counts.differed },
      excludedAboveMillionths: excludedFraud(counts.agreed + counts.differed, counts.differed, confidenceMillionths),
    },
    cost: costOf(computeMs, price),
    exceptions: exceptions.map((entry) => {
      const evidence = evidenceOf(entry.index)
      return evidence === undefined ? entry : { ...entry, evidence }
    }),
    exitCode: exitCodeOf(counts, resultIndex),
  }
}

const MS_PER_HOUR = 3_600_000

/** The cost of computing on one core; rounded up to a millionth of the currency’s unit. */
export function costOf(computeMs: number, price: CorePrice | undefined): AuditReport['cost'] {
  if (price === undefined) return { computeMs, amountMicros: null, currency: null }
  const amountMicros = Number(
    (BigInt(computeMs) * BigInt(price.amountMicros) + BigInt(MS_PER_HOUR - 1)) / BigInt(MS_PER_HOUR),
  )
  return { computeMs, amountMicros, currency: price.currency }
}

/** 1: something differed. 3: something was refused, not shown, or could not be run here; or the result was not logged. */
function exitCodeOf(counts: AuditCounts, resultIndex: number | null): AuditReport['exitCode'] {
  if (counts.differed > 0) return 1
  const open = counts.refused + counts['evidence-missing'] + counts.unavailable
  return open > 0 || resultIndex === null ? 3 : 0
}
