/**
 * How far the histories in a proof of misbehaviour are still one: a signed head that all of them continue. What stands
 * below it was told to everyone alike, as far as the proof goes.
 *
 * @spec spec/misbehaviour.md#common-history
 */
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { type Checkpoint, openCheckpoint } from '../log/checkpoint.ts'
import type { ConsistencyProof } from '../log/consistency-proof.ts'
import { type Hash, type TreeHead, verifyConsistency } from '../log/merkle.ts'
import type { NoteKey, UnverifiedNote } from '../log/note.ts'

/** What a proof file says of the common history; nothing in it is checked yet. */
export interface UnverifiedCommon {
  readonly head: UnverifiedNote
  /** From the common head to each head of the proof, in their order. */
  readonly paths: readonly (readonly Hash[])[]
  /** From other heads to the common one. */
  readonly older: readonly ConsistencyProof[]
  /** From the common head to other heads. */
  readonly newer: readonly ConsistencyProof[]
}

/** What is proven to be common. */
export interface CommonHistory {
  /** Entries that every history in the proof begins with; 0 where none is shown. */
  readonly commonSize: number
  /** Root of the tree of those entries. */
  readonly commonRoot: Hash | undefined
  /** Heads that are shown to agree with that tree: they continue it, or it continues them. */
  readonly agreeing: readonly TreeHead[]
}

/** Nothing is shown to be common. */
export const NO_COMMON_HISTORY: CommonHistory = { commonSize: 0, commonRoot: undefined, agreeing: [] }

/**
 * Proves that every one of `heads` continues the common head, or throws. The heads are opened; `firstDoubtful` is the
 * first index that the proof itself contests.
 *
 * Proves nothing of histories that the proof does not show: a third one may part from these earlier.
 *
 * @throws {CountersignError} `note/*`, `checkpoint/*`, `proof/*`
 */
export function verifyCommonHistory(
  crypto: Crypto,
  logKey: NoteKey,
  { head, paths, older, newer }: UnverifiedCommon,
  heads: readonly Checkpoint[],
  firstDoubtful: number,
): CommonHistory {
  const common = openCheckpoint(crypto, head, logKey)
  if (common.size > firstDoubtful) {
    const why = `a common head of ${common.size} entries reaches beyond index ${firstDoubtful}, which is contested`
    throw new CountersignError('proof/index-out-of-range', why)
  }
  for (const [i, each] of heads.entries()) verifyConsistency(crypto, common, each, paths[i] ?? [])
  for (const each of older) verifyConsistency(crypto, each, common, each.path)
  for (const each of newer) verifyConsistency(crypto, common, each, each.path)
  return { commonSize: common.size, commonRoot: common.root, agreeing: [common, ...heads, ...older, ...newer] }
}
