/** Keeps one place appraised for as long as it runs: asks, appraises, logs, and renews in time. */
import {
  type AppraisalOutcome,
  type AppraisalPredicate,
  appraisalStatement,
  CountersignError,
  formatStatement,
  type StatementDigest,
  toHex,
} from '@countersign/verify'
import type { PlaceConfig } from '../config/place-config.ts'
import type { LogService } from '../log/log-service.ts'
import { attestedTls } from '../upstreams/shown-certificate.ts'
import { type AskedPlace, appraisalOf, type Round, type RoundTools, runRound } from './appraisal-round.ts'
import type { EvidenceFolder } from './evidence-folder.ts'
import type { PlaceStanding } from './guarded-upstream.ts'
import {
  type Acceptance,
  decidePlace,
  isShown,
  NOTHING_SHOWN,
  type PlaceEvent,
  type PlaceState,
} from './place-state.ts'

export interface KeeperTools extends RoundTools {
  readonly log: Pick<LogService, 'append'>
  readonly files: EvidenceFolder
  readonly notices: { info(message: string): void; error(message: string): void }
  /** Told how each round ended. */
  readonly onRound: (place: string, outcome: AppraisalOutcome) => void
}

export interface KeeperOptions extends Pick<PlaceConfig, 'written' | 'onFailure'> {
  readonly asked: AskedPlace
  /** Whether answers come from a server that shows a certificate, as the gateway's own engines do not. */
  readonly isServer: boolean
  readonly tools: KeeperTools
}

const NO_SERVER =
  'its evidence binds no key of connections, so nothing shows where a request would go, and none is sent'

/** A round that takes longer is given up. */
const ROUND_MS = 60_000

export class PlaceKeeper implements PlaceStanding {
  readonly name: string
  readonly onFailure: PlaceConfig['onFailure']
  readonly isServer: boolean
  readonly #options: KeeperOptions
  readonly #closing = new AbortController()
  #state: PlaceState = NOTHING_SHOWN
  #isStarted = false
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<void> = Promise.resolve()

  constructor(options: KeeperOptions) {
    this.name = options.asked.place.name
    this.onFailure = options.onFailure
    this.isServer = options.isServer
    this.#options = options
  }

  get state(): PlaceState {
    return this.#state
  }

  acceptance(): Acceptance | undefined {
    return isShown(this.#state, this.#nowMs()) ? this.#state.accepted : undefined
  }

  /** Begins the first round, once. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#begin()
  }

  /** Resolves when nothing is under way any more. What was shown stands for its time: requests may still be under way. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    await this.#underWay
  }

  readonly #begin = (): void => {
    this.#underWay = this.#run().catch((thrown: unknown) => {
      // A fault of ours must not leave the place as it is for ever.
      this.#options.tools.notices.error(`place ${this.name}: it could not be appraised (${nameOf(thrown)})`)
      this.#beginIn(ROUND_MS)
    })
  }

  #beginIn(ms: number): void {
    if (this.#closing.signal.aborted) return
    this.#timer = setTimeout(this.#begin, ms)
    this.#timer.unref()
  }

  async #run(): Promise<void> {
    const { asked, tools } = this.#options
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ROUND_MS)])
    const round = await runRound(asked, tools, signal)
    if (this.#closing.signal.aborted) return
    tools.onRound(this.name, round.outcome)
    await this.#take({ type: 'appraised', nowMs: this.#nowMs(), round }, round)
  }

  async #take(event: PlaceEvent, round: Round): Promise<void> {
    const wasShown = this.acceptance() !== undefined
    const { state, effects } = decidePlace(this.#state, event)
    this.#state = state
    for (const effect of effects) {
      if (effect.type === 'wait') {
        this.#beginIn(effect.ms)
        continue
      }
      await this.#take(await this.#log(round), round)
      this.#say(round, wasShown)
    }
  }

  async #log(round: Round): Promise<PlaceEvent> {
    try {
      const acceptance = await this.#record(round)
      return { type: 'logged', nowMs: this.#nowMs(), acceptance: round.outcome === 'accepted' ? acceptance : undefined }
    } catch (thrown) {
      const why = `the appraisal cannot be logged (${nameOf(thrown)}), so it counts for nothing`
      this.#options.tools.notices.error(`place ${this.name}: ${why}`)
      return { type: 'not-logged', nowMs: this.#nowMs() }
    }
  }

  /** Keeps the files first: a statement must not name what is not there. */
  async #record(round: Round): Promise<Acceptance> {
    const { asked, written, isServer, tools } = this.#options
    const { files, appraisal, validUntilMs } = round
    const kept = files && { evidence: tools.files.keep(files.evidence), collateral: tools.files.keep(files.collateral) }
    const predicate: AppraisalPredicate = appraisalOf(asked, written, round, kept)
    const payload = formatStatement(appraisalStatement(tools.crypto, predicate))
    const { digest } = await tools.log.append({ kind: 'own', type: 'appraisal', name: this.name, payload })
    const statement: StatementDigest = toHex(digest)
    const evidence = kept === undefined ? [] : [kept.evidence, kept.collateral]
    const tls = isServer ? attestedTls(appraisal?.keys ?? []) : undefined
    return { appraisal: statement, evidence, tls, validUntilMs }
  }

  #say({ outcome, reason }: Round, wasShown: boolean): void {
    const { notices } = this.#options.tools
    if (outcome !== 'accepted') notices.error(`place ${this.name}: ${outcome}: ${reason}`)
    else if (!wasShown && this.acceptance() !== undefined) {
      notices.info(`place ${this.name}: accepted: ${reason}`)
      const isTied = !this.isServer || this.acceptance()?.tls !== undefined
      if (!isTied && this.onFailure === 'refuse') notices.error(`place ${this.name}: ${NO_SERVER}`)
    }
  }

  #nowMs(): number {
    return this.#options.tools.nowMs()
  }
}

function nameOf(thrown: unknown): string {
  if (thrown instanceof CountersignError) return thrown.code
  return thrown instanceof Error ? thrown.name : 'unknown reason'
}
