/** Records an exchange as a gateway does: statement, promise, and the bytes that leave. */
import { randomBytes } from 'node:crypto'
import {
  COMMITMENT_ALGORITHM,
  type CommittedSubject,
  commit,
  concat,
  formatStatement,
  INFERENCE_TYPE,
  type Json,
  saltFor,
  toBase64Url,
  toHex,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { LogDouble } from './log.testing.ts'

const crypto = createNodeCrypto()

/** What a dishonest gateway, or somebody on the way, does. */
export interface Cheats {
  /** What is committed to in place of what came. */
  readonly request?: (bytes: Uint8Array) => Uint8Array
  /** What is committed to in place of what leaves. */
  readonly response?: (bytes: Uint8Array) => Uint8Array
  /** The label of the salt of the delivered bytes. */
  readonly responseLabel?: string
  readonly nonce?: (nonce: string | undefined) => string | undefined
  /** The receipt that statement or promise are for. */
  readonly statementReceipt?: string
  readonly promiseReceipt?: string
  /** The promises that leave, out of the honest one. */
  readonly promises?: (line: string) => readonly string[]
  /** The comment of a promise. */
  readonly comment?: (line: string) => string
  /** Who signs. */
  readonly log?: LogDouble
}

export interface Exchange {
  readonly request: Uint8Array
  readonly nonce: string | undefined
  /** The answer's body; of a stream, what comes before the promise and what comes after. */
  readonly body: readonly [Uint8Array] | readonly [Uint8Array, Uint8Array]
  readonly isHeld: boolean
}

/** A recorded exchange, ready to be handed out. */
export interface RecordedExchange {
  readonly receipt: string
  readonly secret: string
  readonly index: number
  readonly digest: string
  readonly headers: Readonly<Record<string, string>>
  /** The answer's body as it leaves. */
  readonly body: Uint8Array
  /** The promise in its one-line form, as signed. */
  readonly promise: string
  readonly log: LogDouble
}

export function recordExchange(honestLog: LogDouble, exchange: Exchange, cheats: Cheats = {}): RecordedExchange {
  const log = cheats.log ?? honestLog
  const receipt = randomBytes(16).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  const seed = new Uint8Array(randomBytes(32))
  const delivered = concat(...exchange.body)
  const commitTo = (label: string, content: Uint8Array) =>
    commit(crypto, { salt: saltFor(crypto, seed, label), content })
  const response = commitTo(cheats.responseLabel ?? 'response', cheats.response?.(delivered) ?? delivered)
  const request = commitTo('request', cheats.request?.(exchange.request) ?? exchange.request)
  const nonce = cheats.nonce === undefined ? exchange.nonce : cheats.nonce(exchange.nonce)
  const payload = statementOf(log, cheats.statementReceipt ?? receipt, nonce, [
    ['request-received', request],
    ['request-sent', request],
    ['response-received', commitTo('response', delivered)],
    ['response-delivered', response],
  ])
  const { index, digest } = log.append(payload)
  const promise = log.promise(index, cheats.promiseReceipt ?? receipt)
  const lines = cheats.promises?.(promise) ?? [promise]
  const comment = cheats.comment ?? ((line: string) => `: countersign-promise ${line}\n\n`)
  const [before, after] = exchange.body
  return {
    ...{ receipt, secret, index, digest, promise, log },
    headers: {
      'countersign-receipt': receipt,
      'countersign-secret': secret,
      'countersign-salts': toBase64Url(seed),
      ...(after === undefined && exchange.isHeld && lines[0] !== undefined ? { 'countersign-promise': lines[0] } : {}),
    },
    body: after === undefined ? before : concat(before, ...lines.map((line) => utf8(comment(line))), after),
  }
}

function statementOf(
  log: LogDouble,
  receipt: string,
  nonce: string | undefined,
  commitments: readonly (readonly [CommittedSubject, string])[],
): Uint8Array {
  const predicate: Json = {
    receipt,
    deployment: { name: 'chat', statement: '00'.repeat(32) },
    model: { requested: 'chat', served: 'chat', digestSource: 'unknown' },
    parameters: {},
    usage: 'unknown',
    finish: { reason: 'stop' },
    price: [],
    attempts: [],
    observations: [],
    evidence: [],
    parents: [],
    ...(nonce === undefined ? {} : { nonce }),
    startedAtMs: 1_790_000_000_000,
    endedAtMs: 1_790_000_000_001,
    checkpoint: { origin: log.origin, size: 0, root: toHex(crypto.sha256(new Uint8Array(0))) },
    epoch: '0000000000000001',
    sequence: 0,
  }
  return formatStatement({
    subjects: commitments.map(([name, value]) => ({ name, digest: { [COMMITMENT_ALGORITHM]: value } })),
    predicateType: INFERENCE_TYPE,
    predicate,
  })
}
