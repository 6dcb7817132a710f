/** A receipt, checked as one. The verdict makes the same checks one by one, so as to name the one that fails. */
import { equalBytes, toHex } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { openEnvelope } from '../statement/dsse.ts'
import { type StatementDigest, statementDigest } from '../statement/statement.ts'
import type { UnverifiedReceipt } from './bundle.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { verifyLeaf } from './leaf.ts'
import { type Hash, hashLeaf, verifyInclusion } from './merkle.ts'
import { fullKeyId, type NoteKey } from './note.ts'

/** A statement that the log holds under `checkpoint`, signed by the key with `keyId`; whose key that is, is not checked. */
export interface OpenedReceipt {
  readonly payload: Uint8Array
  readonly statement: StatementDigest
  readonly keyId: string
  readonly index: number
  readonly leafHash: Hash
  readonly checkpoint: Checkpoint
}

/**
 * Proves that the log with `logKey` holds the signed statement in `receipt`, or throws.
 *
 * Proves nothing about who holds the statement's key, nor that anyone else was shown the same log.
 *
 * @throws {CountersignError} `leaf/mismatch`, `signature/*`, `key/malformed`, `note/*`, `checkpoint/*`, `proof/*`
 */
export function openReceipt(crypto: Crypto, receipt: UnverifiedReceipt, logKey: NoteKey): OpenedReceipt {
  const { envelope, leaf, leafBytes, index } = receipt
  verifyLeaf(crypto, leaf, envelope, leaf.spki)
  const payload = openEnvelope(crypto, envelope, leaf.spki)
  const checkpoint = openHead(crypto, receipt, logKey)
  const leafHash = hashLeaf(crypto, leafBytes)
  verifyInclusion(crypto, checkpoint, receipt, leafHash)
  const keyId = toHex(crypto.sha256(leaf.spki))
  return { payload, statement: statementDigest(crypto, payload), keyId, index, leafHash, checkpoint }
}

/**
 * The checkpoint of a receipt, after the log's signature was checked, and that the bundle names this log, and size and
 * root as the checkpoint does.
 *
 * @throws {CountersignError} `note/*`, `checkpoint/*`, `proof/root-mismatch`
 */
export function openHead(crypto: Crypto, receipt: UnverifiedReceipt, logKey: NoteKey): Checkpoint {
  const checkpoint = openCheckpoint(crypto, receipt.checkpoint, logKey)
  requireHead(receipt, fullKeyId(crypto, logKey), checkpoint)
  return checkpoint
}

/**
 * Refuses a bundle that names another log than the one of `logKeyId`, or another size or root than its opened checkpoint.
 *
 * @throws {CountersignError} `checkpoint/wrong-origin`, `proof/root-mismatch`
 */
export function requireHead(receipt: UnverifiedReceipt, logKeyId: Uint8Array, checkpoint: Checkpoint): void {
  if (!equalBytes(receipt.logKeyId, logKeyId)) {
    throw new CountersignError('checkpoint/wrong-origin', 'the bundle names another log key than its checkpoint')
  }
  if (checkpoint.size !== receipt.treeSize || !equalBytes(checkpoint.root, receipt.root)) {
    throw new CountersignError('proof/root-mismatch', 'the bundle and its checkpoint name different tree heads')
  }
}
