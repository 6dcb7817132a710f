/** The hot path of upstreams: requests of the OpenAI and Anthropic dialects, straight on node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dialect } from '../dialects/dialect.ts'
import { dialectAt } from '../dialects/dialects.ts'
import { admitRequest } from '../relay/admission.ts'
import { relay } from '../relay/relay.ts'
import type { Services } from '../services.ts'
import { linger, readBody } from './body.ts'
import { sendRefusal } from './dialect-error.ts'
import { presentedKey, readNonce } from './request-headers.ts'

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
): Promise<void> {
  try {
    const release = gateway.admit()
    try {
      const key = gateway.authenticate(presentedKey(request))
      const nonce = readNonce(request)
      const body = await readBody(request, gateway.config.limits.bodyBytes)
      const releaseBytes = gateway.takeBytes(body.length)
      try {
        await relay(gateway, admitRequest(gateway, { dialect, body, key, nonce }), request, response)
      } finally {
        releaseBytes()
      }
    } finally {
      release()
    }
  } catch (thrown) {
    if (response.headersSent) response.destroy()
    else sendRefusal(response, dialect.family, thrown, gateway.logError)
    if (!request.complete) linger(request)
  }
}
