/**
 * Requests that ask no model for an answer and go to an upstream as they are: what it keeps of earlier answers, and files.
 * They leave no statement.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { CountersignError, quote } from '@countersign/verify'
import { type ApiKey, requireRight } from '../access/api-key.ts'
import { createHolding } from '../admission/holding.ts'
import { requireRate } from '../relay/admission.ts'
import { NO_KEY } from '../relay/admitted-request.ts'
import { headersFor } from '../relay/attempts.ts'
import { writeHead } from '../relay/exchange.ts'
import type { Services } from '../services.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { linger, readBody } from './body.ts'
import { tolerateQuiet, whenItsTurn } from './client-connection.ts'
import { sendRefusal } from './dialect-error.ts'
import { requireNoKeyInAddress } from './key-in-address.ts'
import { presentedKey } from './request-headers.ts'

const METHODS = ['GET', 'POST', 'DELETE'] as const
type Method = (typeof METHODS)[number]

/** What an upstream keeps of an answer: itself, what went in, and the order to stop. */
const RESPONSE = /^\/v1\/responses\/([\w.:-]{1,256})(?:\/(?:input_items|cancel))?$/
const FILES = /^\/v1\/(?:files|uploads|batches)(?:\/[\w.:/-]{1,512})?$/

const CANCEL = /^[^?]*\/cancel(?:\?|$)/

/** Names the upstream where several could be meant. */
const UPSTREAM_HEADER = 'countersign-upstream'

export interface PassThrough {
  readonly method: Method
  /** Id of an answer that the upstream keeps. */
  readonly response: string | undefined
}

/** What a request is that passes through, else `undefined`. */
export function matchPassThrough({ method, url = '' }: IncomingMessage): PassThrough | undefined {
  const known = METHODS.find((each) => each === method)
  if (known === undefined) return undefined
  const path = url.split('?', 1)[0] ?? ''
  const response = RESPONSE.exec(path)?.[1]
  if (response !== undefined) return { method: known, response }
  return FILES.test(path) ? { method: known, response: undefined } : undefined
}

/** Passes a request through. Never rejects. */
export async function handlePassThrough(
  gateway: Services,
  { method, response: id }: PassThrough,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const abort = new AbortController()
  response.once('close', () => abort.abort())
  try {
    await whenItsTurn(request, response)
    requireNoKeyInAddress(request.url ?? '')
    const release = gateway.admit()
    try {
      const key = gateway.authenticate(presentedKey(request))
      const upstream = id === undefined ? fileUpstream(gateway, request) : keeperOf(gateway, id, key?.id)
      // Files belong to no deployment: whoever may use some alone has none.
      if (key !== undefined) requireRight(key, 'infer')
      if (id === undefined && key !== undefined && key.deployments !== 'all') {
        throw new CountersignError('auth/not-allowed', 'files are for keys that may use all deployments')
      }
      if (key !== undefined && method === 'POST') requireMeans(gateway, key, request)
      const holding = createHolding(gateway)
      try {
        const { bodyBytes } = gateway.config.limits
        const body = method === 'GET' ? undefined : await readBody(request, bodyBytes, holding)
        tolerateQuiet(response)
        const answer = await upstream.send({
          method,
          path: request.url ?? '',
          headers: headersFor(request),
          body,
          dialect: undefined,
          facts: undefined,
          signal: abort.signal,
        })
        writeHead(response, answer.status, answer.headers, [], undefined)
        await pipeline(answer.body, response)
      } finally {
        holding.release()
      }
    } finally {
      release()
    }
  } catch (thrown) {
    if (response.headersSent) response.destroy()
    else sendRefusal(gateway, response, 'openai', thrown)
    if (!request.complete) linger(request)
  }
}

/**
 * What is asked for here has a price that nobody knows: it is not for keys with a budget, but to stop what is under way.
 *
 * @throws {CountersignError} `auth/not-allowed`, `rate/limited`
 */
function requireMeans(gateway: Services, key: ApiKey, { url = '' }: IncomingMessage): void {
  if (key.monthlyBudget !== undefined && !CANCEL.test(url)) {
    throw new CountersignError(
      'auth/not-allowed',
      'files and batches have no price here: they are for keys without a budget',
    )
  }
  requireRate(gateway, key, 0)
}

/** The upstream that gave the answer of that id to the holder of the same key. */
function keeperOf(gateway: Services, id: string, keyId: string = NO_KEY): Upstream {
  const name = gateway.statements.upstreamOf(id, keyId)
  if (name === undefined)
    throw new CountersignError('request/not-found', `no answer ${quote(id)} was given to this key`)
  return gateway.upstream(name)
}

function fileUpstream(gateway: Services, request: IncomingMessage): Upstream {
  const names = gateway.config.upstreams.filter(({ kind }) => kind === 'openai').map(({ name }) => name)
  const asked = request.headers[UPSTREAM_HEADER]
  const name = asked === undefined && names.length === 1 ? names[0] : names.find((each) => each === asked)
  if (name !== undefined) return gateway.upstream(name)
  const why =
    names.length === 0 ? 'no upstream keeps files' : `say which upstream in Countersign-Upstream: ${names.join(', ')}`
  throw new CountersignError('request/not-found', why)
}
