/** A small log with an audit in it: the commitment, the epoch's entries, the result. */
import { concat, toHex, utf8 } from '../bytes/bytes.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { NOW_MS, ORIGIN, type StatementSigner, statementSigner, TestLog } from '../fixture.testing.ts'
import { parseBundle } from '../log/bundle.ts'
import { surroundingRanges } from '../log/leaf-range.ts'
import { hashLeaf } from '../log/merkle.ts'
import { type OpenedReceipt, openReceipt } from '../log/receipt.ts'
import { type AuditCommitment, auditCommitmentStatement } from '../statement/audit-commitment.ts'
import { type AuditResult, auditResultStatement } from '../statement/audit-result.ts'
import type { AuditedEntry } from '../statement/audited-entry.ts'
import { modelStatement } from '../statement/model.ts'
import { type AuditEvidence, boundOf, countOutcomes } from './audit.ts'
import { createDraw, drawEntries } from './selection.ts'

const crypto = createNobleCrypto()

export const SEED = crypto.sha256(utf8('test audit seed'))

/** A commitment to {@link SEED}: half of ten entries. */
export function sampleCommitment(changes: Partial<AuditCommitment> = {}): AuditCommitment {
  return {
    auditor: 'Example Auditor',
    log: ORIGIN,
    deployments: 'all',
    seedHash: toHex(crypto.sha256(SEED)),
    rateMillionths: 500_000,
    epoch: { entries: 10 },
    answerWithinSeconds: 60,
    committedAtMs: NOW_MS,
    ...changes,
  }
}

export interface AuditSceneOptions {
  readonly commitment?: Partial<AuditCommitment>
  /** Entries before the commitment, and after it. */
  readonly before?: number
  readonly after?: number
  /** End of the epoch, when it is another than the commitment's. */
  readonly to?: number
  /** What the auditor draws with, when it is something else than it committed to. */
  readonly drawnWith?: { readonly seed?: Uint8Array; readonly rateMillionths?: number }
  /** Changes what the auditor states. */
  readonly change?: (result: AuditResult) => AuditResult
  readonly resultSigner?: StatementSigner
  readonly evidence?: Partial<AuditEvidence>
}

/** Plays an audit, and gives what a stranger checks it from. */
export function buildAudit(options: AuditSceneOptions = {}): AuditEvidence {
  const { before = 3, after = 14, drawnWith = {} } = options
  const log = new TestLog()
  const auditor = statementSigner('auditor')
  const fill = (count: number) => {
    for (let i = 0; i < count; i++) {
      log.append(modelStatement(crypto, `model-${log.size}`, []), statementSigner('operator'))
    }
  }
  fill(before)
  const commitment = sampleCommitment(options.commitment)
  const { index } = log.append(auditCommitmentStatement(commitment), auditor)
  fill(after)
  const size = log.size
  const leaf = (at: number) => hashLeaf(crypto, log.entry(at).leaf)
  const from = index + 1
  const to = options.to ?? from + commitment.epoch.entries
  const leafHashes = concat(...Array.from({ length: to - index }, (_, i) => leaf(index + i)))
  const draw = createDraw(crypto, drawnWith.seed ?? SEED, drawnWith.rateMillionths ?? commitment.rateMillionths)
  const opened = opener(log)
  const entries = drawEntries(draw, from, leafHashes.subarray(32)).map(
    (drawn): AuditedEntry => ({
      index: drawn.index,
      leafHash: toHex(drawn.leafHash),
      outcome: 'agreed',
      statement: toHex(crypto.sha256(log.entry(drawn.index).payload)),
      profile: 'reference-profile',
    }),
  )
  const counts = countOutcomes(entries)
  const head = { ...log.head(size), confirmedAtSeconds: NOW_MS / 1000 + 100 }
  const result: AuditResult = {
    auditor: commitment.auditor,
    commitment: opened(index, size).statement,
    log: ORIGIN,
    seed: toHex(drawnWith.seed ?? SEED),
    ...{ from, to },
    head: { size, root: toHex(head.root), confirmedAtSeconds: head.confirmedAtSeconds },
    counts,
    entries,
    cost: { computeMs: 12 },
    bound: boundOf(counts, 990_000),
    endedAtMs: NOW_MS + 1000,
  }
  const stated = (options.change ?? ((same: AuditResult) => same))(result)
  const logged = log.append(auditResultStatement(stated), options.resultSigner ?? auditor)
  return {
    commitment: opened(index, size),
    result: opened(logged.index, log.size),
    head,
    heads: [],
    leafHashes,
    path: surroundingRanges({ start: index, end: to }, size).map((range) => rangeHash(log, range.start, range.end)),
    ...options.evidence,
  }
}

function opener(log: TestLog): (index: number, size: number) => OpenedReceipt {
  return (index, size) => openReceipt(crypto, parseBundle(log.bundle(index, size)), log.signer.key)
}

/** The hash of leaves in a row, as a tree of their own: slow and plain. */
function rangeHash(log: TestLog, start: number, end: number): Uint8Array {
  if (end - start === 1) return hashLeaf(crypto, log.entry(start).leaf)
  let half = 1
  while (half * 2 < end - start) half *= 2
  return crypto.sha256(Uint8Array.of(1), rangeHash(log, start, start + half), rangeHash(log, start + half, end))
}
