/** What came out for one answer, and the way to its receipt and dossier. */
import {
  type ClaimStatus,
  CountersignError,
  decideVerdict,
  type Inference,
  type Json,
  type LogPromise,
  parseDossier,
  parsePromise,
  parsePromiseHeader,
  type ReceiptId,
  type Verdict,
} from '@countersign/verify'
import { type AnswerCheck, assessAnswer, decideAnswer, decideUnrecorded, type Fetched } from './answer-check.ts'
import { createGatewayReader, type Fetch, type GatewayReader, type ReceiptAddress } from './gateway-reader.ts'
import type { PinnedTrust } from './pinned-trust.ts'
import type { Platform } from './platform.ts'
import type { SeenAnswer } from './seen-answer.ts'

/** How far an answer is checked: against its promise and statement, or until the log holds it. */
export type CheckDepth = 'promise' | 'receipt'

/** What of the time for asking is kept for the reply itself. */
const REPLY_MS = 1000

/** What came out for one answer. It holds no content, and its secret shows in no print of it. */
export interface Outcome {
  /** Id of the receipt; `undefined` when the answer came without one. */
  readonly receipt: ReceiptId | undefined
  /** Refuted by any refuted check, else unproven by any unproven one. */
  readonly status: ClaimStatus
  readonly checks: readonly AnswerCheck[]
  /** The promise's one-line form as it came, checked or not: evidence against the operator, should it not be kept. */
  readonly promiseLine: string | undefined
  /** The promise, where its signature holds. */
  readonly promise: LogPromise | undefined
  /** The statement, where the promise holds and names it. */
  readonly inference: Inference | undefined
  /** The way to what the gateway keeps; `undefined` without a receipt and its secret. */
  readonly record: AnswerRecord | undefined
}

/** Asks the gateway, whenever it is wanted, for as long as it keeps the record. */
export interface AnswerRecord {
  /** Opens receipt and dossier to whoever holds it: keep it like a password. */
  revealSecret(): string
  /** The receipt, a Sigstore bundle, unchecked. @throws {CountersignError} `gateway/*`, `receipt/*` */
  fetchReceipt(): Promise<Json>
  /** The dossier's file, unchecked: keep it, and check it with `countersign verify`. @throws {CountersignError} `gateway/*`, `receipt/*` */
  fetchDossier(): Promise<Uint8Array>
  /**
   * The verdict on the dossier, now, under the pinned trust file; without one every claim is `unproven`.
   *
   * Runs no model: `output` is no better than what others said of it.
   *
   * @throws {CountersignError} `gateway/*`, `receipt/*`, `promise/mismatch` when the dossier is for another statement
   *   than was promised, and what reading a dossier throws
   */
  fetchVerdict(): Promise<Verdict>
}

/** What checking an answer takes. */
export interface OutcomeServices {
  readonly platform: Platform
  readonly pinned: PinnedTrust
  readonly send: Fetch
  readonly depth: CheckDepth
  /** For all that is asked of the gateway about one answer. */
  readonly timeoutMs: number
}

/**
 * Asks the gateway for what the checks need, and makes them. Never rejects for what a gateway does.
 *
 * `mayAsk` false makes the checks on what came with the answer alone.
 */
export async function settleAnswer(
  services: OutcomeServices,
  seen: SeenAnswer,
  gateway: string,
  mayAsk: boolean,
): Promise<Outcome> {
  const { receipt, secret } = seen.headers
  const address = secret === undefined ? undefined : { gateway, receipt, secret }
  const evidence = await gatherEvidence(services, seen, address, mayAsk)
  const { checks, promise, inference } = decideAnswer(services.platform.crypto, seen, services.pinned, evidence)
  return {
    receipt,
    status: assessAnswer(checks),
    checks,
    promiseLine: evidence.line,
    promise,
    inference,
    record: address && createRecord(services, address, promise),
  }
}

/** The outcome of an answer whose headers say nothing of a receipt, or nothing that can be read. */
export function unrecordedOutcome(error: CountersignError): Outcome {
  const checks = decideUnrecorded(error)
  const nothing = { receipt: undefined, promiseLine: undefined, promise: undefined, inference: undefined }
  return { ...nothing, record: undefined, status: assessAnswer(checks), checks }
}

interface GatheredEvidence {
  readonly line: string | undefined
  readonly promise: Fetched<string>
  readonly statement: Fetched<Awaited<ReturnType<GatewayReader['statement']>>>
  readonly receipt: Fetched<Awaited<ReturnType<GatewayReader['receipt']>>['parsed']>
}

async function gatherEvidence(
  { send, depth, timeoutMs }: OutcomeServices,
  seen: SeenAnswer,
  address: ReceiptAddress | undefined,
  mayAsk: boolean,
): Promise<GatheredEvidence> {
  const reader = address && createGatewayReader(send, address)
  const signal = AbortSignal.timeout(timeoutMs)
  const ask = <T>(get: (reader: GatewayReader) => Promise<T>): Promise<Fetched<T>> => {
    if (!mayAsk) return refuse('queue/full', 'too many answers are being checked at once; this one was not asked for')
    if (reader === undefined) return refuse('opening/missing', 'the answer came without its secret')
    return attempt(() => get(reader))
  }
  const came = seen.headers.promise ?? seen.streamPromises[0]
  // An answer too large to be held has its promise at the gateway; a stream must carry it.
  const promise = came !== undefined || seen.isStream ? undefined : await ask((from) => from.promise(signal))
  const line = came ?? (promise !== undefined && 'value' in promise ? promise.value : undefined)
  const digest = line === undefined ? undefined : promisedStatement(line)
  const [statement, receipt] = await Promise.all([
    digest === undefined ? undefined : ask((from) => from.statement(digest, signal)),
    depth === 'receipt' ? ask(async (from) => (await from.receipt(waitWithin(timeoutMs), signal)).parsed) : undefined,
  ])
  return { line, promise, statement, receipt }
}

/** How long the gateway may wait for a head, so that its reply is here in time. */
function waitWithin(timeoutMs: number): number {
  return Math.max(0, timeoutMs - REPLY_MS)
}

/** The statement that a promise names; `undefined` when it cannot be read. */
function promisedStatement(line: string): string | undefined {
  try {
    return parsePromise(parsePromiseHeader(line).text).statement
  } catch {
    return undefined
  }
}

async function attempt<T>(get: () => Promise<T>): Promise<Fetched<T>> {
  try {
    return { value: await get() }
  } catch (thrown) {
    if (thrown instanceof CountersignError) return { failure: thrown }
    throw thrown
  }
}

async function refuse(code: 'queue/full' | 'opening/missing', why: string): Promise<{ failure: CountersignError }> {
  return { failure: new CountersignError(code, why) }
}

function createRecord(
  { platform, pinned, send, timeoutMs }: OutcomeServices,
  address: ReceiptAddress,
  promise: LogPromise | undefined,
): AnswerRecord {
  const reader = createGatewayReader(send, address)
  const fetchDossier = () => reader.dossier(waitWithin(timeoutMs), AbortSignal.timeout(timeoutMs))
  return {
    revealSecret: () => address.secret,
    fetchReceipt: async () => (await reader.receipt(waitWithin(timeoutMs), AbortSignal.timeout(timeoutMs))).json,
    fetchDossier,
    async fetchVerdict() {
      const dossier = parseDossier(await fetchDossier())
      const trust = pinned.trust === undefined ? {} : { trust: pinned.trust }
      const verdict = decideVerdict(dossier, { crypto: platform.crypto, atMs: Date.now(), ...trust })
      const isOther = promise !== undefined && verdict.statement !== null && verdict.statement !== promise.statement
      if (isOther || verdict.receipt !== address.receipt) {
        throw new CountersignError('promise/mismatch', 'the dossier is for another statement than the promised one')
      }
      return verdict
    },
  }
}
