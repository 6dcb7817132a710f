/** What must be in order before a request is admitted. Whatever is refused here leaves no record. */
import { CountersignError, quote } from '@countersign/verify'
import { type ApiKey, requireRight } from '../access/api-key.ts'
import type { Reservation } from '../access/budgets.ts'
import type { RouteTarget } from '../config/config.ts'
import type { RelayDeployment } from '../deployments/deployments.ts'
import { type Dialect, type RequestFacts, readRequest } from '../dialects/dialect.ts'
import { type ScannedObject, scanObject } from '../dialects/json-scan.ts'
import { readForm } from '../dialects/multipart.ts'
import { DEFAULT_OUTPUT_TOKENS, estimateMicros } from '../prices/prices.ts'
import type { Services } from '../services.ts'
import { KIND_DIALECTS } from '../upstreams/kinds.ts'
import type { AdmittedRequest } from './admitted-request.ts'

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
 * @throws {CountersignError} `json/*`, `shape/*`, `model/not-found`, `auth/not-allowed`, `rate/limited`, `budget/*`
 */
export async function admitRequest(services: Services, arrival: Arrival): Promise<AdmittedRequest> {
  const { dialect, body, key, nonce, subject } = arrival
  const scanned = dialect.body === 'multipart' ? undefined : scanObject(body)
  const facts = await readFacts(arrival, scanned)
  const deployment = services.relayDeployment(facts.model)
  const route = deployment.route.filter(({ upstream, model }) => {
    // A form is not changed on its way.
    const mustChange = (model !== undefined && model !== facts.model) || deployment.changes.length > 0
    if (scanned === undefined && mustChange) return false
    return speaks(deployment, upstream, dialect)
  })
  if (route.length === 0) {
    throw new CountersignError(
      'request/not-found',
      `the model ${quote(facts.model)} does not answer on ${dialect.path}`,
    )
  }
  if (key !== undefined) requireRight(key, 'infer', deployment.name)
  const expectedTokens = facts.parameters.maxTokens ?? 0
  const reservation = key === undefined ? undefined : reserve(services, key, deployment, route, body, scanned, facts)
  if (key !== undefined) {
    const admission = services.access.rates.admit(key, expectedTokens, services.log.clock.read().timeMs)
    if (!admission.admitted) {
      if (reservation !== undefined) services.access.budgets.settle(reservation, 0)
      throw new RateLimited(admission.limit, admission.retryAfterSeconds)
    }
  }
  return { dialect, body, scanned, facts, deployment, route, key, reservation, expectedTokens, nonce, subject }
}

async function readFacts(
  { dialect, body, contentType, model }: Arrival,
  scanned: ScannedObject | undefined,
): Promise<RequestFacts> {
  if (scanned === undefined) return await readForm(body, contentType)
  return model === undefined ? readRequest(dialect, scanned) : { model, isStream: false, parameters: {} }
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
export function settleUnused({ access }: Services, { reservation }: AdmittedRequest): void {
  if (reservation !== undefined) access.budgets.settle(reservation, 0)
}

/** Sets aside the most that the answer may cost, as far as that can be told beforehand. */
function reserve(
  { access, log }: Services,
  key: ApiKey,
  deployment: RelayDeployment,
  route: readonly RouteTarget[],
  body: Uint8Array,
  scanned: ScannedObject | undefined,
  facts: RequestFacts,
): Reservation | undefined {
  const prices = route.map(({ model }) => deployment.priceOf(model ?? facts.model))
  const known = prices.filter((price) => price !== undefined)
  const [first] = known
  if (first === undefined || known.length < prices.length) {
    if (key.monthlyBudget === undefined) return undefined
    const message = `the price of ${quote(facts.model)} is not known, so that a key with a budget cannot use it`
    throw new CountersignError('budget/exceeded', message)
  }
  const outputTokens = (facts.parameters.maxTokens ?? DEFAULT_OUTPUT_TOKENS) * choicesOf(scanned)
  const estimate = Math.max(...known.map((price) => estimateMicros(price, body.length, outputTokens)))
  return access.budgets.reserve(key, estimate, first.currency, log.clock.read().timeMs)
}

/** How many answers a request asks for at once, each of which may be as long as it allows. */
function choicesOf(scanned: ScannedObject | undefined): number {
  const counts = ['n', 'best_of'].map((name) => {
    return scanned?.kindOf(name) === 'number' ? Number(scanned.numberTextOf(name)) : 1
  })
  return Math.max(1, ...counts.filter((count) => Number.isSafeInteger(count)))
}
