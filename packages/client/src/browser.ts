/** Checks every answer of a Countersign gateway as it arrives. This face is for browsers, and all else that is not Node. */
import { createNoblePlatform } from './noble-platform.ts'
import { attachReceipts, type SdkClient } from './receipts-client.ts'
import { createReceiptsFetch, type ReceiptsFetch, type ReceiptsOptions } from './receipts-fetch.ts'

/** A `fetch` that checks every recorded answer as it passes. @throws {CountersignError} `trust/malformed`, `key/malformed` */
export function receiptsFetch(options: ReceiptsOptions = {}): ReceiptsFetch {
  return createReceiptsFetch(createNoblePlatform(), options)
}

/**
 * A copy of an official OpenAI or Anthropic client that checks every answer.
 *
 * @throws {CountersignError} `trust/malformed`, `key/malformed`
 */
export function withReceipts<C extends SdkClient>(client: C, options: ReceiptsOptions = {}): C {
  return attachReceipts(createNoblePlatform(), client, options)
}

export {
  ANSWER_CHECKS,
  type AnswerCheck,
  type AnswerCheckName,
  type AnswerDecision,
  type AnswerEvidence,
  assessAnswer,
  decideAnswer,
  type Fetched,
} from './answer-check.ts'
export { type AnswerHeaders, parseAnswerHeaders } from './answer-headers.ts'
export type { Fetch } from './gateway-reader.ts'
export { createNoblePlatform } from './noble-platform.ts'
export type { AnswerRecord, CheckDepth, Outcome } from './outcome.ts'
export { type PinnedTrust, parsePinnedTrust } from './pinned-trust.ts'
export type { Platform } from './platform.ts'
export type { SdkClient } from './receipts-client.ts'
export type { ReceiptsFetch, ReceiptsMode, ReceiptsOptions } from './receipts-fetch.ts'
export { type ReceiptMetadata, type ReceiptsMiddleware, receiptsMiddleware } from './receipts-middleware.ts'
export { AnswerObserver, type AnswerStart, type Ending, type SeenAnswer } from './seen-answer.ts'
