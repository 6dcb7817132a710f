/** A `fetch` that checks every recorded answer as it passes. */
import { type ClaimStatus, CountersignError, isEventStream, type ReceiptId, toHex, utf8 } from '@countersign/verify'
import { type AnswerHeaders, parseAnswerHeaders } from './answer-headers.ts'
import { type BodyFollower, followResponse } from './checked-response.ts'
import type { Fetch } from './gateway-reader.ts'
import { type CheckDepth, type Outcome, type OutcomeServices, settleAnswer, unrecordedOutcome } from './outcome.ts'
import { OutcomeLedger } from './outcome-ledger.ts'
import { parsePinnedTrust } from './pinned-trust.ts'
import type { Platform } from './platform.ts'
import { AnswerObserver, type AnswerStart } from './seen-answer.ts'

/** How answers are checked, and what is done about them. */
export interface ReceiptsOptions {
  /** The text of a trust file, or the log's verifier key. Without it no answer is better than `unproven`. */
  readonly trust?: string
  /** How far to check: `promise` unless said. `receipt` waits until the log holds the statement, some 200 ms. */
  readonly when?: CheckDepth
  /**
   * `report` unless said: answers pass at once, and are checked aside. `throw`: the body of a refuted answer ends in an
   * error. `require`: so does the body of every answer of which not everything holds.
   */
  readonly mode?: ReceiptsMode
  /** Gets every outcome, once. What it throws is the application's own error, and not caught here. */
  readonly onVerdict?: (outcome: Outcome) => void
  /** For all that is asked of the gateway about one answer, milliseconds; 10,000 unless said. */
  readonly timeoutMs?: number
  /** Most answers about which the gateway is asked at once; 64 unless said. What is beyond is `unproven`. */
  readonly maxPending?: number
  /** Where the gateway's receipts are served, as `https://gateway.example`; the origin of each request unless said. */
  readonly gateway?: string
  /** What sends the requests; the platform's unless said. */
  readonly fetch?: Fetch
}

export type ReceiptsMode = 'report' | 'throw' | 'require'

/** A `fetch`, and the outcomes of what it fetched. */
export interface ReceiptsFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** The outcome of one of the last 256 answers, as soon as it is there. Waits for the end of the answer's body. */
  outcomeOf(receipt: ReceiptId): Promise<Outcome> | undefined
  /** Resolves when no answer that was read to its end is still being checked. */
  idle(): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_MAX_PENDING = 64
const NONCE_BYTES = 16
const NONCE_HEADER = 'Countersign-Nonce'
const REPEATED_HEADER = 'Countersign-Repeated'

/** Statuses that make a body end in an error, by mode. */
const REFUSED: Readonly<Record<ReceiptsMode, readonly ClaimStatus[]>> = {
  report: [],
  throw: ['refuted'],
  require: ['refuted', 'unproven'],
}

/** What every request needs. */
interface Session {
  readonly services: OutcomeServices
  readonly ledger: OutcomeLedger
  readonly mode: ReceiptsMode
  /** Without a slash at the end. */
  readonly gateway: string | undefined
}

/**
 * A `fetch` that adds a fresh nonce to each POST, hashes what goes out and comes back, and checks it against promise and
 * statement. Bodies are not kept; they pass as they come. An error reply without a receipt is left alone, and so are
 * requests other than POST: the gateway records neither.
 *
 * @throws {CountersignError} `trust/malformed`, `key/malformed`
 */
export function createReceiptsFetch(platform: Platform, options: ReceiptsOptions): ReceiptsFetch {
  const ledger = new OutcomeLedger(options.maxPending ?? DEFAULT_MAX_PENDING, options.onVerdict)
  const session: Session = {
    services: {
      platform,
      pinned: parsePinnedTrust(platform.crypto, options.trust),
      send: options.fetch ?? globalThis.fetch,
      depth: options.when ?? 'promise',
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    },
    ledger,
    mode: options.mode ?? 'report',
    gateway: options.gateway?.replace(/\/$/, ''),
  }
  const send = (input: string | URL | Request, init?: RequestInit) => fetchChecked(session, input, init)
  return Object.assign(send, {
    outcomeOf: (receipt: ReceiptId) => ledger.outcomeOf(receipt),
    idle: () => ledger.idle(),
  })
}

async function fetchChecked(
  session: Session,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const { send, platform } = session.services
  if (methodOf(input, init) !== 'POST') return send(input, init)
  const outgoing = withNonce(input, init)
  const response = await send(input, outgoing.init)
  const headers = readHeaders(response)
  if (headers === undefined && !response.ok) return response
  const waits = session.mode !== 'report'
  if (headers === undefined || headers instanceof CountersignError) {
    return followResponse(response, followUnrecorded(session, headers ?? withoutReceipt()), waits)
  }
  const isStream = isEventStream(response.headers.get('content-type') ?? '')
  const isRepeat = response.headers.get(REPEATED_HEADER) === 'true' && outgoing.init.headers.has('idempotency-key')
  const start: AnswerStart = { headers, nonce: outgoing.nonce, request: bytesOf(init?.body), isStream, isRepeat }
  const gateway = session.gateway ?? new URL(input instanceof Request ? input.url : input).origin
  return followResponse(response, followRecorded(session, new AnswerObserver(platform, start), start, gateway), waits)
}

function followRecorded(
  { services, ledger, mode }: Session,
  observer: AnswerObserver,
  { headers, isStream }: AnswerStart,
  gateway: string,
): BodyFollower {
  const fill = ledger.begin(headers.receipt)
  return {
    push(chunk) {
      observer.push(chunk)
      return !isStream || observer.hasPromise
    },
    async end(ending) {
      const seen = observer.end(ending)
      const outcome = ledger.run((mayAsk) => settleAnswer(services, seen, gateway, mayAsk))
      fill(outcome)
      return refusal(await outcome, mode)
    },
  }
}

function followUnrecorded({ ledger, mode }: Session, error: CountersignError): BodyFollower {
  return {
    push: () => true,
    end: async () => refusal(await ledger.run(async () => unrecordedOutcome(error)), mode),
  }
}

function readHeaders(response: Response): AnswerHeaders | CountersignError | undefined {
  try {
    return parseAnswerHeaders(response.headers)
  } catch (thrown) {
    if (thrown instanceof CountersignError) return thrown
    throw thrown
  }
}

/** The error that a body ends in, if any; the outcome is its cause. */
function refusal(outcome: Outcome, mode: ReceiptsMode): CountersignError | undefined {
  if (!REFUSED[mode].includes(outcome.status)) return undefined
  const check = outcome.checks.find(({ status }) => status === outcome.status)
  const why = `${check?.name}: ${check?.reason}`
  return new CountersignError(check?.code ?? 'opening/missing', `this answer is ${outcome.status}: ${why}`, {
    cause: outcome,
  })
}

function withoutReceipt(): CountersignError {
  return new CountersignError('opening/missing', 'the answer came without a receipt')
}

function methodOf(input: string | URL | Request, init: RequestInit | undefined): string {
  return (init?.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
}

/** The request with a nonce of ours, or with the caller's own. */
function withNonce(
  input: string | URL | Request,
  init: RequestInit | undefined,
): { readonly init: RequestInit & { readonly headers: Headers }; readonly nonce: string } {
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
  const nonce = headers.get(NONCE_HEADER) ?? freshNonce()
  headers.set(NONCE_HEADER, nonce)
  return { init: { ...init, headers }, nonce }
}

function freshNonce(): string {
  return toHex(globalThis.crypto.getRandomValues(new Uint8Array(NONCE_BYTES)))
}

/** The bytes of a body that is at hand as text or bytes; others are sent as they are, and not committed to. */
function bytesOf(body: unknown): Uint8Array | undefined {
  if (typeof body === 'string') return utf8(body)
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  return undefined
}
