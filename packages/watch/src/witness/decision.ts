/**
 * What a witness does with a checkpoint, without clock, network or disk.
 *
 * The order of the checks is the specification's, and so are the codes. @spec C2SP tlog-witness v1.0.0, spec/witness.md
 */
import {
  type AddCheckpoint,
  type Checkpoint,
  CountersignError,
  type Crypto,
  codeOf,
  type ErrorCode,
  emptyRoot,
  equalBytes,
  formatNote,
  formatSignatureLine,
  type Hash,
  type NoteKey,
  type NoteSignature,
  openNote,
  parseAddCheckpoint,
  parseCheckpoint,
  quote,
  verifyConsistency,
} from '@countersign/verify'

/** Largest step back of the clock that is clamped, as a time server's correction may make. */
export const MAX_STEP_BACK_SECONDS = 5

/** How long a log waits before it tries again what was refused for now. */
const RETRY_SECONDS = 1

/** A log that the witness serves. */
export interface WatchedLog {
  /** First line of its checkpoints; the name of its key need not be the same. */
  readonly origin: string
  /** Keys that may sign its checkpoints. */
  readonly keys: readonly NoteKey[]
}

/** A request that its log signed. */
export interface Submission {
  readonly request: AddCheckpoint
  readonly checkpoint: Checkpoint
  /** The lines by the log's own keys, each once; lines of others are left out. */
  readonly logLines: readonly NoteSignature[]
}

/** The newest head of one log that the witness cosigned. */
export interface CosignedHead {
  readonly origin: string
  readonly size: number
  readonly root: Hash
  /** Of the cosignature. */
  readonly timeSeconds: number
  /** The checkpoint as it may be handed out: the log's lines, then the witness's own. */
  readonly note: string
}

/** What a witness must never forget. */
export interface WitnessState {
  /** Of the log that is asked about; `undefined` before the first. */
  readonly head: CosignedHead | undefined
  /** Time of the latest cosignature for any log; 0 before the first. */
  readonly lastSeconds: number
}

export interface CheckpointEvent {
  readonly submission: Submission
  readonly nowMs: number
}

export interface Reply {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Why it was refused, for the log; 200 and 409 have none. */
  readonly code?: ErrorCode
  readonly retryAfterSeconds?: number
}

export type Effect =
  /** `next` must be durable, in the place of `previous`, before any reply. */
  | { readonly kind: 'persist'; readonly previous: CosignedHead | undefined; readonly next: CosignedHead }
  /** The log signed two heads of one size: each of them proves the other a lie. */
  | { readonly kind: 'keep-evidence'; readonly origin: string; readonly first: string; readonly second: string }
  | { readonly kind: 'reply'; readonly reply: Reply }

/** What follows, in this order. */
export interface Decision {
  readonly state: WitnessState
  readonly effects: readonly Effect[]
}

/** What the decision needs of the outside. Both are functions of their arguments alone: Ed25519 has no randomness. */
export interface DecisionPorts {
  readonly crypto: Crypto
  /** The witness's line under the text of a checkpoint. */
  cosign(text: string, timeSeconds: number): NoteSignature
}

/**
 * Reads a request and checks that a log that the witness serves signed its checkpoint. Says nothing of what came before.
 *
 * @throws {CountersignError} `witness/malformed`, `checkpoint/malformed` (400), `policy/unknown-log` (404),
 *   `note/no-known-signature`, `note/bad-signature` (403)
 */
export function openSubmission(crypto: Crypto, logs: ReadonlyMap<string, WatchedLog>, body: Uint8Array): Submission {
  const request = parseAddCheckpoint(body)
  const checkpoint = parseCheckpoint(request.checkpoint.text)
  const log = logs.get(checkpoint.origin)
  if (log === undefined) {
    throw new CountersignError('policy/unknown-log', `this witness does not serve ${quote(checkpoint.origin)}`)
  }
  const logLines = log.keys.flatMap((key) => linesBy(request, key))
  if (logLines.length === 0) {
    throw new CountersignError('note/no-known-signature', `no signature by a key of ${quote(log.origin)}`)
  }
  for (const key of log.keys) if (linesBy(request, key).length > 0) openNote(crypto, request.checkpoint, key)
  return { request, checkpoint, logLines: unique(logLines) }
}

function linesBy({ checkpoint }: AddCheckpoint, key: NoteKey): readonly NoteSignature[] {
  return checkpoint.signatures.filter(({ name, id }) => name === key.name && equalBytes(id, key.id))
}

function unique(lines: readonly NoteSignature[]): readonly NoteSignature[] {
  return [...new Map(lines.map((line) => [formatSignatureLine(line), line])).values()]
}

/** The step from one cosigned head of a log to the next, or the refusal of it. Whatever refuses changes nothing. */
export function decideCheckpoint(
  ports: DecisionPorts,
  state: WitnessState,
  { submission, nowMs }: CheckpointEvent,
): Decision {
  const { request, checkpoint } = submission
  const { head } = state
  if (request.oldSize > checkpoint.size) {
    const why = `the old size ${request.oldSize} is larger than the checkpoint's, ${checkpoint.size}`
    return refuse(state, 400, 'witness/malformed', why)
  }
  // Whatever old size it came with: the log has signed it.
  if (head?.size === checkpoint.size && !equalBytes(head.root, checkpoint.root)) {
    const second = formatNote({ text: request.checkpoint.text, signatures: submission.logLines })
    const evidence: Effect = { kind: 'keep-evidence', origin: head.origin, first: head.note, second }
    return { state, effects: [evidence, { kind: 'reply', reply: conflict(head) }] }
  }
  if (request.oldSize !== (head?.size ?? 0)) return replyWith(state, conflict(head))
  try {
    verifyGrowth(ports.crypto, head, submission)
  } catch (thrown) {
    return refuse(state, 422, codeOf(thrown) ?? 'proof/root-mismatch', messageOf(thrown))
  }
  const nowSeconds = Math.floor(nowMs / 1000)
  if (nowSeconds < state.lastSeconds - MAX_STEP_BACK_SECONDS) {
    const why = `the witness's clock is ${state.lastSeconds - nowSeconds} s behind its own last cosignature`
    return refuse(state, 503, 'clock/went-backwards', why, RETRY_SECONDS)
  }
  return cosign(ports, state, submission, Math.max(nowSeconds, state.lastSeconds))
}

/** What a log is told that asks for more than its rate. */
export function tooMany(state: WitnessState): Decision {
  return refuse(state, 429, 'rate/limited', 'this log asks too often', RETRY_SECONDS)
}

/** @throws {CountersignError} `proof/*` */
function verifyGrowth(crypto: Crypto, head: CosignedHead | undefined, { request, checkpoint }: Submission): void {
  const { proof, oldSize } = request
  if (checkpoint.size === 0 && !equalBytes(checkpoint.root, emptyRoot(crypto))) {
    throw new CountersignError('proof/root-mismatch', 'the root is not the one of a tree without entries')
  }
  if (head !== undefined && oldSize > 0) verifyConsistency(crypto, head, checkpoint, proof)
  else if (proof.length > 0) {
    throw new CountersignError('proof/wrong-length', 'from size 0 there is nothing to prove')
  }
}

function cosign({ cosign: sign }: DecisionPorts, state: WitnessState, submission: Submission, time: number): Decision {
  const { request, checkpoint, logLines } = submission
  const { text } = request.checkpoint
  const line = sign(text, time)
  const next: CosignedHead = {
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: checkpoint.root,
    timeSeconds: time,
    note: formatNote({ text, signatures: [...logLines, line] }),
  }
  const reply: Reply = { status: 200, contentType: 'text/plain; charset=utf-8', body: formatSignatureLine(line) }
  // Whoever has seen a published checkpoint can send it again and again: within one second that costs no write.
  if (state.head?.note === next.note) return replyWith(state, reply)
  return {
    state: { head: next, lastSeconds: time },
    effects: [
      { kind: 'persist', previous: state.head, next },
      { kind: 'reply', reply },
    ],
  }
}

/** The size from which the log must prove its way. */
function conflict(head: CosignedHead | undefined): Reply {
  return { status: 409, contentType: 'text/x.tlog.size', body: `${head?.size ?? 0}\n` }
}

function refuse(
  state: WitnessState,
  status: number,
  code: ErrorCode,
  why: string,
  retryAfterSeconds?: number,
): Decision {
  const reply: Reply = { status, contentType: 'text/plain; charset=utf-8', body: `${code}: ${why}\n`, code }
  return replyWith(state, retryAfterSeconds === undefined ? reply : { ...reply, retryAfterSeconds })
}

function replyWith(state: WitnessState, reply: Reply): Decision {
  return { state, effects: [{ kind: 'reply', reply }] }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : 'the proof does not check'
}
