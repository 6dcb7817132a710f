/**
 * Metadata and readiness of tensor models that another server runs, asked of that server. They pass through: no statement,
 * no receipt.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { CountersignError, GatheredBytes } from '@countersign/verify'
import { requireRight } from '../access/api-key.ts'
import { createHolding } from '../admission/holding.ts'
import type { RouteTarget } from '../config/config.ts'
import type { RelayDeployment } from '../deployments/deployments.ts'
import { headersFor } from '../relay/attempts.ts'
import { writeHead } from '../relay/exchange.ts'
import { readUpTo } from '../relay/held.ts'
import { planRoute } from '../routing/route.ts'
import type { Services } from '../services.ts'
import type { Headers, UpstreamAnswer } from '../upstreams/upstream.ts'
import { tolerateQuiet, whenItsTurn } from './client-connection.ts'
import { sendRefusal } from './dialect-error.ts'
import { relayedModel } from './infer-route.ts'
import { presentedKey } from './request-headers.ts'

const ROUTE = /^\/v2\/models\/([^/?]{1,128})(\/ready)?(?:\?.*)?$/

/** Most bytes of an answer. */
export const MAX_MODEL_INFO_BYTES = 1024 * 1024

/** What is asked of a model that another server runs. */
export interface FarModel {
  readonly deployment: RelayDeployment
  /** As the client calls it. */
  readonly model: string
  /** Places of its route that speak the Open Inference Protocol; at least one. */
  readonly places: readonly RouteTarget[]
  /** What follows the model's name in the path. */
  readonly rest: string
}

/** What a request asks of a model of a `kserve` upstream, else `undefined`. */
export function matchFarModel(gateway: Services, { method, url = '' }: IncomingMessage): FarModel | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined
  const [, name, rest = ''] = ROUTE.exec(url) ?? []
  const model = name === undefined ? undefined : relayedModel(gateway, name)
  if (model === undefined) return undefined
  const deployment = gateway.relayDeployment(model)
  const places = deployment.route.filter(({ upstream }) => deployment.upstreams.get(upstream)?.kind === 'kserve')
  return places.length === 0 ? undefined : { deployment, model, places, rest }
}

/** Answers with what the other server says. Never rejects. */
export async function handleFarModel(
  gateway: Services,
  far: FarModel,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const abort = new AbortController()
  response.once('close', () => abort.abort())
  try {
    await whenItsTurn(request, response)
    const release = gateway.admit()
    const holding = createHolding(gateway)
    try {
      const key = gateway.authenticate(presentedKey(request))
      if (key !== undefined) requireRight(key, 'infer', far.deployment.name)
      tolerateQuiet(response)
      const { status, headers, body } = await askInTurn(far, headersFor(request), abort.signal)
      const gathered = new GatheredBytes()
      const isWhole = await readUpTo(body, MAX_MODEL_INFO_BYTES, holding, gathered)
      body.destroy()
      if (!isWhole) {
        const message = `the upstream says more than ${MAX_MODEL_INFO_BYTES} bytes of the model`
        throw new CountersignError('upstream/too-large', message)
      }
      const bytes = gathered.bytes()
      writeHead(response, status, headers, [], bytes.length)
      response.end(bytes)
    } finally {
      holding.release()
      release()
    }
  } catch (thrown) {
    sendRefusal(gateway, response, 'open-inference', thrown)
  }
}

/**
 * Asks the places as an inference would, each once and without a wait: where one fails, the next.
 *
 * @throws {CountersignError} `upstream/*` of the last one
 */
async function askInTurn(
  { deployment, model, places, rest }: FarModel,
  headers: Headers,
  signal: AbortSignal,
): Promise<UpstreamAnswer> {
  const plan = planRoute(places, Math.random).slice(0, deployment.retries.attempts)
  let failure: unknown
  for (const [place, { upstream, model: theirs = model }] of plan.entries()) {
    try {
      const path = `/v2/models/${encodeURIComponent(theirs)}${rest}`
      const asked = { method: 'GET', path, headers, body: undefined, dialect: undefined, facts: undefined } as const
      const answer = await deployment.upstreams.get(upstream)?.send({ ...asked, signal })
      if (answer !== undefined && (answer.status < 500 || place === plan.length - 1)) return answer
      answer?.body.destroy()
    } catch (thrown) {
      if (signal.aborted) throw thrown
      failure = thrown
    }
  }
  throw failure ?? new CountersignError('upstream/unreachable', 'no upstream has the model')
}
