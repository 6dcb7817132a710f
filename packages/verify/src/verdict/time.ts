/** When was the answer recorded? An interval, by the word of witnesses. @spec spec/verdict.md */
import { toHex } from '../bytes/bytes.ts'
import { CHECKPOINT_MEDIA_TYPE, type UnverifiedDossier } from '../dossier/dossier.ts'
import { CountersignError } from '../errors.ts'
import { confirmationsAsOf, MAX_CLOCK_SKEW_MS } from '../independence/confirmation.ts'
import { quorumMetBy, quorumStillMetFrom, type WitnessedSecond } from '../independence/time-interval.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { isProofFrom } from '../log/consistency-proof.ts'
import { formatNote, parseNote, type UnverifiedNote } from '../log/note.ts'
import type { Trust } from '../trust/trust-file.ts'
import { logKeyFor, Prover, type RecordedAnswer, type VerdictInput } from './evidence.ts'

/** The time of the record. A bound that nobody but the operator vouches for is `null`. */
export interface TimeInterval {
  /** Milliseconds since 1970. By then witnesses had confirmed an older head, which this answer is not in. */
  readonly notBeforeMs: number | null
  /** Milliseconds since 1970. By then witnesses had confirmed a head over this answer. */
  readonly notAfterMs: number | null
  /** When the answer ended by the operator's own clock; `null` unless the record holds. */
  readonly operatorMs: number | null
  /** Whom one must trust for the bounds. */
  readonly trusts: readonly string[]
  /** One sentence: why these bounds. */
  readonly reason: string
}

/** Most older heads that are looked at, the largest first. */
const MAX_OLDER_HEADS = 8

const NO_RECORD = 'the record does not hold, so there is nothing to say when'
const NO_WITNESS = 'the policy asks for no witness: only the operator says when'
const NOT_SHOWN = 'nothing in the dossier shows that the head which it cites was witnessed, so it may be older'
const CLOCKS_DIFFER = 'the witnesses of the cited head give a later time, so their clocks differ, and it may be older'
const OUTSIDE = '; the operator’s own time lies outside of that, by more than clocks may differ'
const BOTH =
  'it was recorded between two heads that witnesses confirmed, if the operator cited the older one after that'

/** Decides the interval for the answer of `dossier`; `answer` is there when its record holds. */
export function decideTime(
  dossier: UnverifiedDossier,
  answer: RecordedAnswer | undefined,
  input: VerdictInput,
): TimeInterval {
  const nothing = { notBeforeMs: null, notAfterMs: null, trusts: [] }
  const { trust } = input
  if (answer === undefined || trust === undefined) return { ...nothing, operatorMs: null, reason: NO_RECORD }
  const operatorMs = answer.inference.endedAtMs
  const end = quorumMetBy(trust.policy, answer.confirmations)
  if (end === undefined) return { ...nothing, operatorMs, reason: NO_WITNESS }
  // A cosignature of a second may be from its last millisecond.
  const notAfterMs = end.timeSeconds * 1000 + 999
  const start = findStart(dossier, answer, trust, input)
  const notBeforeMs = start === undefined ? null : start.timeSeconds * 1000
  const isLate = operatorMs > notAfterMs + MAX_CLOCK_SKEW_MS
  if (start === undefined || notBeforeMs === null || notBeforeMs > notAfterMs) {
    const reason = `${start === undefined ? NOT_SHOWN : CLOCKS_DIFFER}${isLate ? OUTSIDE : ''}`
    return { notBeforeMs: null, notAfterMs, operatorMs, trusts: named(end.witnesses), reason }
  }
  const isOutside = isLate || operatorMs < notBeforeMs - MAX_CLOCK_SKEW_MS
  const witnesses = [...new Set([...start.witnesses, ...end.witnesses])].sort()
  return { notBeforeMs, notAfterMs, operatorMs, trusts: named(witnesses), reason: `${BOTH}${isOutside ? OUTSIDE : ''}` }
}

function named(witnesses: readonly string[]): readonly string[] {
  return witnesses.map((witness) => `witness ${witness}`)
}

/**
 * The time of the largest head that the dossier shows to be witnessed, to be the cited one or older, and to be one that
 * the answer's head continues.
 */
function findStart(
  dossier: UnverifiedDossier,
  { inference, index, head }: RecordedAnswer,
  trust: Trust,
  input: VerdictInput,
): WitnessedSecond | undefined {
  const cited = inference.checkpoint
  if (cited.origin !== head.origin || cited.size > index) return undefined
  const prover = new Prover(input)
  const logKey = logKeyFor(trust, dossier.receipt)
  for (const note of olderHeads(dossier, cited)) {
    const second = attempt(() => {
      const shared = prover.share(note)
      const older = prover.openCheckpoint(shared, logKey)
      const root = toHex(older.root)
      if (older.size === cited.size && root !== cited.root) return undefined
      const proof = dossier.consistency.find((each) => isProofFrom(each, older.size, root))
      if (proof === undefined) return undefined
      prover.verifyConsistency(older, head, proof.path)
      const confirmations = prover.openConfirmations(shared, trust.policy)
      return quorumStillMetFrom(trust.policy, confirmationsAsOf(confirmations, input.atMs))
    })
    if (second !== undefined) return second
  }
  return undefined
}

/** Heads in the dossier that say they are the cited one or older, each once, the largest first. The empty log bounds nothing. */
function olderHeads(
  { statements, evidence }: UnverifiedDossier,
  cited: { readonly origin: string; readonly size: number },
): readonly UnverifiedNote[] {
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
    if (head?.origin !== cited.origin || head.size === 0 || head.size > cited.size) continue
    const name = formatNote(note)
    if (!seen.has(name)) bySize.push([head.size, note])
    seen.add(name)
  }
  bySize.sort(([a], [b]) => b - a)
  return bySize.slice(0, MAX_OLDER_HEADS).map(([, note]) => note)
}

/** What `prove` gives; `undefined` where it throws an error of ours: what is not shown bounds nothing. */
function attempt<T>(prove: () => T): T | undefined {
  try {
    return prove()
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return undefined
  }
}
