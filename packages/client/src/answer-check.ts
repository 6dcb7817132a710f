/**
 * The checks on one answer, each with its own result. Pure: what was seen and what was fetched in, results out.
 *
 * @spec spec/promise.md, spec/commitment.md
 */
import {
  type ClaimStatus,
  type CommittedSubject,
  CountersignError,
  type Crypto,
  type ErrorCode,
  equalBytes,
  type Inference,
  type LogPromise,
  openPromise,
  openReceipt,
  parseInference,
  parsePromise,
  parsePromiseHeader,
  parseStatement,
  statementDigest,
  type UnverifiedEnvelope,
  type UnverifiedNote,
  type UnverifiedReceipt,
} from '@countersign/verify'
import { findLogKey, type PinnedTrust } from './pinned-trust.ts'
import type { SeenAnswer } from './seen-answer.ts'

/** Names of the checks, in the order in which they are reported. */
export const ANSWER_CHECKS = ['receipt', 'promise', 'statement', 'nonce', 'request', 'response', 'log'] as const
export type AnswerCheckName = (typeof ANSWER_CHECKS)[number]

/** One check, and how it went. */
export interface AnswerCheck {
  readonly name: AnswerCheckName
  readonly status: ClaimStatus
  /** What was wrong or not shown; `undefined` when it holds. */
  readonly code?: ErrorCode
  readonly reason?: string
}

/** Something that was asked of the gateway: got, failed with a reason, or not asked for. */
export type Fetched<T> = { readonly value: T } | { readonly failure: CountersignError } | undefined

/** What the gateway gave afterwards. */
export interface AnswerEvidence {
  /** The promise, where it did not come with the answer. */
  readonly promise: Fetched<string>
  readonly statement: Fetched<UnverifiedEnvelope>
  /** The receipt. When it was not asked for, there is no check `log`. */
  readonly receipt: Fetched<UnverifiedReceipt>
}

/** What came out, and what was opened on the way. */
export interface AnswerDecision {
  readonly checks: readonly AnswerCheck[]
  /** The promise, once its signature was checked under a pinned key. */
  readonly promise: LogPromise | undefined
  /** The statement, once it was found to be the promised one. */
  readonly inference: Inference | undefined
}

/** Codes that say that something could not be shown, as against shown to be false. */
const NOT_SHOWN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'policy/unknown-log',
  'opening/missing',
  'queue/full',
  'receipt/not-found',
  'receipt/not-yet-included',
  'gateway/unreachable',
  'gateway/refused',
])

/** A promise as it was given, its signature unchecked. */
interface ClaimedPromise {
  readonly note: UnverifiedNote
  readonly claim: LogPromise
}

/**
 * Decides every check on one answer. Never throws for what a gateway sent.
 *
 * All that is behind `promise` rests on it: where the promise does not hold, the statement may be anybody's, so what
 * agrees with it is `unproven`, and what contradicts it is `refuted` all the same. Proves nothing about whether the
 * answer is right.
 */
export function decideAnswer(
  crypto: Crypto,
  seen: SeenAnswer,
  pinned: PinnedTrust,
  evidence: AnswerEvidence,
): AnswerDecision {
  const list = new AnswerChecklist()
  list.attempt('receipt', () => checkHeaders(seen))
  let claimed: ClaimedPromise | undefined
  const promise = list.attempt('promise', () => {
    claimed = readPromise(seen, evidence)
    return checkPromise(crypto, seen, pinned, claimed)
  })
  list.isPromised = promise !== undefined
  const inference = list.attempt('statement', () => checkStatement(crypto, seen, evidence.statement, claimed?.claim))
  list.attempt('nonce', () => checkNonce(seen, inference))
  list.attempt('request', () => checkRequest(seen, inference))
  list.attempt('response', () => checkResponse(seen, inference))
  if (evidence.receipt !== undefined) list.attempt('log', () => checkReceipt(crypto, pinned, promise, evidence.receipt))
  return { checks: list.checks, promise, inference: promise === undefined ? undefined : inference }
}

/** The checks on an answer that says nothing of a receipt, or nothing that can be read. */
export function decideUnrecorded(error: CountersignError): readonly AnswerCheck[] {
  const list = new AnswerChecklist()
  for (const name of ANSWER_CHECKS) {
    list.attempt(name, () => {
      throw name === 'receipt' ? error : notShown('the answer came without a receipt')
    })
  }
  return list.checks.filter(({ name }) => name !== 'log')
}

/** Refuted by any refuted check, else unproven by any unproven one, else holding. */
export function assessAnswer(checks: readonly AnswerCheck[]): ClaimStatus {
  if (checks.some(({ status }) => status === 'refuted')) return 'refuted'
  return checks.length > 0 && checks.every(({ status }) => status === 'holds') ? 'holds' : 'unproven'
}

/** Collects checks. Every error of ours becomes a check that does not hold; others are bugs and pass on. */
class AnswerChecklist {
  readonly checks: AnswerCheck[] = []
  /** Whether the promise holds, on which the checks behind it rest. */
  isPromised = true

  attempt<T>(name: AnswerCheckName, prove: () => T): T | undefined {
    try {
      const value = prove()
      if (this.isPromised) this.checks.push({ name, status: 'holds' })
      else this.checks.push({ name, status: 'unproven', reason: 'agrees, with a statement that no promise binds' })
      return value
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      const status = NOT_SHOWN.has(thrown.code) ? 'unproven' : 'refuted'
      this.checks.push({ name, status, code: thrown.code, reason: thrown.message })
      return undefined
    }
  }
}

function checkHeaders({ headers }: SeenAnswer): void {
  if (headers.secret === undefined) throw notShown('the answer came without its secret')
  if (headers.saltSeed === undefined) throw notShown('the answer came without its salts')
}

/** The promise that came with the answer, else the one that was asked for; nothing about it is checked. */
function readPromise({ headers, streamPromises, commentCount }: SeenAnswer, evidence: AnswerEvidence): ClaimedPromise {
  const came = headers.promise ?? streamPromises[0]
  if (came === undefined && commentCount > 0) throw badPromise(BAD_COMMENT)
  const given = came ?? requireFetched(evidence.promise, 'the answer came without a promise')
  const note = parsePromiseHeader(given)
  return { note, claim: parsePromise(note.text) }
}

/** The promise, signed by a pinned log for this receipt, and the only one. */
function checkPromise(
  crypto: Crypto,
  { headers, streamPromises, commentCount }: SeenAnswer,
  pinned: PinnedTrust,
  { note, claim }: ClaimedPromise,
): LogPromise {
  const given = headers.promise ?? streamPromises[0]
  if (commentCount !== streamPromises.length) throw badPromise(BAD_COMMENT)
  if (commentCount > 1) throw badPromise('the stream carries more than one')
  if (streamPromises.some((each) => each !== given)) throw badPromise('header and stream carry different ones')
  if (claim.receipt !== headers.receipt) {
    throw new CountersignError('promise/mismatch', 'the promise is for another receipt than the answer’s')
  }
  return openPromise(crypto, note, findLogKey(pinned, claim.origin))
}

/** The statement, the one that was promised and for this receipt. Its own signature is for the receipt to show. */
function checkStatement(
  crypto: Crypto,
  { headers }: SeenAnswer,
  fetched: Fetched<UnverifiedEnvelope>,
  promised: LogPromise | undefined,
): Inference {
  if (promised === undefined) throw notShown('there is no promise that can be read to compare with')
  const { payload } = requireFetched(fetched, 'the statement was not fetched')
  if (statementDigest(crypto, payload) !== promised.statement) {
    throw new CountersignError('statement/mismatch', 'the gateway gives another statement than the promised one')
  }
  const inference = parseInference(parseStatement(payload))
  if (inference.receipt !== headers.receipt) {
    throw new CountersignError('statement/mismatch', 'the statement is for another receipt than the answer’s')
  }
  return inference
}

function checkNonce({ nonce, isRepeat }: SeenAnswer, inference: Inference | undefined): void {
  if (nonce === undefined) throw notShown('no nonce was sent')
  if (inference === undefined) throw notShown(NO_STATEMENT)
  if (inference.nonce !== nonce && isRepeat) {
    throw notShown('the answer is to an earlier request of this Idempotency-Key, and has that one’s nonce')
  }
  if (inference.nonce !== nonce) {
    throw new CountersignError('statement/mismatch', 'the statement has another nonce than the request')
  }
}

function checkRequest({ request }: SeenAnswer, inference: Inference | undefined): void {
  if (request === undefined) throw notShown('the request’s bytes, or the salt they are committed with, are not at hand')
  checkCommitment(inference, 'request-received', request)
}

function checkResponse({ response, ending }: SeenAnswer, inference: Inference | undefined): void {
  if (ending !== 'complete') throw notShown(`the answer was not read to its end: ${ending}`)
  if (response === undefined) throw notShown('the answer came without the salt that it is committed with')
  checkCommitment(inference, 'response-delivered', response)
}

function checkCommitment(inference: Inference | undefined, subject: CommittedSubject, computed: string): void {
  if (inference === undefined) throw notShown(NO_STATEMENT)
  if (inference.commitments[subject] !== computed) {
    throw new CountersignError('opening/commitment-mismatch', `these are not the bytes of ${subject} in the statement`)
  }
}

/** The log holds the promised statement at the promised place. */
function checkReceipt(
  crypto: Crypto,
  pinned: PinnedTrust,
  promise: LogPromise | undefined,
  fetched: Fetched<UnverifiedReceipt>,
): void {
  if (promise === undefined) throw notShown('there is no promise that holds to compare the receipt with')
  const receipt = requireFetched(fetched, 'the receipt was not fetched')
  const { statement, index, leafHash } = openReceipt(crypto, receipt, findLogKey(pinned, promise.origin))
  if (statement !== promise.statement || index !== promise.index || !equalBytes(leafHash, promise.leafHash)) {
    throw new CountersignError('promise/mismatch', 'the receipt is for another entry than the promised one')
  }
}

function requireFetched<T>(fetched: Fetched<T>, why: string): T {
  if (fetched === undefined) throw notShown(why)
  if ('failure' in fetched) throw fetched.failure
  return fetched.value
}

const BAD_COMMENT = 'a comment in the stream does not have its form'
const NO_STATEMENT = 'there is no statement to compare with'

function notShown(why: string): CountersignError {
  return new CountersignError('opening/missing', why)
}

function badPromise(why: string): CountersignError {
  return new CountersignError('promise/malformed', `not the promise of one answer: ${why}`)
}
