/** The hot path of upstreams: requests of the OpenAI and Anthropic dialects, straight on node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createHolding } from '../admission/holding.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { dialectAt } from '../dialects/dialects.ts'
import { admitRequest, settleUnused } from '../relay/admission.ts'
import type { AdmittedRequest } from '../relay/admitted-request.ts'
import { readMark, repeatFirst } from '../relay/idempotency.ts'
import { beginConversation } from '../relay/kept.ts'
import type { IdempotencyMark } from '../relay/marks.ts'
import { relay } from '../relay/relay.ts'
import type { Services } from '../services.ts'
import { OPERATION_OF } from '../telemetry/answer-event.ts'
import { linger, readBody } from './body.ts'
import { tolerateQuiet, whenItsTurn } from './client-connection.ts'
import { sendRefusal } from './dialect-error.ts'
import { headerOf, presentedKey, readContentType, readNonce } from './request-headers.ts'
import { readSubject } from './subject-header.ts'

/** The dialect of a request that asks a model for an answer, else `undefined`. */
export function matchRelay({ method, url = '' }: IncomingMessage): Dialect | undefined {
  if (method !== 'POST') return undefined
  const query = url.indexOf('?')
  return dialectAt(query < 0 ? url : url.slice(0, query))
}

/** Answers a request. Never rejects. */
export async function handleRelay(
  gateway: Services,
  dialect: Dialect,
  request: IncomingMessage,
  response: ServerResponse,
  model?: string,
): Promise<void> {
  try {
    // What waits behind another request of its connection takes no place from others.
    await whenItsTurn(request, response)
    const release = gateway.admit()
    try {
      const key = gateway.authenticate(presentedKey(request))
      const nonce = readNonce(request)
      const subject = readSubject(request)
      const contentType = readContentType(request)
      const holding = createHolding(gateway)
      try {
        const body = await readBody(request, gateway.config.limits.bodyBytes, holding)
        tolerateQuiet(response)
        const admitted = await admitRequest(gateway, { dialect, body, key, nonce, subject, contentType, model })
        await answer(gateway, admitted, request, response)
      } finally {
        holding.release()
      }
    } finally {
      release()
    }
  } catch (thrown) {
    if (response.headersSent) response.destroy()
    else sendRefusal(gateway, response, dialect.family, thrown, OPERATION_OF[dialect.name])
    if (!request.complete) linger(request)
  }
}

/** Answers an admitted request, or gives the answer to its idempotency key again. */
async function answer(
  gateway: Services,
  admitted: AdmittedRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const nowMs = gateway.log.clock.read().timeMs
  let mark: IdempotencyMark | undefined
  let release = () => {}
  let endConversation = () => {}
  try {
    endConversation = beginConversation(gateway, admitted)
    mark = readMark(headerOf(request, 'idempotency-key'), admitted, nowMs, gateway.rootKey)
    if (mark !== undefined) release = gateway.marks.begin(mark)
    if (mark === undefined || !repeatFirst(gateway, mark, response, nowMs)) {
      gateway.witnessing.admit(admitted.deployment.name)
      return await relay(gateway, admitted, request, response, mark)
    }
    settleUnused(gateway, admitted)
  } catch (thrown) {
    settleUnused(gateway, admitted)
    throw thrown
  } finally {
    release()
    endConversation()
  }
}
