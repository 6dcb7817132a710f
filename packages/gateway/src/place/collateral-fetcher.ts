/** Gets collateral from the makers of hardware, or from mirrors. What comes is not checked here: an appraisal does that. */
import {
  type CollateralBundle,
  type CollateralItem,
  type CollateralNeed,
  CountersignError,
  MAX_COLLATERAL_ITEMS,
} from '@countersign/verify'
import { amdRequests } from './amd-kds.ts'
import { RequestFailed, requestBounded } from './bounded-request.ts'
import type { CollateralAddresses } from './collateral-addresses.ts'
import type { CollateralCache } from './collateral-cache.ts'
import type { CollateralRequest } from './collateral-source.ts'
import { intelRequests } from './intel-pcs.ts'
import { tokenRequests } from './token-keys.ts'

export interface FetcherOptions {
  readonly addresses: CollateralAddresses
  readonly cache: CollateralCache
  readonly nowMs: () => number
  /** For one request. */
  readonly timeoutMs?: number
  /** Authorities of mirrors, in PEM. */
  readonly ca?: string | undefined
}

export interface FetchedCollateral {
  readonly bundle: CollateralBundle
  /** What could not be had, one sentence each. An appraisal names what it lacked. */
  readonly missing: readonly string[]
}

export interface CollateralFetcher {
  /** Never rejects. */
  fetch(needs: readonly CollateralNeed[], signal?: AbortSignal): Promise<FetchedCollateral>
}

const TIMEOUT_MS = 15_000
/** How long a server is left alone that says it is asked too much, unless it says longer. */
const LEAST_REST_MS = 10_000

/**
 * A fetcher that asks configured addresses alone, each once per call, and nobody for what is in the cache and current.
 */
export function createCollateralFetcher(options: FetcherOptions): CollateralFetcher {
  const { addresses, cache, nowMs, timeoutMs = TIMEOUT_MS, ca } = options
  const restingUntil = new Map<string, number>()

  const ask = async (
    request: CollateralRequest,
    signal: AbortSignal | undefined,
  ): Promise<readonly CollateralItem[]> => {
    const { url, maxBytes } = request
    const cached = cache.find(url, nowMs())
    if (cached !== undefined) return cached
    const { origin, host } = new URL(url)
    if (nowMs() < (restingUntil.get(origin) ?? 0)) throw new RequestFailed(`${host} asked to be left alone for a while`)
    try {
      const answer = await requestBounded({ url, maxBytes, timeoutMs, ca, ...(signal === undefined ? {} : { signal }) })
      const read = request.read(answer)
      cache.keep(url, read, nowMs())
      return read.items
    } catch (thrown) {
      const isBusy = thrown instanceof RequestFailed && / answered (429|503)$/.test(thrown.message)
      if (isBusy) restingUntil.set(origin, nowMs() + Math.max(LEAST_REST_MS, thrown.retryAfterMs ?? 0))
      throw thrown
    }
  }

  return {
    async fetch(needs, signal) {
      const items: CollateralItem[] = []
      const missing: string[] = []
      for (const request of requestsFor(needs, addresses)) {
        try {
          items.push(...(await ask(request, signal)))
        } catch (thrown) {
          const why = thrown instanceof CountersignError ? thrown.message : 'it could not be kept'
          missing.push(`${request.what}: ${why}`)
        }
      }
      return { bundle: { items: distinct(items) }, missing }
    },
  }
}

/** Each address once. */
function requestsFor(needs: readonly CollateralNeed[], addresses: CollateralAddresses): readonly CollateralRequest[] {
  const requests = needs.flatMap((need) => requestsForOne(need, addresses))
  return [...new Map(requests.map((request) => [request.url, request])).values()]
}

function requestsForOne(need: CollateralNeed, addresses: CollateralAddresses): readonly CollateralRequest[] {
  switch (need.kind) {
    case 'intel-tcb':
      return intelRequests(need, addresses)
    case 'amd-vcek':
    case 'amd-vlek':
      return amdRequests(need, addresses.kds)
    case 'jwks':
      return tokenRequests(need, addresses)
  }
}

/** Each item once, in the order in which they came: one certificate stands in several chains. */
function distinct(items: readonly CollateralItem[]): readonly CollateralItem[] {
  const seen = new Set<string>()
  const kept = items.filter(({ kind, content }) => {
    const key = `${kind} ${Buffer.from(content).toString('base64')}`
    return !seen.has(key) && seen.add(key)
  })
  return kept.slice(0, MAX_COLLATERAL_ITEMS)
}
