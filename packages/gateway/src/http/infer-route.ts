/** The hot path: `POST /v2/models/{name}/infer`, straight on node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { codeOf } from '@countersign/verify'
import { requireRight } from '../access/api-key.ts'
import { createHolding } from '../admission/holding.ts'
import { findAnswering } from '../deployments/answering.ts'
import type { TensorDeployment } from '../deployments/deployments.ts'
import { type InferAnswer, infer } from '../inference/infer.ts'
import { promiseLine, receiptHeaders } from '../recording/recording.ts'
import type { Services } from '../services.ts'
import type { AnswerEvent } from '../telemetry/answer-event.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import { linger, readBody } from './body.ts'
import { whenItsTurn } from './client-connection.ts'
import { errorReply, JSON_TYPE, type Reply } from './reply.ts'
import { presentedKey, readNonce } from './request-headers.ts'
import { readSubject } from './subject-header.ts'

const ROUTE = /^\/v2\/models\/([^/?]{1,128})\/infer(?:\?.*)?$/

/** The deployment's name when the request is an inference, else `undefined`. */
export function matchInfer(request: IncomingMessage): string | undefined {
  return request.method === 'POST' ? ROUTE.exec(request.url ?? '')?.[1] : undefined
}

/** The model's name when another server is to answer the inference, else `undefined`. */
export function relayedModel(gateway: Services, name: string): string | undefined {
  const model = decodeName(name)
  if (gateway.deployments.some((each) => each.kind === 'tensor' && each.name === model)) return undefined
  return findAnswering(gateway.deployments, model) && model
}

/** Answers an inference request. Never rejects. */
export async function handleInfer(
  gateway: Services,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await whenItsTurn(request, response)
    const release = gateway.admit()
    const holding = createHolding(gateway)
    try {
      const key = gateway.authenticate(presentedKey(request))
      const deployment = gateway.tensorDeployment(decodeName(name))
      if (key !== undefined) requireRight(key, 'infer', deployment.name)
      gateway.witnessing.admit(deployment.name)
      const nonce = readNonce(request)
      const subject = readSubject(request)
      const body = await readBody(request, gateway.config.limits.bodyBytes, holding)
      // Not before: whoever sends slowly could outlast what was shown.
      const covering = gateway.places.coverOwn()
      const payer = key && { key, access: gateway.access }
      const startMs = performance.now()
      const answer = await infer(gateway.recording, deployment, { body, nonce, subject, payer, covering })
      gateway.telemetry.observeAnswer(answerEvent(deployment, answer, performance.now() - startMs, request))
      send(response, answerReply(answer))
    } finally {
      holding.release()
      release()
    }
  } catch (thrown) {
    const error = errorReply(thrown, gateway.logError)
    gateway.telemetry.observeRefusal({ code: codeOf(thrown) ?? 'internal', status: error.status, operation: 'infer' })
    send(response, error)
    if (!request.complete) linger(request)
  }
}

/** A name that is not percent-encoded as it should be is nobody's. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

function answerReply({ status, body, recording, promised }: InferAnswer): Reply {
  return {
    status,
    headers: {
      'content-type': JSON_TYPE,
      ...Object.fromEntries(receiptHeaders(recording)),
      'countersign-promise': promiseLine(promised),
    },
    body,
  }
}

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

function answerEvent(
  { name, served }: TensorDeployment,
  { status, usage, recording, promised }: InferAnswer,
  durationMs: number,
  request: IncomingMessage,
): AnswerEvent {
  return {
    operation: 'infer',
    deployment: name,
    requestedModel: name,
    servedModel: served.name,
    attempts: 1,
    status,
    finish: status === 200 ? 'complete' : 'error',
    isStream: false,
    parameters: {},
    usage,
    startedAtMs: recording.startedAtMs,
    durationMs,
    receipt: recording.id,
    logIndex: promised.index,
    trace: parseTraceparent(request.headers.traceparent),
  }
}
