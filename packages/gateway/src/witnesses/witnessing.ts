/** What the gateway knows of its witnesses: which heads they confirmed, and whether that is enough. On the main thread. */
import { type CitedCheckpoint, CountersignError, type Crypto, emptyRoot, toHex } from '@countersign/verify'
import type { DeploymentConfig, QuorumConfig } from '../config/config.ts'
import { HeadWaiters } from '../log/head-waiters.ts'
import type { SignedHead } from '../log/sequencer.ts'
import type { CitedRow } from '../store/cosigned-heads.ts'
import type { FromAsker, KeptHead, WitnessStatus } from './asker.ts'
import {
  NEW_QUORUM_CLOCK,
  observeMet,
  observeSize,
  type QuorumClock,
  type QuorumStatus,
  unmetForMs,
} from './quorum-clock.ts'
import { createWitnessMetrics, type WitnessMetrics } from './witness-metrics.ts'

/** Between two looks at whether quorums are overdue. */
const LOOK_MS = 1000
/** When a refused request is worth trying again. */
const RETRY_SECONDS = 5

export interface WitnessingOptions {
  readonly crypto: Crypto
  readonly origin: string
  /** Names of the policy's witnesses; empty where there is no policy. */
  readonly witnesses: readonly string[]
  readonly notices: { info(message: string): void; error(message: string): void }
}

/** What witnessing needs of the log. */
export interface WitnessedLog {
  readonly head: SignedHead | undefined
  /** Keeps heads in the database, and those that are cited, by deployment. */
  keepHeads(heads: readonly KeptHead[], cited: readonly CitedRow[]): Promise<unknown>
  /** Tells the publishing thread which quorums count. */
  setQuorums(names: readonly string[]): void
}

/** A head that a receipt can be under. */
export interface ChosenHead {
  readonly head: SignedHead
  /** Whether it meets the deployment's quorum; `undefined` where the deployment has none. */
  readonly isWitnessed: boolean | undefined
}

export class Witnessing {
  readonly #options: WitnessingOptions
  readonly metrics: WitnessMetrics
  #log: WitnessedLog | undefined
  #quorums: ReadonlyMap<string, QuorumConfig> = new Map()
  /** By quorum; under `undefined` the newest that anybody cosigned. */
  readonly #heads = new Map<string | undefined, SignedHead>()
  readonly #clocks = new Map<string, QuorumClock>()
  readonly #cited = new WeakMap<SignedHead, CitedCheckpoint>()
  /** By deployment: the size of the newest cosigned head that its answers cite. */
  readonly #citedSizes = new Map<string, number>()
  #citedToKeep: CitedRow[] = []
  /** By deployment. */
  readonly #waiters = new Map<string, HeadWaiters>()
  #overdue: ReadonlySet<string> = new Set()
  #statuses: readonly WitnessStatus[]
  #toKeep: readonly KeptHead[] = []
  #isKeeping = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: WitnessingOptions) {
    this.#options = options
    this.#statuses = options.witnesses.map((name) => {
      return { name, size: 0, timeSeconds: 0, failures: 0, isAlarmed: false }
    })
    this.metrics = createWitnessMetrics(options.witnesses, {
      statuses: () => this.#statuses,
      quorums: () => this.quorumStatuses(),
      unmetSeconds: () => this.unmetSeconds(),
      publishedCosignatures: () => this.#cosignatureCount(),
    })
  }

  /** From now on the log is looked at. */
  attach(log: WitnessedLog): void {
    this.#log = log
    if (this.#options.witnesses.length === 0) return
    this.#timer = setInterval(() => this.look(performance.now()), LOOK_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#log = undefined
    for (const waiters of this.#waiters.values()) waiters.close()
  }

  /** Takes over what deployments need. */
  setDeployments(deployments: readonly Pick<DeploymentConfig, 'name' | 'quorum'>[]): void {
    this.#quorums = new Map(deployments.flatMap(({ name, quorum }) => (quorum === undefined ? [] : [[name, quorum]])))
    const names = this.quorumNames
    for (const known of [...this.#clocks.keys()]) if (!names.includes(known)) this.#clocks.delete(known)
    this.#log?.setQuorums(names)
    this.look(performance.now())
  }

  /** Names of the quorums that deployments need, each once. */
  get quorumNames(): readonly string[] {
    return [...new Set([...this.#quorums.values()].map(({ name }) => name))]
  }

  /** What the publishing thread tells. */
  receive(message: FromAsker): void {
    const { notices } = this.#options
    switch (message.type) {
      case 'cosigned':
        this.#statuses = message.witnesses
        this.#takeHeads(message.kept)
        return
      case 'witness-answered':
        this.metrics.observeAnswer(message.witness, message.outcome, message.latencyMs)
        return
      case 'witness-alarm':
        this.metrics.observeAlarm(message.witness)
        notices.error(`witness ${message.witness} has seen another history of this log: ${message.why}`)
        return
      case 'witness-failing':
        notices.error(`witness ${message.witness} does not cosign (${message.why}); it is asked again and again`)
        return
      case 'witness-recovered':
        notices.info(`witness ${message.witness} cosigns again`)
    }
  }

  /** The newest head that meets the deployment's quorum; where it has none, the newest that anybody cosigned. */
  witnessedHead(deployment: string): SignedHead | undefined {
    return this.#heads.get(this.#quorums.get(deployment)?.name)
  }

  /**
   * The head that a receipt of the deployment is under, when it must cover `index`: the witnessed one, or else the newest.
   *
   * @throws {CountersignError} `receipt/not-yet-included`
   */
  choose(deployment: string, index: number): ChosenHead {
    const hasQuorum = this.#quorums.has(deployment)
    const witnessed = this.witnessedHead(deployment)
    if (witnessed !== undefined && witnessed.size > index) {
      return { head: witnessed, isWitnessed: hasQuorum ? true : undefined }
    }
    const head = this.#log?.head
    if (head !== undefined && head.size > index) return { head, isWitnessed: hasQuorum ? false : undefined }
    throw new CountersignError(
      'receipt/not-yet-included',
      'no signed head covers this statement yet; ask again in a second',
    )
  }

  /** The head that statements of a deployment cite: witnessed where there is one. */
  cited(deployment: string): CitedCheckpoint {
    const { crypto, origin } = this.#options
    const witnessed = this.witnessedHead(deployment)
    if (witnessed !== undefined) this.#noteCited(deployment, witnessed)
    const head = witnessed ?? this.#log?.head
    if (head === undefined) return { origin, size: 0, root: toHex(emptyRoot(crypto)) }
    let cited = this.#cited.get(head)
    if (cited === undefined) {
      cited = { origin, size: head.size, root: toHex(head.root) }
      this.#cited.set(head, cited)
    }
    return cited
  }

  /**
   * Waits until a witnessed head covers `index`, or the time is up, or the quorum is known to be overdue.
   *
   * @throws {CountersignError} `queue/full`
   */
  async waitFor(deployment: string, index: number, timeoutMs: number): Promise<void> {
    const isAwaited = this.#quorums.has(deployment) && !this.#overdue.has(deployment)
    if (!isAwaited || timeoutMs <= 0 || (this.witnessedHead(deployment)?.size ?? 0) > index) return
    const waiters = this.#waiters.get(deployment) ?? new HeadWaiters()
    this.#waiters.set(deployment, waiters)
    await waiters.wait(index, timeoutMs)
  }

  /** Whether the deployment's quorum is overdue. */
  isOverdue(deployment: string): boolean {
    return this.#overdue.has(deployment)
  }

  /** Refuses a request whose deployment wants that while its quorum is overdue. @throws {CountersignError} `witness/quorum-overdue` */
  admit(deployment: string): void {
    if (this.#overdue.size === 0 || !this.#overdue.has(deployment)) return
    if (this.#quorums.get(deployment)?.whenUnmet === 'refuse') throw new QuorumOverdue()
  }

  /** By deployment, of those that have a quorum. */
  quorumStatuses(): ReadonlyMap<string, QuorumStatus> {
    return new Map(
      [...this.#quorums].map(([deployment, { name }]) => {
        if (this.#overdue.has(deployment)) return [deployment, 'overdue']
        return [deployment, this.#heads.has(name) ? 'met' : 'pending']
      }),
    )
  }

  /** How long each quorum has had entries to confirm, in seconds, by deployment. */
  unmetSeconds(): ReadonlyMap<string, number> {
    const nowMs = performance.now()
    return new Map(
      [...this.#quorums].map(([deployment, { name }]) => {
        return [deployment, unmetForMs(this.#clocks.get(name) ?? NEW_QUORUM_CLOCK, nowMs) / 1000]
      }),
    )
  }

  /** For JSON; `undefined` where there are no witnesses. */
  health() {
    if (this.#options.witnesses.length === 0) return undefined
    const witnesses = this.#statuses.map(({ name, size, timeSeconds, failures, isAlarmed }) => {
      return { name, size, cosignedAt: timeSeconds, status: isAlarmed ? 'alarm' : failures > 0 ? 'failing' : 'ok' }
    })
    return { witnesses, quorums: Object.fromEntries(this.quorumStatuses()) }
  }

  /** Looks at the log's size and the time. */
  look(nowMs: number): void {
    const size = this.#log?.head?.size ?? 0
    for (const name of this.quorumNames) {
      const met = observeMet(this.#clocks.get(name) ?? NEW_QUORUM_CLOCK, this.#heads.get(name)?.size ?? 0)
      this.#clocks.set(name, observeSize(met, size, nowMs))
    }
    const overdue = [...this.#quorums].filter(([, { name, unmetAfterSeconds }]) => {
      return unmetForMs(this.#clocks.get(name) ?? NEW_QUORUM_CLOCK, nowMs) > unmetAfterSeconds * 1000
    })
    this.#setOverdue(new Set(overdue.map(([deployment]) => deployment)))
  }

  #setOverdue(overdue: ReadonlySet<string>): void {
    const before = this.#overdue
    this.#overdue = overdue
    const { notices } = this.#options
    for (const name of overdue) {
      if (before.has(name)) continue
      const quorum = this.#quorums.get(name)
      const then = quorum?.whenUnmet === 'refuse' ? 'its requests are refused' : 'its answers say so'
      notices.error(`${name}: witnesses have not met ${quorum?.name} for ${quorum?.unmetAfterSeconds} s; ${then}`)
      this.#waiters.get(name)?.close()
    }
    for (const name of before) if (!overdue.has(name)) notices.info(`${name}: witnesses meet its quorum again`)
  }

  #takeHeads(kept: readonly KeptHead[]): void {
    for (const { quorum, head } of kept) {
      if ((this.#heads.get(quorum)?.size ?? 0) <= head.size) this.#heads.set(quorum, head)
    }
    for (const [name, waiters] of this.#waiters) waiters.cover(this.witnessedHead(name)?.size ?? 0)
    if (this.#overdue.size > 0) this.look(performance.now())
    this.#toKeep = kept
    if (!this.#isKeeping) void this.#keep()
  }

  /** Has the head kept as it is now, when no answer of the deployment has cited it before. */
  #noteCited(deployment: string, { size, note }: SignedHead): void {
    if (this.#citedSizes.get(deployment) === size) return
    this.#citedSizes.set(deployment, size)
    this.#citedToKeep.push({ deployment, size, note })
    if (!this.#isKeeping) void this.#keep()
  }

  /**
   * Writes what came last; when more comes meanwhile, that after it. Heads that cannot be written now are asked for anew. A
   * cited one is not: its answers then have no earlier bound of their time.
   */
  async #keep(): Promise<void> {
    this.#isKeeping = true
    while (this.#toKeep.length > 0 || this.#citedToKeep.length > 0) {
      const [kept, cited] = [this.#toKeep, this.#citedToKeep]
      this.#toKeep = []
      this.#citedToKeep = []
      await this.#log?.keepHeads(kept, cited).catch(() => undefined)
    }
    this.#isKeeping = false
  }

  #cosignatureCount(): number {
    const newest = this.#heads.get(undefined)
    return newest === undefined ? 0 : newest.note.split('\n— ').length - 2
  }
}

/** A deployment that is not to go on without its witnesses. */
class QuorumOverdue extends CountersignError {
  readonly retryAfterSeconds = RETRY_SECONDS

  constructor() {
    super(
      'witness/quorum-overdue',
      'the witnesses that this deployment needs have not confirmed its log in time; nothing new is answered until they do',
    )
  }
}
