/** By when a logged statement existed, by the word of witnesses. @spec spec/verdict.md */
import { equalBytes, toHex } from '../bytes/bytes.ts'
import { CHECKPOINT_MEDIA_TYPE, type UnverifiedDossier } from '../dossier/dossier.ts'
import { CountersignError } from '../errors.ts'
import { confirmationsAsOf } from '../independence/confirmation.ts'
import { quorumMetBy, type WitnessedSecond } from '../independence/time-interval.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { isProofFrom } from '../log/consistency-proof.ts'
import type { TreeHead } from '../log/merkle.ts'
import { formatNote, parseNote, type UnverifiedNote } from '../log/note.ts'
import type { Trust } from '../trust/trust-file.ts'
import { logKeyFor, Prover, type RecordedAnswer, type SignedStatement, type VerdictInput } from './evidence.ts'

/** Most heads that are looked at, the smallest first: those were confirmed first. */
const MAX_HEADS = 8

/**
 * The earliest second by which witnesses had confirmed a head over `signed`: the answer's own, which names it, or any head in
 * the dossier that is shown to hold it. `undefined` where the quorum is `none`.
 */
export function findLatestTime(
  dossier: UnverifiedDossier,
  answer: RecordedAnswer,
  signed: SignedStatement,
  trust: Trust,
  input: VerdictInput,
): WitnessedSecond | undefined {
  const own = quorumMetBy(trust.policy, answer.confirmations)
  // Of heads in another log, what the answer's own says is enough.
  if (own === undefined || signed.origin !== answer.head.origin) return own
  const prover = new Prover(input)
  const logKey = logKeyFor(trust, dossier.receipt)
  let earliest = own
  for (const note of headsOver(dossier, signed)) {
    const second = attempt(() => {
      const shared = prover.share(note)
      const head = prover.openCheckpoint(shared, logKey)
      const proof = dossier.consistency.find((each) => isProofFrom(each, head.size, toHex(head.root)))
      if (proof !== undefined) prover.verifyConsistency(head, answer.head, proof.path)
      else if (!isSameHead(head, answer.head)) return undefined
      return quorumMetBy(trust.policy, confirmationsAsOf(prover.openConfirmations(shared, trust.policy), input.atMs))
    })
    if (second !== undefined && second.timeSeconds < earliest.timeSeconds) earliest = second
  }
  return earliest
}

/** Heads in the dossier that say they are of that log and hold that entry, each once. */
function headsOver({ statements, evidence }: UnverifiedDossier, { origin, index }: SignedStatement) {
  const notes = [
    ...evidence.flatMap((file) =>
      file.mediaType === CHECKPOINT_MEDIA_TYPE ? (attempt(() => parseNote(file.content)) ?? []) : [],
    ),
    ...statements.map((receipt) => receipt.checkpoint),
  ]
  const bySize: [size: number, note: UnverifiedNote][] = []
  const seen = new Set<string>()
  for (const note of notes) {
    const head = attempt(() => parseCheckpoint(note.text))
    if (head?.origin !== origin || head.size <= index) continue
    const name = formatNote(note)
    if (!seen.has(name)) bySize.push([head.size, note])
    seen.add(name)
  }
  bySize.sort(([a], [b]) => a - b)
  return bySize.slice(0, MAX_HEADS).map(([, note]) => note)
}

function isSameHead(a: TreeHead, b: TreeHead): boolean {
  return a.size === b.size && equalBytes(a.root, b.root)
}

function attempt<T>(prove: () => T): T | undefined {
  try {
    return prove()
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return undefined
  }
}
