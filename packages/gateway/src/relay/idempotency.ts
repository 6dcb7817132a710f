/** `Idempotency-Key`: a request that is sent again gets the answer of the first time, and its receipt. @spec spec/http.md */
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { CountersignError } from '@countersign/verify'
import { receiptSecret } from '../receipts/receipt-secret.ts'
import type { Services } from '../services.ts'
import { type AdmittedRequest, NO_KEY } from './admission.ts'
import { writeHead } from './exchange.ts'

/** How long the answer to a key can be had again. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000

/** What an answer is kept by. */
export interface IdempotencyMark {
  /** SHA-256 of the holder of the API key and the idempotency key. */
  readonly scope: Uint8Array
  /** SHA-256 of path and body. */
  readonly request: Uint8Array
  readonly expiresAtMs: number
}

/** The mark of a request, or `undefined` where it asks for none. @throws {CountersignError} `request/malformed` */
export function readMark(
  value: string | undefined,
  { key, dialect, body }: AdmittedRequest,
  nowMs: number,
): IdempotencyMark | undefined {
  if (value === undefined) return undefined
  if (!/^[!-~]{1,256}$/.test(value)) {
    throw new CountersignError('request/malformed', 'Idempotency-Key: expected 1 to 256 visible characters')
  }
  const hash = () => createHash('sha256')
  return {
    scope: new Uint8Array(
      hash()
        .update(JSON.stringify([key?.id ?? NO_KEY, value]))
        .digest(),
    ),
    request: new Uint8Array(hash().update(`${dialect.path}\n`).update(body).digest()),
    expiresAtMs: nowMs + IDEMPOTENCY_MS,
  }
}

/** Requests with a mark that are under way: the same one must wait. */
export interface MarksUnderWay {
  /** @throws {CountersignError} `request/in-progress` */
  begin(mark: IdempotencyMark): () => void
}

export function createMarks(): MarksUnderWay {
  const underWay = new Set<string>()
  return {
    begin(mark) {
      const scope = Buffer.from(mark.scope).toString('base64')
      if (underWay.has(scope)) {
        throw new CountersignError(
          'request/in-progress',
          'a request with this Idempotency-Key is under way; wait for it',
        )
      }
      underWay.add(scope)
      return () => void underWay.delete(scope)
    },
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
