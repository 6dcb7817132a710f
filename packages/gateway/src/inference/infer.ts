/**
 * One inference, step by step: id, intent, answer, statement, durability, promise. No answer leaves before its record is
 * durable.
 */
import {
  type CitedCheckpoint,
  CountersignError,
  type Crypto,
  commit,
  emptyRoot,
  formatInferenceResponse,
  formatPromiseHeader,
  type InferenceRequest,
  parseInferenceRequest,
  saltFor,
  type Tensor,
  toHex,
  utf8,
} from '@countersign/verify'
import { createRandom } from '../data/derivation.ts'
import type { Deployment } from '../deployments/deployments.ts'
import type { Intent, IntentJournal, Slot } from '../journal/intent-journal.ts'
import type { Promised } from '../log/commit-thread.ts'
import type { LogService } from '../log/log-service.ts'
import { receiptSecret } from '../receipts/receipt-secret.ts'
import type { VaultKey } from '../vault/key-store.ts'
import { saltSeed } from '../vault/record.ts'
import { type AnswerFacts, type Commitments, predicateOf, splitPayload } from './predicate.ts'
import { recordInterrupted } from './recovery.ts'

const random = /* @__PURE__ */ createRandom()

export interface InferServices {
  readonly crypto: Crypto
  readonly log: LogService
  readonly journal: IntentJournal
  readonly rootKey: Uint8Array
  readonly epoch: string
}

export interface InferInput {
  readonly body: Uint8Array
  readonly nonce: string | undefined
}

/** What goes back to the client. */
export interface InferAnswer {
  readonly status: 200 | 500
  readonly body: Uint8Array
  readonly receipt: string
  readonly secret: string
  /** One line. */
  readonly promise: string
  /** Seed of the salts, 32 bytes. */
  readonly saltSeed: Uint8Array
}

interface Outcome {
  readonly status: 200 | 500
  readonly body: Uint8Array
  readonly finish: AnswerFacts['finish']
  readonly code: string | undefined
}

/**
 * Answers one request. Throws for requests that are refused, and then nothing is recorded; once admitted, whatever
 * happens is recorded, a failing engine too.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `tensor/*` for a bad request; `queue/full`, `disk/full`, `log/closed`,
 *   `clock/went-backwards` when it cannot be recorded: then no answer leaves
 */
export async function infer(services: InferServices, deployment: Deployment, input: InferInput): Promise<InferAnswer> {
  const { crypto, log, journal } = services
  const request = parseInferenceRequest(input.body)
  deployment.model.check(request.inputs, request.outputs)
  checkPrice(deployment, rowsOf(request.inputs))
  const started = log.clock.read()
  const receipt = random(16)
  const key = await takeKey(services, deployment)
  const seed = saltSeed(key.secret, receipt)
  const requestCommitment = commit(crypto, { salt: saltFor(crypto, seed, 'request'), content: input.body })
  const checkpoint = citedCheckpoint(services)
  const intent: Intent = {
    receipt: toHex(receipt),
    deployment: deployment.name,
    manifest: deployment.statement,
    model: deployment.served.name,
    request: requestCommitment,
    startedAtMs: started.timeMs,
    checkpoint,
  }
  // The answer is held until its statement is durable, so the disk need not be asked twice.
  const { slot } = journal.write(intent, false)

  const outcome = await run(deployment, request)
  const ended = log.clock.read()
  const responseCommitment = commit(crypto, { salt: saltFor(crypto, seed, 'response'), content: outcome.body })
  const predicate = predicateOf(deployment, {
    receipt: toHex(receipt),
    rows: rowsOf(request.inputs),
    nonce: input.nonce,
    finish: outcome.finish,
    attempt: attemptOf(deployment, outcome, started.timeMs, ended.timeMs),
    clamped: started.clamped || ended.clamped,
    startedAtMs: started.timeMs,
    endedAtMs: ended.timeMs,
    checkpoint,
    epoch: services.epoch,
  })
  const commitments: Commitments = [
    ['request-received', requestCommitment],
    ['request-sent', requestCommitment],
    ['response-received', responseCommitment],
    ['response-delivered', responseCommitment],
  ]
  const content = new Map([
    ['request', input.body],
    ['response', outcome.body],
  ])
  const payload = splitPayload(predicate, commitments)
  const committed = await append(services, deployment, { receipt, key, content }, payload).catch((thrown: unknown) => {
    giveUp(services, intent, slot)
    throw thrown
  })
  journal.release(slot)
  return answer(services, receipt, seed, outcome, committed)
}

/**
 * No answer leaves; that there was a request is still recorded, now or after a restart: until then the intent keeps its
 * slot in the journal.
 */
function giveUp({ log, journal, epoch }: InferServices, intent: Intent, slot: Slot): void {
  recordInterrupted(intent, log, epoch).then(
    () => journal.release(slot),
    () => undefined,
  )
}

function append(
  { log }: InferServices,
  deployment: Deployment,
  sealed: { receipt: Uint8Array; key: VaultKey; content: ReadonlyMap<string, Uint8Array> },
  payload: { beforeSequence: string; afterSequence: string },
): Promise<Promised> {
  const { receipt, key, content } = sealed
  const mode = deployment.manifest.vault
  const vault = mode === 'none' ? null : { keyId: key.id, record: null }
  const draft = { kind: 'inference' as const, deployment: deployment.name, receipt, ...payload, vault }
  return mode === 'content' ? log.append(draft, { key, content }) : log.append(draft)
}

function answer(
  { rootKey }: InferServices,
  receipt: Uint8Array,
  seed: Uint8Array,
  outcome: Outcome,
  committed: Promised,
): InferAnswer {
  return {
    status: outcome.status,
    body: outcome.body,
    receipt: toHex(receipt),
    secret: receiptSecret(rootKey, receipt, 0),
    promise: formatPromiseHeader(committed.promise),
    saltSeed: seed,
  }
}

async function run(deployment: Deployment, request: InferenceRequest): Promise<Outcome> {
  try {
    const outputs = await deployment.model.run(request.inputs, request.outputs)
    const body = formatInferenceResponse({ modelName: deployment.name, id: request.id, outputs })
    return { status: 200, body, finish: { reason: 'complete' }, code: undefined }
  } catch (thrown) {
    const code = thrown instanceof CountersignError ? thrown.code : 'execution/failed'
    const body = utf8(JSON.stringify({ error: 'the model could not be run on this input', code }))
    return { status: 500, body, finish: { reason: 'error', by: 'upstream', code }, code }
  }
}

function attemptOf({ served }: Deployment, { code, status }: Outcome, startedAtMs: number, endedAtMs: number) {
  const upstream = served.engine.name
  return code === undefined
    ? { upstream, outcome: 'answered' as const, startedAtMs, endedAtMs }
    : { upstream, outcome: 'failed' as const, status, code, startedAtMs, endedAtMs }
}

/** A price beyond what a statement can carry is refused before anything is promised. */
function checkPrice({ manifest }: Deployment, rows: number): void {
  if (manifest.prices.some(({ amountMicros }) => !Number.isSafeInteger(amountMicros * rows))) {
    throw new CountersignError('request/malformed', `the price of ${rows} rows is more than a statement can say`)
  }
}

/** Where nothing is kept, the key is used once and forgotten: only the client can open the commitments. */
function takeKey({ log }: InferServices, { manifest }: Deployment): VaultKey | Promise<VaultKey> {
  return manifest.vault === 'none' ? { id: 0, secret: random(32) } : log.takeKey()
}

function citedCheckpoint({ crypto, log }: InferServices): CitedCheckpoint {
  const { head, origin } = log
  return { origin, size: head?.size ?? 0, root: toHex(head?.root ?? emptyRoot(crypto)) }
}

function rowsOf(inputs: readonly Tensor[]): number {
  return inputs[0]?.shape[0] ?? 0
}
