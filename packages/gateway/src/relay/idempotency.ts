/** `Idempotency-Key`: a request that is sent again gets the answer of the first time, and its receipt. @spec spec/http.md */
import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { CountersignError, utf8 } from '@countersign/verify'
import { deriveKey } from '../data/derivation.ts'
import { receiptSecret } from '../receipts/receipt-secret.ts'
import type { Services } from '../services.ts'
import { type AdmittedRequest, NO_KEY } from './admitted-request.ts'
import { writeHead } from './exchange.ts'
import type { IdempotencyMark } from './marks.ts'

/** How long the answer to a key can be had again. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000

const LABEL = /* @__PURE__ */ utf8('idempotency')

/** The mark of a request, or `undefined` where it asks for none. @throws {CountersignError} `request/malformed` */
export function readMark(
  value: string | undefined,
  { key, dialect, facts, body, subject }: AdmittedRequest,
  nowMs: number,
  rootKey: Uint8Array,
): IdempotencyMark | undefined {
  if (value === undefined) return undefined
  if (!/^[!-~]{1,256}$/.test(value)) {
    throw new CountersignError('request/malformed', 'Idempotency-Key: expected 1 to 256 visible characters')
  }
  // Under a key: a plain hash would let whoever has the database guess short contents, also after they were erased.
  const secret = deriveKey(rootKey, LABEL, 'countersign-idempotency-v1')
  const tag = (...parts: readonly (string | Uint8Array)[]) => {
    const hmac = createHmac('sha256', secret)
    for (const part of parts) hmac.update(part)
    return new Uint8Array(hmac.digest())
  }
  // A record is about one subject: another one's is another request. No path begins like a JSON text.
  const of = subject === undefined ? '' : `${JSON.stringify(subject)}\n`
  return {
    scope: tag(JSON.stringify([key?.id ?? NO_KEY, value])),
    // The path may hold the model's name.
    request: tag(`${of}${dialect.path}\n${facts.model}\n`, body),
    expiresAtMs: nowMs + IDEMPOTENCY_MS,
  }
}

/**
 * Gives the first answer again. False when there was none, and the request is to be answered.
 *
 * @throws {CountersignError} `request/key-reused` when the first request was another one; `vault/no-content` when the answer
 *   is not kept; `vault/erased`
 */
export function repeatFirst(
  services: Services,
  mark: IdempotencyMark,
  response: ServerResponse,
  nowMs: number,
): boolean {
  const first = services.statements.firstAnswer(mark.scope, nowMs)
  if (first === undefined) return false
  const receipt = Buffer.from(first.receipt).toString('hex')
  if (Buffer.compare(first.request, mark.request) !== 0) {
    const message = `this Idempotency-Key was used for another request, whose receipt is ${receipt}`
    throw new CountersignError('request/key-reused', message)
  }
  const row = services.receipts.find(receipt)
  const content = services.receipts.content(row)?.get('response')
  const seed = services.receipts.saltSeed(row)
  if (content === undefined || seed === undefined) {
    throw new CountersignError(
      'vault/no-content',
      `this was answered already, and no content is kept; its receipt is ${receipt}`,
    )
  }
  const generation = services.statements.secretGeneration(first.receipt)
  const ours = [
    ['countersign-receipt', receipt],
    ['countersign-secret', receiptSecret(services.rootKey, first.receipt, generation)],
    ['countersign-salts', Buffer.from(seed).toString('base64url')],
    ['countersign-promise', services.receipts.promiseLine(row)],
    ['countersign-repeated', 'true'],
  ] as const
  writeHead(response, first.status, [['content-type', first.contentType]], ours, content.length)
  response.end(content)
  return true
}
