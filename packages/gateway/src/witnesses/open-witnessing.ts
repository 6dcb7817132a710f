/** Joins witnessing with the configuration before the log is open, and with the log after. */
import { type Crypto, formatNoteKey, parseTlogPolicy } from '@countersign/verify'
import type { Config } from '../config/config.ts'
import type { LogKey } from '../data/keys.ts'
import type { LogService } from '../log/log-service.ts'
import type { WitnessThreadData } from './cosigner.ts'
import { completePolicy, parseWitnessPolicy } from './policy-text.ts'
import { Witnessing, type WitnessingOptions } from './witnessing.ts'

/** @throws {CountersignError} `policy/malformed` */
export function openWitnessing(
  crypto: Crypto,
  { witnesses, deployments }: Pick<Config, 'witnesses' | 'deployments'>,
  logKey: LogKey,
  notices: WitnessingOptions['notices'],
): { readonly witnessing: Witnessing; readonly thread: WitnessThreadData | undefined } {
  const policy = witnesses && parseWitnessPolicy(crypto, witnesses.policy)
  const names = policy?.witnesses.map(({ name }) => name) ?? []
  const witnessing = new Witnessing({ crypto, origin: logKey.note.name, witnesses: names, notices })
  witnessing.setDeployments(deployments)
  if (witnesses === undefined) return { witnessing, thread: undefined }
  const whole = completePolicy(witnesses.policy, formatNoteKey(logKey.note))
  // The thread reads it again; what is wrong with it is said here. The log's key may be a witness's.
  parseTlogPolicy(crypto, whole)
  return { witnessing, thread: { policy: whole, askMs: witnesses.askMs, quorums: witnessing.quorumNames } }
}

/** From now on the two know each other. */
export function attachWitnessing(witnessing: Witnessing, log: LogService): void {
  witnessing.attach({
    get head() {
      return log.head
    },
    async keepHeads(kept, cited) {
      const heads = kept.map(({ quorum, head }) => ({ ...head, quorum: quorum ?? '' }))
      await log.perform({ kind: 'keep-heads', heads, cited })
    },
    setQuorums: (names) => log.setQuorums(names),
  })
}
