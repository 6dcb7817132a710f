/** What an auditor keeps of an audit, and what it proves to a stranger. @spec spec/audit.md */
import { toBase64 } from '../bytes/base64.ts'
import { FILE_LIMITS, parseJson } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { confirmationsAsOf, meetsQuorum, openConfirmations } from '../independence/confirmation.ts'
import { readHash, type UnverifiedReceipt } from '../log/bundle.ts'
import { HASH_BYTES, type Hash, MAX_PROOF_HASHES } from '../log/merkle.ts'
import type { UnverifiedNote } from '../log/note.ts'
import { type OpenedReceipt, openReceipt } from '../log/receipt.ts'
import { MAX_EPOCH_ENTRIES } from '../statement/audit-commitment.ts'
import { parseAuditResult } from '../statement/audit-result.ts'
import { parseStatement } from '../statement/statement.ts'
import { findSigner, type Party, type Trust } from '../trust/trust-file.ts'
import { type AuditEvidence, type VerifiedAudit, verifyAudit } from './audit.ts'
import { openConfirmedHead } from './confirmed-head.ts'

export const AUDIT_PROOF_FORMAT = 'countersign-audit-proof/v1'

/** The leaves of an epoch, and the hashes of what surrounds them under the head that ended it. */
export type AuditProof = Pick<AuditEvidence, 'leafHashes' | 'path'>

/** The file, as {@link parseAuditProof} reads it. */
export function formatAuditProof({ leafHashes, path }: AuditProof): string {
  const proof = { format: AUDIT_PROOF_FORMAT, leafHashes: toBase64(leafHashes), path: path.map(toBase64) }
  return `${JSON.stringify(proof)}\n`
}

/** Nothing in it is checked. @throws {CountersignError} `json/*`, `shape/*` */
export function parseAuditProof(bytes: Uint8Array): AuditProof {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'proof')
  fields.oneOf('format', [AUDIT_PROOF_FORMAT])
  const leafHashes = fields.base64('leafHashes', (MAX_EPOCH_ENTRIES + 1) * HASH_BYTES)
  const path: readonly Hash[] = fields.list('path', MAX_PROOF_HASHES * 2, readHash)
  fields.end()
  return { leafHashes, path }
}

/** The files, read and not checked. */
export interface UnverifiedAudit {
  readonly commitment: UnverifiedReceipt
  readonly result: UnverifiedReceipt
  /** The head that the result names, with its cosignatures. */
  readonly checkpoint: UnverifiedNote
  readonly proof: AuditProof
  /** Where the result names one. */
  readonly resultsFile?: Uint8Array
}

/** An audit by a known auditor. */
export interface CheckedAudit extends VerifiedAudit {
  readonly auditor: Party
  /** Where the two statements stand. */
  readonly commitmentIndex: number
  readonly resultIndex: number
}

/**
 * Proves what {@link verifyAudit} proves, of statements that stand in a log of the trust file under heads that meet its
 * quorum, both signed by one of its auditors; or throws.
 *
 * @throws {CountersignError} `policy/unknown-log`, `policy/quorum-unmet`, `signature/unknown-key`, and what opening receipts
 *   and {@link verifyAudit} throw
 */
export function verifyAuditFiles(crypto: Crypto, trust: Trust, files: UnverifiedAudit, atMs: number): CheckedAudit {
  const { policy } = trust
  const [origin = ''] = files.commitment.checkpoint.text.split('\n')
  const log = policy.logs.find(({ key }) => key.name === origin)
  if (log === undefined) throw new CountersignError('policy/unknown-log', 'the trust file has no key for this log')
  const open = (receipt: UnverifiedReceipt): OpenedReceipt => {
    const opened = openReceipt(crypto, receipt, log.key)
    requireQuorum(crypto, trust, receipt.checkpoint, atMs)
    return opened
  }
  const [commitment, result] = [open(files.commitment), open(files.result)]
  const auditor = findSigner(trust, commitment.keyId, 'auditor', { origin, index: commitment.index })?.party
  const signer = findSigner(trust, result.keyId, 'auditor', { origin, index: result.index })?.party
  if (auditor === undefined || auditor !== signer) {
    throw new CountersignError('signature/unknown-key', 'no auditor of the trust file has signed both statements')
  }
  const head = openConfirmedHead(crypto, policy, origin, files.checkpoint)
  requireQuorum(crypto, trust, files.checkpoint, atMs)
  // Without witnesses nobody else says when it was seen.
  const stated = parseAuditResult(parseStatement(result.payload)).head.confirmedAtSeconds
  const audit = verifyAudit(crypto, {
    ...{ commitment, result, ...files.proof },
    head: policy.quorum === 'none' ? { ...head, confirmedAtSeconds: stated } : head,
    heads: [files.commitment, files.result].map(({ checkpoint }) => {
      return openConfirmedHead(crypto, policy, origin, checkpoint)
    }),
    ...(files.resultsFile === undefined ? {} : { resultsFile: files.resultsFile }),
  })
  return { ...audit, auditor, commitmentIndex: commitment.index, resultIndex: result.index }
}

function requireQuorum(crypto: Crypto, { policy }: Trust, note: UnverifiedNote, atMs: number): void {
  if (meetsQuorum(policy, confirmationsAsOf(openConfirmations(crypto, note, policy), atMs))) return
  throw new CountersignError('policy/quorum-unmet', 'a head of the audit does not meet the policy’s quorum')
}
