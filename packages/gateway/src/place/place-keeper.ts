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
import type { PlaceConfig } from '../config/places.ts'
import type { LogService } from '../log/log-service.ts'
import { attestedTls } from '../upstreams/shown-certificate.ts'
import { type AskedPlace, appraisalOf, type Round, type RoundTools, runRound } from './appraisal-round.ts'
import type { EvidenceFolder } from './evidence-folder.ts'
import type { PlaceStanding } from './guarded-upstream.ts'
import { type Acceptance, decidePlace, isShown, NOTHING_SHOWN, type PlaceEvent, type PlaceState } from './place-state.ts'

export interface KeeperTools extends RoundTools {
  readonly log: Pick<LogService, 'append'>
  readonly files: EvidenceFolder
  readonly notices: { info(message: string): void; error(message: string): void }
  /** Told how each round ended. */
  readonly onRound: (place: string, outcome: AppraisalOutcome) => void
}

export interface PlaceKeeper extends PlaceStanding {
  readonly name: string
  readonly state: PlaceState
  /** Begins the first round. */
  start(): void
  /** Resolves when nothing is under way any more. */
  close(): Promise<void>
}

/** A round that takes longer is given up. */
const ROUND_MS = 60_000

/** @param isServer Whether answers come from a server over TLS; the gateway's own do not. */
export function createPlaceKeeper(
  asked: AskedPlace,
  { written, onFailure }: Pick<PlaceConfig, 'written' | 'onFailure'>,
  isServer: boolean,
  tools: KeeperTools,
): PlaceKeeper {
  const { name } = asked.place
  const { nowMs, notices } = tools
  const closing = new AbortController()
  let state = NOTHING_SHOWN
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> = Promise.resolve()

  const record = async (round: Round): Promise<{ readonly digest: StatementDigest; readonly evidence: string[] }> => {
    const kept = round.files && {
      evidence: tools.files.keep(round.files.evidence),
      collateral: tools.files.keep(round.files.collateral),
    }
    const predicate: AppraisalPredicate = appraisalOf(asked, written, asked.policy.profile, round, kept)
    const payload = formatStatement(appraisalStatement(tools.crypto, predicate))
    const { digest } = await tools.log.append({ kind: 'own', type: 'appraisal', name, payload })
    return { digest: toHex(digest), evidence: kept === undefined ? [] : [kept.evidence, kept.collateral] }
  }

  const log = async (round: Round): Promise<PlaceEvent> => {
    try {
      const { digest, evidence } = await record(round)
      const { appraisal, validUntilMs } = round
      if (round.outcome !== 'accepted') return { type: 'logged', nowMs: nowMs(), acceptance: undefined }
      const tls = isServer && appraisal !== undefined ? attestedTls(appraisal.keys) : undefined
      return { type: 'logged', nowMs: nowMs(), acceptance: { appraisal: digest, evidence, tls, validUntilMs } }
    } catch (thrown) {
      notices.error(`the appraisal of ${name} cannot be logged (${codeOrName(thrown)}); it counts for nothing`)
      return { type: 'not-logged', nowMs: nowMs() }
    }
  }

  const take = async (event: PlaceEvent, round: Round): Promise<void> => {
    const step = decidePlace(state, event)
    const wasShown = isShown(state, nowMs())
    state = step.state
    for (const effect of step.effects) {
      if (closing.signal.aborted) return
      if (effect.type === 'wait') {
        timer = setTimeout(begin, effect.ms)
        timer.unref()
      } else {
        await take(await log(round), round)
        say(round, wasShown)
      }
    }
  }

  const say = ({ outcome, reason }: Round, wasShown: boolean) => {
    if (outcome !== 'accepted') notices.error(`place ${name}: ${outcome}: ${reason}`)
    else if (!wasShown && isShown(state, nowMs())) notices.info(`place ${name}: accepted`)
  }

  const runOnce = async (): Promise<void> => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(ROUND_MS)])
    const round = await runRound(asked, tools, signal)
    if (closing.signal.aborted) return
    tools.onRound(name, round.outcome)
    await take({ type: 'appraised', nowMs: nowMs(), round }, round)
  }

  const begin = () => {
    underWay = runOnce().catch((thrown: unknown) => {
      // A fault of ours must not leave the place as it was for ever.
      notices.error(`place ${name}: it could not be appraised (${codeOrName(thrown)})`)
      state = { ...state, failures: state.failures + 1 }
      timer = setTimeout(begin, ROUND_MS)
      timer.unref()
    })
  }

  return {
    name,
    onFailure,
    get state() {
      return state
    },
    acceptance: (): Acceptance | undefined => (isShown(state, nowMs()) ? state.accepted : undefined),
    start: begin,
    async close() {
      closing.abort()
      clearTimeout(timer)
      await underWay
    },
  }
}

function codeOrName(thrown: unknown): string {
  if (thrown instanceof CountersignError) return thrown.code
  return thrown instanceof Error ? thrown.name : 'unknown reason'
}
