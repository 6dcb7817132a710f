/** Heads with the time at which a policy's quorum had confirmed them. */
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError, quote } from '../errors.ts'
import { openConfirmations } from '../independence/confirmation.ts'
import { quorumMetBy } from '../independence/time-interval.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import type { TreeHead } from '../log/merkle.ts'
import type { UnverifiedNote } from '../log/note.ts'
import type { TlogPolicy } from '../log/tlog-policy.ts'

/** A head that was opened. Its time is `undefined` where the quorum never confirmed it, or the policy asks for none. */
export interface ConfirmedHead extends TreeHead {
  readonly confirmedAtSeconds: number | undefined
}

/**
 * The head of `note`, after the signature of the log `origin` was checked, and when the policy's quorum had confirmed it.
 *
 * @throws {CountersignError} `policy/unknown-log`, `note/*`, `checkpoint/*`
 */
export function openConfirmedHead(
  crypto: Crypto,
  policy: TlogPolicy,
  origin: string,
  note: UnverifiedNote,
): ConfirmedHead {
  const log = policy.logs.find(({ key }) => key.name === origin)
  if (log === undefined) throw new CountersignError('policy/unknown-log', `the policy has no log ${quote(origin)}`)
  const { size, root } = openCheckpoint(crypto, note, log.key)
  return { size, root, confirmedAtSeconds: quorumMetBy(policy, openConfirmations(crypto, note, policy))?.timeSeconds }
}
