/**
 * The record of one admitted request, from its intent to its promise. Whoever answers, and however, begins here before
 * anything is sent, and concludes here before the answer ends.
 */
import { createHash } from 'node:crypto'
import {
  type CitedCheckpoint,
  type CommittedSubject,
  type Crypto,
  commit,
  formatPromiseHeader,
  saltFor,
  toHex,
} from '@countersign/verify'
import { createRandom } from '../data/derivation.ts'
import type { Intent, IntentJournal, Slot } from '../journal/intent-journal.ts'
import type { Promised } from '../log/commit-thread.ts'
import type { LogService } from '../log/log-service.ts'
import type { Charge, FirstAnswerRow, UpstreamObject } from '../log/sequencer.ts'
import { receiptSecret } from '../receipts/receipt-secret.ts'
import type { VaultKey } from '../vault/key-store.ts'
import { saltSeed } from '../vault/record.ts'
import type { Witnessing } from '../witnesses/witnessing.ts'
import { type Commitments, splitPayload, type UnsequencedPredicate } from './predicate.ts'
import { recordInterrupted } from './recovery.ts'

export interface RecordingServices {
  readonly crypto: Crypto
  readonly log: LogService
  readonly journal: IntentJournal
  readonly rootKey: Uint8Array
  readonly epoch: string
  readonly witnessing: Witnessing
}

/** What is known of a request when it is admitted. */
export interface Admitted {
  readonly deployment: {
    readonly name: string
    readonly statement: string
    readonly vault: 'content' | 'salts' | 'none'
  }
  /** Name of the model as the client asked for it. */
  readonly requested: string
  readonly body: Uint8Array
  readonly nonce: string | undefined
  /** Whom it is about: decides under which key it is kept, and goes nowhere. */
  readonly subject: string | undefined
}

/** A request that is on record, and whose answer is not yet. */
export interface Recording {
  readonly admitted: Admitted
  /** 16 bytes. */
  readonly receipt: Uint8Array
  readonly id: string
  readonly secret: string
  /** 32 bytes. */
  readonly saltSeed: Uint8Array
  readonly requestCommitment: string
  readonly startedAtMs: number
  readonly wasClamped: boolean
  readonly checkpoint: CitedCheckpoint
  /** Whether witnesses had not confirmed the log in time when the request came. */
  readonly isOverdue: boolean
  /** @internal */
  readonly key: VaultKey
  /** @internal */
  readonly intent: Intent
  /** @internal */
  readonly slot: Slot
  /** Settles when the intent is on the disk; `undefined` while nobody asked for that. @internal */
  durable: Promise<void> | undefined
  /** Whether {@link conclude} was called: once, and for good. */
  isConcluded: boolean
}

/** Content by the label that its salt is derived with. @spec spec/commitment.md */
export type Content = ReadonlyMap<string, Uint8Array>

/** Everything that a statement says beside what {@link begin} knew. */
export interface Conclusion {
  readonly predicate: Omit<
    UnsequencedPredicate,
    'receipt' | 'deployment' | 'startedAtMs' | 'checkpoint' | 'epoch' | 'nonce'
  >
  readonly commitments: readonly (readonly [Exclude<CommittedSubject, 'request-received'>, string])[]
  readonly content: Content
  readonly charge: Charge | undefined
  readonly objects?: readonly UpstreamObject[]
  readonly first?: FirstAnswerRow | undefined
}

const random = /* @__PURE__ */ createRandom()

/**
 * Gives a request its id, and writes it down. `mustSync` says that bytes of the answer may leave before the statement is
 * durable: then they must wait for {@link whenDurable}.
 *
 * @throws {CountersignError} `queue/full`, `disk/full`, `log/closed`, `clock/went-backwards`
 */
export async function begin(services: RecordingServices, admitted: Admitted, mustSync: boolean): Promise<Recording> {
  const { crypto, log, journal, witnessing } = services
  const started = log.clock.read()
  const receipt = random(16)
  // Where nothing is kept, the key is used once and forgotten: only the client can open the commitments.
  const key = admitted.deployment.vault === 'none' ? { id: 0, secret: random(32) } : await log.takeKey(admitted.subject)
  const seed = saltSeed(key.secret, receipt)
  const id = toHex(receipt)
  const checkpoint = witnessing.cited(admitted.deployment.name)
  const requestCommitment = commit(crypto, { salt: saltFor(crypto, seed, 'request'), content: admitted.body })
  const intent: Intent = {
    receipt: id,
    deployment: admitted.deployment.name,
    manifest: admitted.deployment.statement,
    model: admitted.requested,
    request: requestCommitment,
    startedAtMs: started.timeMs,
    checkpoint,
  }
  // While the answer is held until its statement is durable, the disk need not be asked twice.
  const { slot, durable } = journal.write(intent, mustSync)
  return {
    admitted,
    receipt,
    id,
    secret: receiptSecret(services.rootKey, receipt, 0),
    saltSeed: seed,
    requestCommitment,
    startedAtMs: started.timeMs,
    wasClamped: started.clamped,
    checkpoint,
    isOverdue: witnessing.isOverdue(admitted.deployment.name),
    key,
    intent,
    slot,
    durable: mustSync ? durable : undefined,
    isConcluded: false,
  }
}

/**
 * Resolves when the request will be on record whatever happens. Before that no byte of an answer may leave that is not
 * held until its statement is durable.
 *
 * @throws what the disk says
 */
export function whenDurable({ journal }: RecordingServices, recording: Recording): Promise<void> {
  recording.durable ??= journal.sync()
  return recording.durable
}

/** The commitment to bytes that are there as a whole. */
export function commitmentTo(
  { crypto }: RecordingServices,
  recording: Recording,
  label: string,
  bytes: Uint8Array,
): string {
  return commit(crypto, { salt: saltFor(crypto, recording.saltSeed, label), content: bytes })
}

/** A commitment to bytes that are still to come. */
export interface GrowingCommitment {
  update(bytes: Uint8Array): void
  /** Once. */
  digest(): string
}

/** Begins a commitment to bytes that come one after another. */
export function growingCommitment(
  { crypto }: RecordingServices,
  recording: Recording,
  label: string,
): GrowingCommitment {
  const hasher = createHash('sha256').update(saltFor(crypto, recording.saltSeed, label))
  return {
    update: (bytes) => void hasher.update(bytes),
    digest: () => hasher.digest('hex'),
  }
}

/**
 * Puts the answer on record. When this resolves, its statement is durable and has its place; when it rejects, no more of
 * the answer may leave, and the request will be recorded as interrupted as soon as that is possible.
 *
 * @throws {CountersignError} `disk/full`, `log/closed`, `statement/too-large`, `data/damaged`
 */
export async function conclude(
  services: RecordingServices,
  recording: Recording,
  conclusion: Conclusion,
): Promise<Promised> {
  const { admitted, receipt, key } = recording
  recording.isConcluded = true
  const predicate: UnsequencedPredicate = {
    receipt: recording.id,
    deployment: { name: admitted.deployment.name, statement: admitted.deployment.statement },
    ...conclusion.predicate,
    ...(admitted.nonce === undefined ? {} : { nonce: admitted.nonce }),
    startedAtMs: recording.startedAtMs,
    checkpoint: recording.checkpoint,
    epoch: services.epoch,
  }
  const commitments: Commitments = [['request-received', recording.requestCommitment], ...conclusion.commitments]
  const draft = {
    kind: 'inference' as const,
    deployment: admitted.deployment.name,
    receipt,
    ...splitPayload(predicate, commitments),
    vault: admitted.deployment.vault === 'none' ? null : { keyId: key.id, record: null },
    ...(conclusion.charge === undefined ? {} : { charge: conclusion.charge }),
    ...(conclusion.objects === undefined ? {} : { objects: conclusion.objects }),
    ...(conclusion.first === undefined ? {} : { first: conclusion.first }),
  }
  const seal = admitted.deployment.vault === 'content' ? { key, content: conclusion.content } : undefined
  try {
    const promised = await services.log.append(draft, seal)
    release(services, recording)
    return promised
  } catch (thrown) {
    giveUp(services, recording)
    throw thrown
  }
}

/**
 * No more of the answer leaves; that there was a request is still recorded, now or after a restart: until then the intent
 * keeps its slot in the journal.
 */
export function giveUp(services: RecordingServices, recording: Recording): void {
  recordInterrupted(recording.intent, services.log, services.epoch).then(
    () => release(services, recording),
    () => undefined,
  )
}

function release({ journal }: RecordingServices, { slot }: Recording): void {
  journal.release(slot)
}

/** The headers by which a client gets at the record of its answer. */
export function receiptHeaders(recording: Recording): readonly (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [
    ['countersign-receipt', recording.id],
    ['countersign-secret', recording.secret],
    ['countersign-salts', Buffer.from(recording.saltSeed).toString('base64url')],
  ]
  if (recording.isOverdue) headers.push(['countersign-witnessing', 'overdue'])
  return headers
}

/** The promise in one line, for a header or a comment. */
export function promiseLine({ promise }: Promised): string {
  return formatPromiseHeader(promise)
}
