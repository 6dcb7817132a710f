/** The result of an epoch, checked by the rules that others will check it by before it is signed. */
import {
  type AuditedEntry,
  type AuditResult,
  auditResultStatement,
  boundOf,
  type Crypto,
  countOutcomes,
  formatAuditEntries,
  formatStatement,
  MAX_RESULT_ENTRIES,
  parseHex,
  type Statement,
  toHex,
  utf8,
  verifyAudit,
} from '@countersign/verify'
import { type CorePrice, costOf } from './audit-report.ts'
import type { AuditState } from './decide-audit.ts'
import type { ReadEpoch } from './log-watch.ts'

export interface ResultTerms {
  readonly crypto: Crypto
  readonly key: { readonly keyId: string }
  readonly confidenceMillionths: number
  readonly price: CorePrice | undefined
  readonly nowMs: number
}

export interface BuiltResult {
  readonly statement: Statement
  /** The entries, where they are too many for the statement. */
  readonly resultsFile: string | undefined
}

/** @throws {CountersignError} `audit/*`, `proof/*` when the result would not stand up */
export function buildResult(
  state: Extract<AuditState, { phase: 'signing' }>,
  { leaves, commitment }: ReadEpoch,
  { crypto, key, confidenceMillionths, price, nowMs }: ResultTerms,
): BuiltResult {
  const { epoch, index, to, head, entries, computeMs } = state
  const counts = countOutcomes(entries)
  const { amountMicros, currency } = costOf(computeMs, price)
  const isLong = entries.length > MAX_RESULT_ENTRIES
  const resultsFile = isLong ? formatAuditEntries(entries) : undefined
  const listed: { entries: readonly AuditedEntry[]; resultsFile?: string } =
    resultsFile === undefined ? { entries } : { entries: [], resultsFile: toHex(crypto.sha256(utf8(resultsFile))) }
  const result: AuditResult = {
    ...{ auditor: epoch.commitment.auditor, commitment: epoch.digest, log: epoch.commitment.log, seed: epoch.seed },
    ...{ from: index + 1, to, head, counts },
    ...listed,
    cost: { computeMs, ...(amountMicros === null || currency === null ? {} : { amountMicros, currency }) },
    bound: boundOf(counts, confidenceMillionths),
    endedAtMs: nowMs,
  }
  const statement = auditResultStatement(result)
  verifyAudit(crypto, {
    commitment,
    result: { payload: formatStatement(statement), keyId: key.keyId },
    head: { ...head, root: parseHex(head.root, 32) },
    heads: [],
    ...leaves,
    ...(resultsFile === undefined ? {} : { resultsFile: utf8(resultsFile) }),
  })
  return { statement, resultsFile }
}
