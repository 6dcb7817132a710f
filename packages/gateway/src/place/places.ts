/** All places of a gateway: its upstreams' and its own, each with its keeper. */
import { readFileSync } from 'node:fs'
import { CountersignError, type Crypto, createMemory, type TrustedRoots } from '@countersign/verify'
import type { Config } from '../config/config.ts'
import type { CollateralConfig, PlaceConfig } from '../config/place-config.ts'
import type { LogService } from '../log/log-service.ts'
import type { Metric } from '../telemetry/exposition.ts'
import type { StartedUpstreams } from '../upstreams/start.ts'
import type { Covering, Upstream } from '../upstreams/upstream.ts'
import type { AskedPlace } from './appraisal-round.ts'
import { createCollateralCache } from './collateral-cache.ts'
import { createCollateralFetcher } from './collateral-fetcher.ts'
import { type EvidenceFolder, openEvidenceFolder } from './evidence-folder.ts'
import { guardUpstream, notShown } from './guarded-upstream.ts'
import { askOwnPlace, createOwnAttester, type OwnAttester } from './own-place.ts'
import { type KeeperTools, PlaceKeeper } from './place-keeper.ts'
import { createPlaceMetrics } from './place-metrics.ts'
import { isShown } from './place-state.ts'
import { askUpstream } from './upstream-place.ts'

export interface PlacesOptions {
  readonly crypto: Crypto
  readonly log: LogService
  /** Folders of the evidence that statements name, and of collateral unless the configuration says otherwise. */
  readonly folders: { readonly evidence: string; readonly collateral: string }
  readonly config: Pick<Config, 'collateral' | 'ownPlace'>
  /** SubjectPublicKeyInfo of the key that signs statements. */
  readonly statementKey: Uint8Array
  readonly notices: KeeperTools['notices']
  readonly nowMs: () => number
  readonly roots: TrustedRoots | undefined
}

/** Where places come from, in the order of the configuration. */
type Kept = { readonly keeper: PlaceKeeper; readonly terms: string }

export class Places {
  readonly files: EvidenceFolder
  readonly attest: OwnAttester
  readonly metrics: readonly Metric[]
  readonly #options: PlacesOptions
  readonly #tools: KeeperTools
  readonly #own: PlaceKeeper | undefined
  #kept: ReadonlyMap<string, Kept> = new Map()
  #closing: Promise<void>[] = []

  /** @throws {CountersignError} `config/missing-file` */
  constructor(options: PlacesOptions) {
    const { config, folders, nowMs, crypto, log, notices, roots, statementKey } = options
    this.#options = options
    this.files = openEvidenceFolder(folders.evidence)
    const { observeRound, all } = createPlaceMetrics(() => this.#keepers(), nowMs)
    this.metrics = all
    this.#tools = {
      crypto,
      log,
      notices,
      nowMs,
      roots,
      files: this.files,
      memory: createMemory(),
      collateral: openFetcher(config.collateral, folders.collateral, nowMs),
      onRound: observeRound,
    }
    const own = { source: config.ownPlace.source, statementKey }
    this.attest = createOwnAttester(own)
    const { place } = config.ownPlace
    this.#own = place && this.#keep(askOwnPlace(own, place.policy), place, false)
  }

  /**
   * The upstreams, each behind its place where something is demanded of it. Places whose terms are the same go on as they were.
   * Those that are gone are let go when `commit` is called; until then nothing has changed.
   *
   * @throws {CountersignError} `config/malformed`
   */
  guard(
    { upstreams, accessOf }: StartedUpstreams,
    config: Pick<Config, 'upstreams' | 'deployments'>,
  ): { readonly upstreams: Map<string, Upstream>; commit(): void } {
    const kept = new Map<string, Kept>()
    for (const { name, place, baseUrl } of config.upstreams) {
      if (place === undefined) continue
      const asked = { name, baseUrl, place, usualModel: modelOf(name, config), ...accessOf(name) }
      const terms = JSON.stringify(asked)
      const known = this.#kept.get(name)
      kept.set(name, known?.terms === terms ? known : { terms, keeper: this.#keep(askUpstream(asked), place, true) })
    }
    const guarded = new Map(
      [...upstreams].map(([name, upstream]) => {
        const keeper = kept.get(name)?.keeper
        return [name, keeper === undefined ? upstream : guardUpstream(upstream, keeper)]
      }),
    )
    const commit = () => {
      const gone = [...this.#kept.values()].filter(({ keeper }) => kept.get(keeper.name)?.keeper !== keeper)
      this.#closing.push(...gone.map(({ keeper }) => keeper.close()))
      this.#kept = kept
      for (const keeper of this.#keepers()) keeper.start()
    }
    return { upstreams: guarded, commit }
  }

  /** An engine of the gateway's own, behind the gateway's own place. */
  readonly guardOwn = (upstream: Upstream): Upstream =>
    this.#own === undefined ? upstream : guardUpstream(upstream, this.#own)

  /**
   * What covers an answer that the gateway gives itself, at this moment.
   *
   * @throws {CountersignError} `place/not-shown` where its own place must be shown, and is not
   */
  coverOwn(): Covering | undefined {
    const acceptance = this.#own?.acceptance()
    if (acceptance !== undefined) return { appraisal: acceptance.appraisal, evidence: acceptance.evidence }
    if (this.#own?.onFailure === 'refuse') throw notShown('the gateway')
    return undefined
  }

  /** For JSON; without places, nothing. */
  health(): object {
    const keepers = this.#keepers()
    if (keepers.length === 0) return {}
    const nowMs = this.#options.nowMs()
    return {
      places: Object.fromEntries(
        keepers.map(({ name, state }) => [name, isShown(state, nowMs) ? 'shown' : 'not-shown']),
      ),
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#closing, ...this.#keepers().map((keeper) => keeper.close())])
  }

  #keepers(): readonly PlaceKeeper[] {
    return [...(this.#own === undefined ? [] : [this.#own]), ...[...this.#kept.values()].map(({ keeper }) => keeper)]
  }

  #keep(asked: AskedPlace, place: PlaceConfig, isServer: boolean): PlaceKeeper {
    const { written, onFailure } = place
    return new PlaceKeeper({ asked, written, onFailure, isServer, tools: this.#tools })
  }
}

/** What an upstream is asked for by a route that gives it a name of its own. */
function modelOf(upstream: string, { deployments }: Pick<Config, 'deployments'>): string | undefined {
  const targets = deployments.flatMap(({ route }) => route)
  return targets.find((target) => target.upstream === upstream && target.model !== undefined)?.model
}

function openFetcher({ addresses, cacheFolder, caFile }: CollateralConfig, usualFolder: string, nowMs: () => number) {
  const cache = createCollateralCache(cacheFolder ?? usualFolder)
  return createCollateralFetcher({
    addresses,
    cache,
    nowMs,
    ca: caFile === undefined ? undefined : readAuthorities(caFile),
  })
}

function readAuthorities(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new CountersignError('config/missing-file', 'cannot read the file of authorities that "collateral" names')
  }
}
