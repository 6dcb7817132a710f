/** The hot path: `POST /v2/models/{name}/infer`, straight on node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { CountersignError, quote, toBase64Url } from '@countersign/verify'
import { type InferAnswer, infer } from '../inference/infer.ts'
import type { Services } from '../services.ts'
import { readBody } from './body.ts'
import { errorReply, JSON_TYPE, type Reply } from './reply.ts'

const ROUTE = /^\/v2\/models\/([^/?]{1,128})\/infer(?:\?.*)?$/

/** How long a refused client may go on sending, so that it gets to read why. */
const LINGER_MS = 2000

/** The deployment's name when the request is an inference, else `undefined`. */
export function matchInfer(request: IncomingMessage): string | undefined {
  return request.method === 'POST' ? ROUTE.exec(request.url ?? '')?.[1] : undefined
}

/** Answers an inference request. Never rejects. */
export async function handleInfer(
  gateway: Services,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const release = gateway.admit()
    try {
      const deployment = gateway.deployment(decodeName(name))
      const body = await readBody(request, gateway.config.limits.bodyBytes)
      const answer = await infer(gateway.inferServices, deployment, { body, nonce: readNonce(request) })
      send(response, answerReply(answer))
    } finally {
      release()
    }
  } catch (thrown) {
    send(response, errorReply(thrown, gateway.logError))
    if (!request.complete) linger(request)
  }
}

/** Throws away what is left of a body. To close at once would reset the connection, and the reply with it. */
function linger(request: IncomingMessage): void {
  const timer = setTimeout(() => request.destroy(), LINGER_MS)
  request.once('close', () => clearTimeout(timer))
  request.resume()
}

/** A name that is not percent-encoded as it should be is nobody's. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** @throws {CountersignError} `request/malformed` */
function readNonce(request: IncomingMessage): string | undefined {
  const nonce = request.headers['countersign-nonce']
  if (nonce === undefined) return undefined
  if (typeof nonce !== 'string' || !/^[!-~]{1,128}$/.test(nonce)) {
    throw new CountersignError(
      'request/malformed',
      `Countersign-Nonce: ${quote(String(nonce))} is not 1 to 128 visible characters`,
    )
  }
  return nonce
}

function answerReply(answer: InferAnswer): Reply {
  return {
    status: answer.status,
    headers: {
      'content-type': JSON_TYPE,
      'countersign-receipt': answer.receipt,
      'countersign-secret': answer.secret,
      'countersign-promise': answer.promise,
      'countersign-salts': toBase64Url(answer.saltSeed),
    },
    body: answer.body,
  }
}

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
