/** Asks a gateway for what belongs to an answer: promise, statement, receipt, dossier. @spec spec/http.md */
import {
  CountersignError,
  FILE_LIMITS,
  Fields,
  GatheredBytes,
  type Json,
  parseBundle,
  parseEnvelope,
  parseJson,
  type ReceiptId,
  type StatementDigest,
  type UnverifiedEnvelope,
  type UnverifiedReceipt,
} from '@countersign/verify'

/** As the platform's `fetch`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** Most bytes of a statement or a receipt in JSON: a payload of 1 MiB in base64, twice, and what is around it. */
const MAX_REPLY_BYTES = 4 * 1024 * 1024

/** How long a gateway is asked to wait for a signed head, unless there is less time. */
const MAX_WAIT_SECONDS = 30

/** One receipt of one gateway, and what opens it. */
export interface ReceiptAddress {
  /** Origin of the gateway, or where it stands behind a proxy; without a slash at the end. */
  readonly gateway: string
  readonly receipt: ReceiptId
  /** Opens receipt, dossier and statement: keep it out of logs. */
  readonly secret: string
}

/** Reads from a gateway. Nothing of what it gives is checked here. */
export interface GatewayReader {
  /** The promise in its one-line form. */
  promise(signal: AbortSignal): Promise<string>
  statement(digest: StatementDigest, signal: AbortSignal): Promise<UnverifiedEnvelope>
  /** The receipt, once a signed head covers it. */
  receipt(waitMs: number, signal: AbortSignal): Promise<{ readonly json: Json; readonly parsed: UnverifiedReceipt }>
  /** The dossier's file. */
  dossier(waitMs: number, signal: AbortSignal): Promise<Uint8Array>
}

/**
 * A reader for one receipt, by way of `send`.
 *
 * Its functions throw {CountersignError} `gateway/unreachable`, `gateway/refused`, `receipt/not-found`,
 * `receipt/not-yet-included`.
 */
export function createGatewayReader(send: Fetch, address: ReceiptAddress): GatewayReader {
  const ask = (path: string, waitMs: number, signal: AbortSignal) => request(send, address, path, waitMs, signal)
  return {
    async promise(signal) {
      const response = await ask(`/receipts/${address.receipt}`, 0, signal)
      await response.body?.cancel()
      const promise = response.headers.get('countersign-promise')
      if (promise === null) throw refused('it gave no promise for the receipt')
      return promise
    },
    async statement(digest, signal) {
      const json = await readJson(await ask(`/statements/${digest}`, 0, signal))
      return read(() => {
        const fields = new Fields(json, 'statement')
        return parseEnvelope(fields.required('envelope'), fields.at('envelope'))
      })
    },
    async receipt(waitMs, signal) {
      const json = await readJson(covered(await ask(`/receipts/${address.receipt}`, waitMs, signal)))
      return { json, parsed: read(() => parseBundle(json)) }
    },
    async dossier(waitMs, signal) {
      return readBody(covered(await ask(`/dossiers/${address.receipt}`, waitMs, signal)), FILE_LIMITS.maxBytes)
    },
  }
}

async function request(
  send: Fetch,
  { gateway, secret }: ReceiptAddress,
  path: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<Response> {
  const wait = Math.min(Math.floor(waitMs / 1000), MAX_WAIT_SECONDS)
  const headers = { authorization: `Bearer ${secret}`, ...(wait > 0 ? { prefer: `wait=${wait}` } : {}) }
  let response: Response
  try {
    // A redirect would carry the secret to a place that the caller did not name.
    response = await send(`${gateway}${path}`, { headers, redirect: 'error', signal })
  } catch {
    throw unreachable()
  }
  if (response.ok) return response
  await response.body?.cancel()
  if (response.status === 404) throw new CountersignError('receipt/not-found', `the gateway does not have ${path}`)
  throw refused(`it answered ${response.status}`)
}

/** 202 says that no signed head covers the answer yet. */
function covered(response: Response): Response {
  if (response.status !== 202) return response
  throw new CountersignError('receipt/not-yet-included', 'no signed head covers the answer yet; ask again in a second')
}

async function readJson(response: Response): Promise<Json> {
  const bytes = await readBody(response, MAX_REPLY_BYTES)
  return read(() => parseJson(bytes, { ...FILE_LIMITS, maxBytes: MAX_REPLY_BYTES }))
}

/** A body of at most so many bytes. */
async function readBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  const gathered = new GatheredBytes()
  let isTooLarge = false
  try {
    for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
      isTooLarge = gathered.length + next.value.length > maxBytes
      if (isTooLarge) break
      gathered.add(next.value)
    }
    if (isTooLarge) await reader?.cancel()
  } catch {
    throw unreachable()
  }
  if (isTooLarge) throw refused(`its reply has more than ${maxBytes} bytes`)
  return gathered.bytes()
}

/** What cannot be read shows nothing, neither for the answer nor against it. */
function read<T>(parse: () => T): T {
  try {
    return parse()
  } catch (thrown) {
    throw refused(`its reply cannot be read: ${thrown instanceof Error ? thrown.message : ''}`)
  }
}

function unreachable(): CountersignError {
  return new CountersignError('gateway/unreachable', 'the gateway cannot be reached, or took too long')
}

function refused(why: string): CountersignError {
  return new CountersignError('gateway/refused', `the gateway did not give what was asked for: ${why}`)
}
