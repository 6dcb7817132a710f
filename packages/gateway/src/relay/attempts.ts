/** Tries one upstream after another, until an answer can be delivered. Each try is kept for the statement. */
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Attempt, CountersignError, codeOf, type ErrorCode } from '@countersign/verify'
import { spliceMembers } from '../dialects/json-splice.ts'
import { presentedKey } from '../http/request-headers.ts'
import { decideRetry, type RetryOutcome, startRetries } from '../routing/retry.ts'
import { planRoute, type Target } from '../routing/route.ts'
import { clientCredentials, forwardedHeaders } from '../upstreams/headers.ts'
import type { Headers, Upstream, UpstreamAnswer } from '../upstreams/upstream.ts'
import type { AdmittedRequest } from './admitted-request.ts'
import type { Answered, Exchange, SentRequest } from './exchange.ts'

/**
 * The answer to deliver: the first that is worth it, or else the last that an upstream really gave.
 *
 * @throws {CountersignError} `upstream/*`, `execution/*` of the last try, when no upstream gave any answer; the abort's
 *   reason when the client left
 */
export async function askUpstreams(exchange: Exchange): Promise<Answered> {
  const { admitted, abort } = exchange
  const plan = planRoute(admitted.route, Math.random)
  let state = startRetries(admitted.deployment.retries, performance.now(), plan.length)
  let place = 0
  let last: Answered | undefined
  try {
    for (;;) {
      const tried = await tryOnce(exchange, plan[place] as Target)
      if (tried.answered !== undefined) {
        if (last !== undefined) discard(last)
        last = tried.answered
      }
      const decision = decideRetry(state, tried.outcome, performance.now(), Math.random)
      if (decision.action === 'deliver' && last !== undefined) return last
      if (decision.action === 'deliver' || decision.action === 'give-up') throw tried.error
      state = decision.state
      if (decision.action === 'next-target') place++
      if (decision.delayMs > 0) await sleep(decision.delayMs, undefined, { signal: abort.signal })
    }
  } catch (thrown) {
    if (last !== undefined) discard(last)
    throw thrown
  }
}

/** An answer that another one took the place of: as an attempt it failed, which is what was noted of it. */
function discard(answered: Answered): void {
  answered.answer.body.on('error', () => undefined).destroy()
}

interface Tried {
  readonly outcome: RetryOutcome
  readonly answered: Answered | undefined
  readonly error: unknown
}

async function tryOnce(exchange: Exchange, target: Target): Promise<Tried> {
  const { admitted, request, abort, services } = exchange
  const upstream = admitted.deployment.upstreams.get(target.upstream)
  if (upstream === undefined) throw new CountersignError('model/not-found', 'the route names an upstream that is gone')
  const sent = sentRequest(admitted, target)
  const model = target.model ?? admitted.facts.model
  const startedAtMs = services.log.clock.readClamped().timeMs
  try {
    const answer = await upstream.send({
      method: 'POST',
      path: admitted.dialect.pathOf?.(model) ?? admitted.dialect.path,
      headers: headersFor(request),
      body: sent.bytes,
      dialect: admitted.dialect,
      facts: admitted.facts,
      signal: abort.signal,
    })
    for (const observation of answer.observations) exchange.observations.add(observation)
    const answered = { upstream, answer, sent, model, startedAtMs, place: exchange.attempts.length }
    noteAttempt(exchange, answered, 'failed', undefined)
    return { outcome: { kind: 'status', status: answer.status, ...timesOf(answer) }, answered, error: undefined }
  } catch (thrown) {
    if (abort.signal.aborted) {
      failedAttempt(exchange, upstream, model, startedAtMs, undefined)
      throw thrown
    }
    const code = codeOf(thrown) ?? 'upstream/unreachable'
    failedAttempt(exchange, upstream, model, startedAtMs, code)
    return { outcome: { kind: 'error', code }, answered: undefined, error: asError(thrown, code) }
  }
}

/** What goes on of the client's headers. Its own credentials go to such upstreams alone that clients open; ours never. */
export function headersFor(request: IncomingMessage): Headers {
  const forwarded = forwardedHeaders(request.rawHeaders)
  return presentedKey(request) === undefined ? [...forwarded, ...clientCredentials(request.rawHeaders)] : forwarded
}

/** What goes to a target: the deployment's changes, and the target's own name of the model. */
export function sentRequest(
  {
    body,
    scanned,
    deployment,
    facts,
    dialect,
  }: Pick<AdmittedRequest, 'body' | 'scanned' | 'deployment' | 'facts' | 'dialect'>,
  target: Pick<Target, 'model'>,
): SentRequest {
  const changes = new Map<string, string>()
  for (const { op, path, value } of deployment.changes) {
    const name = path.slice(1)
    if (op === 'set' || !scanned?.members.has(name)) changes.set(name, JSON.stringify(value))
  }
  const isInPath = dialect.pathOf !== undefined
  if (target.model !== undefined && target.model !== facts.model && !isInPath)
    changes.set('model', JSON.stringify(target.model))
  if (changes.size === 0 || scanned === undefined) return { bytes: body, patch: undefined }
  const { bytes, patch } = spliceMembers(scanned, changes)
  return patch.length === 0 ? { bytes: body, patch: undefined } : { bytes, patch: JSON.stringify(patch) }
}

/**
 * Keeps what became of a try whose answer had begun, at its place in the order of tries. It is noted when the answer
 * begins, as failed, and again when it was delivered. A try ended at the latest when another one took over.
 */
export function noteAttempt(
  { attempts, services }: Exchange,
  { upstream, answer, model, startedAtMs, place }: Answered,
  outcome: Attempt['outcome'],
  code: ErrorCode | undefined,
): void {
  const wasFollowed = place < attempts.length - 1
  const endedAtMs = wasFollowed ? attempts[place]?.endedAtMs : undefined
  attempts[place] = {
    upstream: upstream.name,
    outcome,
    status: answer.status,
    ...(code === undefined ? {} : { code }),
    model,
    ...(answer.requestId === undefined ? {} : { requestId: answer.requestId }),
    ...(answer.shown === undefined ? {} : { tlsCertificate: answer.shown.sha256 }),
    startedAtMs,
    endedAtMs: endedAtMs ?? services.log.clock.readClamped().timeMs,
  }
}

function failedAttempt(
  { attempts, services }: Exchange,
  upstream: Upstream,
  model: string,
  startedAtMs: number,
  code: ErrorCode | undefined,
): void {
  const endedAtMs = services.log.clock.readClamped().timeMs
  const why = code === undefined ? {} : { code }
  attempts.push({ upstream: upstream.name, outcome: 'failed', ...why, model, startedAtMs, endedAtMs })
}

function timesOf({ headers }: UpstreamAnswer) {
  const headerOf = (wanted: string) => headers.find(([name]) => name === wanted)?.[1]
  return { retryAfter: headerOf('retry-after'), date: headerOf('date') }
}

function asError(thrown: unknown, code: ErrorCode): CountersignError {
  return thrown instanceof CountersignError ? thrown : new CountersignError(code, 'the upstream cannot be reached')
}
