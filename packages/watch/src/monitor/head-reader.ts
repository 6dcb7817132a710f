/** Heads as they are shown: opened with the log's key, with the time at which a quorum had seen them. */
import {
  type Confirmation,
  CountersignError,
  type Crypto,
  formatNote,
  meetsQuorum,
  type NoteKey,
  openCheckpoint,
  openConfirmations,
  parseNote,
  type TlogPolicy,
  toHex,
  type UnverifiedNote,
  utf8,
} from '@countersign/verify'
import { HttpReader } from '../log-client/http-reader.ts'
import { MAX_CHECKPOINT_BYTES } from '../log-client/limits.ts'
import { CLOCK_SKEW_SECONDS } from './limits.ts'
import type { SignedHead } from './monitor-state.ts'

/** @throws {CountersignError} `note/*`, `checkpoint/*` when it is not signed by the log */
export function openHeadNote(crypto: Crypto, note: UnverifiedNote, logKey: NoteKey): SignedHead {
  const { size, root } = openCheckpoint(crypto, note, logKey)
  return { size, root: toHex(root), note: formatNote(note) }
}

/** The head in an answer, or the error in its place. What is no error of ours is thrown. */
export function openAnswer(
  crypto: Crypto,
  answer: unknown,
  logKey: NoteKey,
): { readonly head: SignedHead; readonly note: UnverifiedNote } | CountersignError {
  if (answer instanceof CountersignError) return answer
  if (answer instanceof Error) throw answer
  try {
    const note = answer as UnverifiedNote
    return { head: openHeadNote(crypto, note, logKey), note }
  } catch (thrown) {
    if (thrown instanceof CountersignError) return thrown
    throw thrown
  }
}

/** When a quorum of the policy had seen a head, at the latest time that its cosignatures show. */
export interface QuorumTime {
  readonly quorumSeconds: number | undefined
  /** Witnesses that signed at a time that has not come yet. They count for nothing. */
  readonly ahead: readonly string[]
}

/** @throws {CountersignError} `note/bad-signature` where a line names a witness of the policy and does not check */
export function quorumTimeOf(crypto: Crypto, note: UnverifiedNote, policy: TlogPolicy, nowMs: number): QuorumTime {
  const latest = nowMs / 1000 + CLOCK_SKEW_SECONDS
  const all = openConfirmations(crypto, note, policy)
  const isAhead = ({ cosignature }: Confirmation) => cosignature.timeSeconds > latest
  const times = all.filter((each) => !isAhead(each)).map(({ cosignature }) => cosignature.timeSeconds)
  const ahead = all.filter(isAhead).map(({ witness }) => witness)
  if (policy.quorum === 'none') return { quorumSeconds: undefined, ahead }
  const quorumSeconds = [...new Set(times)]
    .sort((a, b) => b - a)
    .find((time) =>
      meetsQuorum(
        policy,
        all.filter((each) => !isAhead(each) && each.cosignature.timeSeconds >= time),
      ),
    )
  return { quorumSeconds, ahead }
}

/** A witness's monitoring endpoint. @spec C2SP tlog-witness */
export class WitnessReader {
  readonly name: string
  readonly #reader: HttpReader
  readonly #path: string

  /** @throws {CountersignError} `usage/invalid` */
  constructor(crypto: Crypto, name: string, baseUrl: string, origin: string, timeoutMs: number) {
    this.name = name
    this.#reader = new HttpReader({ baseUrl, timeoutMs })
    this.#path = `${toHex(crypto.sha256(utf8(origin)))}/checkpoint`
  }

  /** The latest checkpoint that the witness cosigned. @throws {CountersignError} `watch/*` */
  async fetchCheckpoint(): Promise<UnverifiedNote> {
    const bytes = await this.#reader.get(this.#path, MAX_CHECKPOINT_BYTES)
    try {
      return parseNote(bytes)
    } catch (thrown) {
      throw new CountersignError('watch/bad-answer', thrown instanceof Error ? thrown.message : 'not a note')
    }
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}
