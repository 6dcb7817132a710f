/** One request to an upstream, from its arrival to the end of its answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { codeOf, isEventStream } from '@countersign/verify'
import { errorBody } from '../dialects/error-body.ts'
import { errorFacts } from '../http/dialect-error.ts'
import { begin, commitmentTo, giveUp, promiseLine, receiptHeaders } from '../recording/recording.ts'
import type { Services } from '../services.ts'
import { settleTokens } from './admission.ts'
import type { AdmittedRequest } from './admitted-request.ts'
import { askUpstreams } from './attempts.ts'
import { concludeExchange } from './ending.ts'
import { type Answered, type Exchange, isClientGone, writeHead } from './exchange.ts'
import { deliverHeld, whoFailed, whoLeft } from './held.ts'
import type { IdempotencyMark } from './marks.ts'
import { deliverStream } from './stream.ts'

/**
 * Relays an admitted request, and records what became of it.
 *
 * @throws {CountersignError} when it could not be recorded: nothing of the answer has left, or it has no end
 */
export async function relay(
  services: Services,
  admitted: AdmittedRequest,
  request: IncomingMessage,
  response: ServerResponse,
  mark: IdempotencyMark | undefined,
): Promise<void> {
  const { deployment, facts, body, nonce, subject } = admitted
  const recording = await begin(
    services.recording,
    { deployment: deployment.reference, requested: facts.model, body, nonce, subject },
    facts.isStream,
  )
  const abort = new AbortController()
  const exchange: Exchange = {
    services,
    admitted,
    recording,
    request,
    response,
    abort,
    attempts: [],
    observations: new Set(),
    mark,
    timing: { startMs: performance.now(), firstByteMs: undefined },
    receivedPart: undefined,
  }
  response.once('close', () => {
    if (!response.writableFinished) abort.abort()
  })
  if (response.destroyed) abort.abort()
  let answered: Answered | undefined
  try {
    answered = cached(exchange) ?? (await askUpstreams(exchange))
    if (isStream(answered)) await deliverStream(exchange, answered)
    else await deliverHeld(exchange, answered)
  } catch (thrown) {
    // What was concluded, or could not be, is beyond repair here.
    if (exchange.recording.isConcluded) throw thrown
    await deliverFailure(exchange, answered, thrown).catch((again: unknown) => {
      if (!exchange.recording.isConcluded) {
        giveUp(services.recording, exchange.recording)
        // An upstream may have answered: what was set aside for it stays spent.
        const { reservation } = admitted
        if (reservation !== undefined) services.access.budgets.settle(reservation, reservation.amountMicros)
        settleTokens(services, admitted, 'unknown')
      }
      throw again
    })
  } finally {
    answered?.answer.body.destroy()
  }
}

/** The answer to the same request of before, where the deployment gives answers again. */
function cached({ services, admitted, recording }: Exchange): Answered | undefined {
  const repeated = services.cache.find(admitted, recording.startedAtMs)
  if (repeated === undefined) return undefined
  const { upstream, model, status, headers, body } = repeated
  const answer = {
    status,
    headers,
    body: Readable.from([body]),
    observations: [],
    requestId: undefined,
    shown: undefined,
    covering: undefined,
  }
  const sent = { bytes: admitted.body, patch: undefined }
  return { upstream, answer, sent, model, startedAtMs: recording.startedAtMs, place: 0, repeated }
}

function isStream({ answer }: Answered): boolean {
  return answer.headers.some(([name, value]) => name === 'content-type' && isEventStream(value))
}

/** No upstream answered, or its answer broke off before anything of it left: said in the caller's dialect, and recorded. */
async function deliverFailure(exchange: Exchange, answered: Answered | undefined, thrown: unknown): Promise<void> {
  const { services, recording, admitted, response } = exchange
  // A client that left is told nothing: what was thrown then is that it left.
  const error = isClientGone(exchange) ? undefined : errorFacts(thrown, services.logError, recording.id)
  const body = error === undefined ? undefined : errorBody(admitted.dialect.family, error)
  const code = codeOf(thrown)
  const promised = await concludeExchange(exchange, {
    answered,
    facts: undefined,
    finish:
      body === undefined
        ? { reason: 'interrupted', by: whoLeft(exchange), deliveredBytes: 0 }
        : { reason: 'error', by: whoFailed(code), ...(code === undefined ? {} : { code }) },
    received: exchange.receivedPart,
    delivered: body === undefined ? undefined : commitmentTo(services.recording, recording, 'response', body),
    content: body,
  })
  if (error === undefined || body === undefined || isClientGone(exchange)) return
  if (response.headersSent) {
    response.destroy()
    return
  }
  const ours = [...receiptHeaders(recording), ['countersign-promise', promiseLine(promised)] as const]
  writeHead(response, error.status, [['content-type', 'application/json']], ours, body.length)
  response.end(body)
}
