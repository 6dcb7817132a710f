/** What must be in order before a request is admitted. Whatever is refused here leaves no record. */
import { CountersignError, quote, readText } from '@countersign/verify'
import { type ApiKey, requireRight } from '../access/api-key.ts'
import type { Reservation } from '../access/budgets.ts'
import type { RouteTarget } from '../config/config.ts'
import type { RelayDeployment } from '../deployments/deployments.ts'
import { type Dialect, MAX_MODEL_LENGTH, type RequestFacts, readRequest } from '../dialects/dialect.ts'
import { type ScannedObject, scanObject } from '../dialects/json-scan.ts'
import { readForm } from '../dialects/multipart.ts'
import { requireOneSpelling } from '../dialects/name-spelling.ts'
import { REACHING_NAMES } from '../dialects/openai-responses.ts'
import { estimateMicros, sumMicros } from '../prices/prices.ts'
import type { Services } from '../services.ts'
import { KIND_DIALECTS } from '../upstreams/kinds.ts'
import type { AdmittedRequest, Estimate } from './admitted-request.ts'
import { CHOICES, estimateRequest, expectedTokens, LIMITS } from './estimate.ts'
import { findKept, placesThatKeep } from './kept.ts'

export interface Arrival {
  readonly dialect: Dialect
  readonly body: Uint8Array
  readonly key: ApiKey | undefined
  readonly contentType: string | undefined
  readonly nonce: string | undefined
  readonly subject: string | undefined
  /** Name of the model, where it stands in the path. */
  readonly model?: string | undefined
}

/**
 * Admits a request: read, routed, allowed, within rate and budget.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `model/not-found`, `request/not-found`, `request/malformed`,
 *   `auth/not-allowed`, `rate/limited`, `budget/*`, `place/not-shown`
 */
export async function admitRequest(services: Services, arrival: Arrival): Promise<AdmittedRequest> {
  const { dialect, body, key, nonce, subject } = arrival
  const scanned = dialect.body === 'multipart' ? undefined : scanObject(body)
  const facts = await readFacts(arrival, scanned)
  const deployment = services.relayDeployment(facts.model)
  const speaking = deployment.route.filter(({ upstream, model }) => {
    // A form is not changed on its way.
    const mustChange = (model !== undefined && model !== facts.model) || deployment.changes.length > 0
    if (scanned === undefined && mustChange) return false
    return speaks(deployment, upstream, dialect)
  })
  if (speaking.length === 0) {
    throw new CountersignError(
      'request/not-found',
      `the model ${quote(facts.model)} does not answer on ${dialect.path}`,
    )
  }
  if (scanned !== undefined) requireOneSpelling(scanned, decidingNames(deployment, dialect))
  if (key !== undefined) requireRight(key, 'infer', deployment.name)
  const kept = findKept(services, arrival, scanned)
  const route = placesThatAreShown(deployment, placesThatKeep(speaking, kept, facts.model))
  const { conversation } = kept
  const request = { dialect, body, scanned, facts, deployment, route, conversation, key, nonce, subject }
  const nobody = { estimate: undefined, reservation: undefined, counted: { expected: 0, isSettled: true } }
  return { ...request, ...(key === undefined ? nobody : hold(services, key, request)) }
}

/** Places that requests may go to now. @throws {CountersignError} `place/not-shown` when there is none */
function placesThatAreShown({ upstreams }: RelayDeployment, route: readonly RouteTarget[]): readonly RouteTarget[] {
  const shown = route.filter(({ upstream }) => upstreams.get(upstream)?.isWithheld !== true)
  if (shown.length > 0) return shown
  throw new CountersignError('place/not-shown', 'no place that could answer has shown where it runs, as it must')
}

/** Settles rate and budget of a key's request. @throws {CountersignError} `rate/limited`, `budget/*`, `request/malformed` */
function hold(
  services: Services,
  key: ApiKey,
  request: Omit<AdmittedRequest, 'estimate' | 'reservation' | 'counted'>,
): Pick<AdmittedRequest, 'estimate' | 'reservation' | 'counted'> {
  const { dialect } = request
  const estimate = estimateRequest(request)
  const reservation = dialect.isFree === true ? undefined : reserve(services, key, request, estimate)
  const expected = expectedTokens(dialect, estimate)
  try {
    requireRate(services, key, expected)
  } catch (thrown) {
    if (reservation !== undefined) services.access.budgets.settle(reservation, 0)
    throw thrown
  }
  return { estimate, reservation, counted: { expected, isSettled: false } }
}

/** Counts a request against its key's rate. @throws {CountersignError} `rate/limited` */
export function requireRate({ access, log }: Pick<Services, 'access' | 'log'>, key: ApiKey, expected: number): void {
  const admission = access.rates.admit(key, expected, log.clock.read().timeMs)
  if (!admission.admitted) throw new RateLimited(admission.limit, admission.retryAfterSeconds)
}

/** The members that decide what is routed, reserved, sent and reached. */
function decidingNames({ changes }: RelayDeployment, { name }: Dialect): readonly string[] {
  const reaching = name === 'openai-responses' ? REACHING_NAMES : []
  return ['model', 'stream', ...reaching, ...LIMITS, ...CHOICES, ...changes.map(({ path }) => path.slice(1))]
}

async function readFacts(
  { dialect, body, contentType, model }: Arrival,
  scanned: ScannedObject | undefined,
): Promise<RequestFacts> {
  if (scanned === undefined) return await readForm(body, contentType)
  if (model === undefined) return readRequest(dialect, scanned)
  return { model: readText(model, 'model', { maxLength: MAX_MODEL_LENGTH }), isStream: false, parameters: {} }
}

function speaks({ upstreams }: RelayDeployment, name: string, dialect: Dialect): boolean {
  const upstream = upstreams.get(name)
  return upstream !== undefined && KIND_DIALECTS[upstream.kind].includes(dialect.name)
}

/** A rate that is used up, and when it is worth trying again. */
export class RateLimited extends CountersignError {
  readonly retryAfterSeconds: number

  constructor(limit: string, retryAfterSeconds: number) {
    super('rate/limited', `the key's limit of ${limit} is used up; try again in ${retryAfterSeconds} s`)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Gives back what was set aside for a request that nobody was asked to answer; nothing where it was settled already. */
export function settleUnused(services: Services, admitted: AdmittedRequest): void {
  if (admitted.reservation !== undefined) services.access.budgets.settle(admitted.reservation, 0)
  settleTokens(services, admitted, 0)
}

/** Puts right, once, what was counted against the key's rate. `unknown` keeps what was expected. */
export function settleTokens(
  { access }: Pick<Services, 'access'>,
  { key, counted }: AdmittedRequest,
  actual: number | 'unknown',
): void {
  if (key === undefined || counted.isSettled) return
  counted.isSettled = true
  if (actual !== 'unknown') access.rates.settle(key, counted.expected, actual)
}

/** Sets aside the most that the answer may cost, as far as that can be told beforehand. */
function reserve(
  { access, log }: Services,
  key: ApiKey,
  { deployment, route, facts }: Pick<AdmittedRequest, 'deployment' | 'route' | 'facts'>,
  { requestBytes, outputTokens }: Estimate,
): Reservation | undefined {
  const prices = route.map(({ model }) => deployment.priceOf(model ?? facts.model))
  const known = prices.filter((price) => price !== undefined)
  const [first] = known
  if (first === undefined || known.length < prices.length) {
    if (key.monthlyBudget === undefined) return undefined
    const message = `the price of ${quote(facts.model)} is not known, so that a key with a budget cannot use it`
    throw new CountersignError('budget/exceeded', message)
  }
  const ofTokens = Math.max(...known.map((price) => estimateMicros(price, requestBytes, outputTokens)))
  const micros = ofTokens + sumMicros(deployment.perRequest)
  if (!Number.isSafeInteger(micros)) {
    throw new CountersignError('request/malformed', 'the price of such a request is more than a statement can say')
  }
  return access.budgets.reserve(key, micros, first.currency, log.clock.read().timeMs)
}
