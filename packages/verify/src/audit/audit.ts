/**
 * Whether an audit looked at what it was bound to look at.
 *
 * @spec spec/audit.md
 */
import { equalBytes, parseHex, toHex } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { verifyLeafRange } from '../log/leaf-range.ts'
import { HASH_BYTES, type Hash } from '../log/merkle.ts'
import type { OpenedReceipt } from '../log/receipt.ts'
import { type AuditCommitment, parseAuditCommitment } from '../statement/audit-commitment.ts'
import { type AuditCounts, type AuditResult, parseAuditResult } from '../statement/audit-result.ts'
import { AUDIT_OUTCOMES, type AuditedEntry, parseAuditEntries } from '../statement/audited-entry.ts'
import { parseStatement } from '../statement/statement.ts'
import { excludedFraud } from './binomial.ts'
import type { ConfirmedHead } from './confirmed-head.ts'
import { createDraw, drawEntries } from './selection.ts'

/** What an audit is checked from. Receipts are those that `openReceipt` gave; whose keys they are, is not checked here. */
export interface AuditEvidence {
  readonly commitment: OpenedReceipt
  readonly result: Pick<OpenedReceipt, 'payload' | 'keyId'> & { readonly index?: number }
  /** The head that the result names. Where the policy asks for no witness, the time is the one that the result states. */
  readonly head: ConfirmedHead
  /** Other heads of that log that are known. One of them may show that the epoch should have ended sooner. */
  readonly heads: readonly ConfirmedHead[]
  /** Leaf hashes from the commitment's own up to the end of the epoch, joined. */
  readonly leafHashes: Uint8Array
  /** Hashes of what surrounds them under `head`: see `surroundingRanges`. */
  readonly path: readonly Hash[]
  /** The results file, where the result names one. */
  readonly resultsFile?: Uint8Array
}

/** An audit that looked at what it had to. */
export interface VerifiedAudit {
  readonly commitment: AuditCommitment
  readonly result: AuditResult
  readonly entries: readonly AuditedEntry[]
}

/**
 * Proves that the result is of everything that the committed seed selects in the committed epoch, and adds up; or throws.
 *
 * Does not prove that the outcomes are true: `agreed` and the like are the auditor's word. Nor that it told nobody its
 * seed, nor that it left no other commitment without a result.
 *
 * @throws {CountersignError} `audit/*`, `proof/*`, `opening/missing`, `statement/mismatch`, `statement/wrong-type`, `shape/*`, `json/*`
 */
export function verifyAudit(crypto: Crypto, evidence: AuditEvidence): VerifiedAudit {
  const commitment = parseAuditCommitment(parseStatement(evidence.commitment.payload))
  const result = parseAuditResult(parseStatement(evidence.result.payload))
  checkSameAudit(evidence, commitment, result)
  const seed = parseHex(result.seed, 32)
  if (toHex(crypto.sha256(seed)) !== commitment.seedHash) {
    throw new CountersignError('audit/other-seed', 'the seed is not the one that was committed to')
  }
  checkEpoch(evidence, commitment, result)
  const leafHashes = readLeaves(crypto, evidence, result)
  const draw = createDraw(crypto, seed, commitment.rateMillionths)
  const entries = readEntries(crypto, evidence, result)
  checkSample(drawEntries(draw, result.from, leafHashes), entries)
  checkSums(result, entries)
  return { commitment, result, entries }
}

function checkSameAudit(
  { commitment: opened, result: { keyId, index } }: AuditEvidence,
  commitment: AuditCommitment,
  result: AuditResult,
): void {
  const same: readonly [string, boolean][] = [
    ['of another commitment', result.commitment === opened.statement],
    ['of another log', result.log === commitment.log && opened.checkpoint.origin === commitment.log],
    ['by another auditor', result.auditor === commitment.auditor],
    ['signed with another key', keyId === opened.keyId],
    ['older than its epoch', index === undefined || index >= result.to],
  ]
  const other = same.find(([, equal]) => !equal)
  if (other !== undefined) throw new CountersignError('statement/mismatch', `the result is ${other[0]}`)
}

/** The epoch begins right after the commitment, and ends where the commitment says. */
function checkEpoch(
  { commitment: { index }, head, heads }: AuditEvidence,
  { epoch }: AuditCommitment,
  result: AuditResult,
): void {
  const { from, to } = result
  if (from !== index + 1) throw moved(`it begins at ${from}, and the commitment stands at ${index}`)
  if (result.head.size !== head.size || result.head.root !== toHex(head.root)) {
    throw new CountersignError('proof/root-mismatch', 'the result names another head than the one given')
  }
  const whole = from + epoch.entries
  if (to === whole) {
    const sooner = endingHead([...heads], epoch.untilMs)
    if (sooner !== undefined && sooner.size < whole) throw moved(`a head of ${sooner.size} entries had ended it`)
    return
  }
  if (epoch.untilMs === undefined || to > whole) throw moved(`it ends at ${to}, and should at ${whole}`)
  const first = endingHead([head, ...heads], epoch.untilMs)
  if (first === undefined || to !== Math.max(from, first.size)) {
    throw moved(`it ends at ${to}, and the first head of its end has ${first?.size ?? 'not come'}`)
  }
}

/** The smallest head that was confirmed at that time or later. */
function endingHead(heads: readonly ConfirmedHead[], untilMs: number | undefined): ConfirmedHead | undefined {
  if (untilMs === undefined) return undefined
  return heads
    .filter(({ confirmedAtSeconds }) => confirmedAtSeconds !== undefined && confirmedAtSeconds * 1000 >= untilMs)
    .reduce<ConfirmedHead | undefined>(
      (least, each) => (least === undefined || each.size < least.size ? each : least),
      undefined,
    )
}

/** Leaf hashes of the epoch, after the row from the commitment on was found in the tree. */
function readLeaves(
  crypto: Crypto,
  { commitment, head, leafHashes, path }: AuditEvidence,
  { to }: AuditResult,
): Uint8Array {
  verifyLeafRange(crypto, head, commitment.index, leafHashes, path)
  if (commitment.index + leafHashes.length / HASH_BYTES !== to) throw moved('the leaves end elsewhere')
  if (!equalBytes(leafHashes.subarray(0, HASH_BYTES), commitment.leafHash)) {
    throw new CountersignError('proof/root-mismatch', 'this tree has another entry in the commitment’s place')
  }
  return leafHashes.subarray(HASH_BYTES)
}

function readEntries(crypto: Crypto, { resultsFile }: AuditEvidence, result: AuditResult): readonly AuditedEntry[] {
  if (result.resultsFile === undefined) return result.entries
  // Nobody signs what was handed over: another file than the named one shows nothing of the audit.
  if (resultsFile === undefined || toHex(crypto.sha256(resultsFile)) !== result.resultsFile) {
    throw new CountersignError('opening/missing', 'the results file that the result names was not given')
  }
  return parseAuditEntries(resultsFile)
}

function checkSample(drawn: ReturnType<typeof drawEntries>, entries: readonly AuditedEntry[]): void {
  for (let i = 0; i < Math.max(drawn.length, entries.length); i++) {
    const [selected, listed] = [drawn[i], entries[i]]
    if (selected?.index === listed?.index && selected !== undefined && toHex(selected.leafHash) === listed?.leafHash)
      continue
    const isLeftOut = selected !== undefined && (listed === undefined || listed.index > selected.index)
    const what = isLeftOut
      ? `left out entry ${selected.index}`
      : `lists entry ${listed?.index}, which was not selected so`
    throw new CountersignError('audit/other-sample', `the result ${what}`)
  }
}

function checkSums({ counts, bound }: AuditResult, entries: readonly AuditedEntry[]): void {
  const counted = countOutcomes(entries)
  const wrong = AUDIT_OUTCOMES.find((outcome) => counts[outcome] !== counted[outcome])
  if (wrong !== undefined) {
    throw new CountersignError(
      'audit/wrong-count',
      `the result counts ${counts[wrong]} ${wrong}, and lists ${counted[wrong]}`,
    )
  }
  // Nobody is wronged by a bound that claims less.
  const { fraudMillionths } = boundOf(counts, bound.confidenceMillionths)
  if (bound.fraudMillionths < fraudMillionths) {
    throw new CountersignError('audit/wrong-count', `the sample excludes no less than ${fraudMillionths} millionths`)
  }
}

/** How often each outcome came out. */
export function countOutcomes(entries: readonly AuditedEntry[]): AuditCounts {
  const counts = Object.fromEntries(AUDIT_OUTCOMES.map((outcome) => [outcome, 0])) as {
    [outcome in (typeof AUDIT_OUTCOMES)[number]]: number
  }
  for (const { outcome } of entries) counts[outcome]++
  return counts
}

/** What the counts exclude: whatever the operator had to show and did not counts like what differed. */
export function boundOf(counts: AuditCounts, confidenceMillionths: number): AuditResult['bound'] {
  const failures = counts.differed + counts.refused + counts['evidence-missing']
  return {
    confidenceMillionths,
    fraudMillionths: excludedFraud(counts.agreed + failures, failures, confidenceMillionths),
  }
}

function moved(why: string): CountersignError {
  return new CountersignError('audit/epoch-moved', `this is not the epoch that was committed to: ${why}`)
}
