/** A running gateway: everything joined, started in order, stopped in order. */
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { isIP } from 'node:net'
import { CountersignError, type Crypto, quote } from '@countersign/verify'
import type { Access } from './access/access.ts'
import type { ApiKey } from './access/api-key.ts'
import { createLoad, type Load } from './admission/load.ts'
import type { Config } from './config/config.ts'
import { checkExposure, isLoopback } from './config/exposure.ts'
import { checkReloadedQuorums } from './config/witnesses.ts'
import { type LockedDataFolder, openDataFolder } from './data/data-folder.ts'
import { keyPaths } from './data/keys.ts'
import { findAnswering } from './deployments/answering.ts'
import {
  allowedWriters,
  type Deployment,
  type RelayDeployment,
  startDeployments,
  type TensorDeployment,
  type Writer,
} from './deployments/deployments.ts'
import { type ListeningServer, listen, requireFree } from './http/server.ts'
import type { LogService } from './log/log-service.ts'
import { checkpointPath } from './log/open-log.ts'
import { type Notices, openParts, type Parts, type PartsOptions } from './parts.ts'
import type { Places } from './place/places.ts'
import { readBundledPrices } from './prices/prices.ts'
import { Receipts } from './receipts/receipts.ts'
import type { RecordingServices } from './recording/recording.ts'
import { type AnswerCache, createAnswerCache } from './relay/answer-cache.ts'
import { type ConversationsUnderWay, createConversations } from './relay/conversations.ts'
import { createMarks, type MarksUnderWay } from './relay/marks.ts'
import { settingsForRestart } from './reload.ts'
import type { Services } from './services.ts'
import { StatementReader } from './store/statement-reader.ts'
import { NO_TELEMETRY, startTelemetry, type Telemetry, type TelemetryOptions } from './telemetry/telemetry.ts'
import { type StartedUpstreams, startUpstreams } from './upstreams/start.ts'
import type { Upstream } from './upstreams/upstream.ts'
import type { KeyStore } from './vault/key-store.ts'
import type { Witnessing } from './witnesses/witnessing.ts'

export const VERSION = '0.4.0'

export interface GatewayOptions extends PartsOptions {
  /** Where a line for each answer and refusal goes; nowhere when it is missing. */
  readonly logger?: TelemetryOptions['logger']
  /** Allows listening beyond loopback. */
  readonly allowRemote?: boolean
}

/** Between two looks at the disk's free space. */
const DISK_CHECK_MS = 1000

/** How long records of answers that were cut off may take. */
const RECORD_MS = 10_000

/** What a reload replaced is closed so much later: answers may still come from it. */
const RETIRE_MS = 15 * 60 * 1000

export class Gateway implements Services {
  config: Config
  telemetry: Telemetry = NO_TELEMETRY
  readonly crypto: Crypto
  readonly log: LogService
  readonly statements: StatementReader
  readonly receipts: Receipts
  readonly witnessing: Witnessing
  readonly places: Places
  readonly rootKey: Uint8Array
  readonly operatorToken: string
  readonly recording: RecordingServices
  readonly access: Access
  readonly cache: AnswerCache
  readonly marks: MarksUnderWay = createMarks()
  readonly conversations: ConversationsUnderWay = createConversations()
  readonly version = VERSION
  readonly #folder: LockedDataFolder
  readonly #vaultKeys: KeyStore
  readonly #notices: Notices
  readonly #now: () => number
  #deployments: readonly Deployment[] = []
  #writers: readonly Writer[] = []
  readonly #load: Load
  #upstreams: ReadonlyMap<string, Upstream>
  #isDiskFull = false
  #isDraining = false
  #diskTimer: NodeJS.Timeout | undefined
  #listening: ListeningServer | undefined
  #retired: (() => Promise<void>)[] = []
  #reloading: Promise<unknown> = Promise.resolve()

  private constructor(options: GatewayOptions, parts: Parts) {
    this.config = options.config
    this.#notices = options.notices
    this.#now = options.now ?? Date.now
    this.#folder = parts.folder
    this.crypto = parts.crypto
    this.log = parts.log
    this.rootKey = parts.rootKey
    this.operatorToken = parts.operatorToken
    this.#vaultKeys = parts.vaultKeys
    this.witnessing = parts.witnessing
    this.places = parts.places
    this.statements = new StatementReader(parts.crypto, parts.log.database, parts.log.lookup)
    this.cache = createAnswerCache((receipt) => this.statements.latest('erasure', receipt) !== undefined)
    this.receipts = new Receipts({ ...parts, statements: this.statements, evidence: parts.places.files })
    this.recording = { ...parts }
    this.access = parts.access
    this.#load = createLoad(options.config.limits)
    this.#upstreams = parts.started.upstreams
  }

  /**
   * Starts a gateway: opens and checks the data, finishes what a crash interrupted, loads and logs the deployments,
   * listens.
   *
   * @throws {CountersignError} `config/*`, `data/*`, `log/*`, `clock/went-backwards`, `execution/*`, `key/malformed`
   */
  static async start(options: GatewayOptions): Promise<Gateway> {
    checkListen(options)
    const { config, now = Date.now } = options
    const folder = openDataFolder(config.dataRoot)
    let gateway: Gateway | undefined
    try {
      await requireFree(config.listen)
      const parts = await openParts(options, folder)
      gateway = new Gateway(options, parts)
      gateway.telemetry = await startTelemetry(gateway.#telemetryOptions(options))
      await gateway.#deploy(config, parts.started, now)
      gateway.#watchDisk()
      gateway.#listening = await listen(gateway, options.notices)
      return gateway
    } catch (thrown) {
      if (gateway === undefined) folder.release()
      else await gateway.close()
      throw thrown
    }
  }

  /**
   * Takes over deployments with their quorums, upstreams and writers of a configuration that was read again, and logs the manifests that
   * changed. What is under way ends as it began. When it cannot be taken over, everything stays as it was.
   *
   * One after the other: what came last counts.
   *
   * @throws {CountersignError} `config/*`, `execution/*`, `key/malformed`, and what appending throws
   */
  reload(next: Config): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload(next))
    this.#reloading = reloaded.catch(() => undefined)
    return reloaded
  }

  async #reload(next: Config): Promise<void> {
    const restart = settingsForRestart(this.config, next)
    if (restart.length > 0) this.#notices.error(`these settings need a restart: ${restart.join(', ')}`)
    const { deployments, upstreams, writers } = next
    const config = { ...this.config, deployments, upstreams, writers }
    checkListen({ config, allowRemote: true })
    checkReloadedQuorums(config)
    const old = { deployments: this.#deployments, upstreams: this.#upstreams }
    const started = startUpstreams(upstreams)
    try {
      await this.#deploy(config, started, this.#now)
    } catch (thrown) {
      for (const upstream of started.upstreams.values()) await upstream.close()
      throw thrown
    }
    this.#retire(() => closeAll(old.deployments, old.upstreams))
    this.#notices.info(`reloaded: ${deployments.map(({ name }) => name).join(', ')}`)
  }

  #telemetryOptions({ config, notices, logger }: GatewayOptions) {
    return {
      config,
      version: VERSION,
      notices,
      logger,
      more: [...this.witnessing.metrics.all, ...this.places.metrics],
      sources: {
        requestsInFlight: () => this.#load.requests,
        bytesInFlight: () => this.#load.bytes,
        logSize: () => this.log.head?.size ?? 0,
        publishedSize: () => this.log.publishedSize,
        journalSlotsInUse: () => this.recording.journal.inUse,
        breakers: () =>
          [...this.#upstreams.values()].flatMap(({ name, circuit }) =>
            circuit === undefined ? [] : [{ upstream: name, circuit }],
          ),
      },
    }
  }

  #retire(close: () => Promise<void>): void {
    const once = () => {
      this.#retired = this.#retired.filter((each) => each !== once)
      return close()
    }
    this.#retired.push(once)
    setTimeout(() => void once(), RETIRE_MS).unref()
  }

  async #deploy(config: Config, started: StartedUpstreams, now: () => number): Promise<void> {
    const { upstreams, commit } = this.places.guard(started, config)
    const options = {
      crypto: this.crypto,
      config,
      log: this.log,
      statements: this.statements,
      upstreams,
      guardOwn: this.places.guardOwn,
      catalogue: readBundledPrices(),
      exampleAccountableKey: keyPaths(this.#folder.keys).exampleAccountable,
      now,
    }
    const deployments = await startDeployments(options)
    this.#writers = allowedWriters(options)
    this.#deployments = deployments
    this.#upstreams = upstreams
    this.config = config
    commit()
    this.witnessing.setDeployments(config.deployments)
  }

  get url(): string {
    const address = this.#listening?.server.address() as AddressInfo
    const host = isIP(address.address) === 6 ? `[${address.address}]` : address.address
    return `${this.config.tls === undefined ? 'http' : 'https'}://${host}:${address.port}`
  }

  get dataRoot(): string {
    return this.#folder.root
  }

  get writers(): readonly Writer[] {
    return this.#writers
  }

  get deployments(): readonly Deployment[] {
    return this.#deployments
  }

  /** The deployment of that name. @throws {CountersignError} `model/not-found` */
  deployment(name: string): Deployment {
    const found = this.#deployments.find((each) => each.name === name)
    if (found === undefined) throw this.#noModel(name)
    return found
  }

  tensorDeployment(name: string): TensorDeployment {
    const found = this.deployment(name)
    if (found.kind !== 'tensor') throw this.#noModel(name)
    return found
  }

  relayDeployment(model: string): RelayDeployment {
    const found = findAnswering(this.#deployments, model)
    if (found === undefined) throw this.#noModel(model)
    return found
  }

  #noModel(name: string): CountersignError {
    const names = this.#deployments.map((each) => each.name).join(', ')
    return new CountersignError('model/not-found', `there is no model ${quote(name)} here; there is ${names}`)
  }

  upstream(name: string): Upstream {
    const found = this.#upstreams.get(name)
    if (found === undefined) throw new CountersignError('model/not-found', `there is no upstream ${quote(name)}`)
    return found
  }

  authenticate(token: string | undefined): ApiKey | undefined {
    return this.access.authenticate(token, this.log.clock.read().timeMs)
  }

  admit(): () => void {
    if (this.#isDraining) throw new CountersignError('log/closed', 'the gateway is shutting down')
    if (this.#isDiskFull)
      throw new CountersignError('disk/full', 'the gateway has no room to record; nothing is admitted')
    return this.#load.admit()
  }

  readonly takeBytes = (count: number): (() => void) => this.#load.take(count)

  get isDraining(): boolean {
    return this.#isDraining
  }

  isReady(): boolean {
    return !this.#isDraining && !this.#isDiskFull && this.log.isOpen
  }

  health() {
    const { head, origin, publishedSize } = this.log
    return {
      status: this.#status(),
      version: VERSION,
      log: { origin, size: head?.size ?? 0, published: publishedSize },
      inFlight: this.#load.requests,
      ...this.witnessing.health(),
      ...this.places.health(),
    }
  }

  #status(): 'ok' | 'draining' | 'disk-full' | 'log-stopped' {
    if (this.#isDraining) return 'draining'
    if (!this.log.isOpen) return 'log-stopped'
    return this.#isDiskFull ? 'disk-full' : 'ok'
  }

  /** Metadata of a model. @spec Open Inference Protocol v2, "Model Metadata" */
  modelMetadata(name: string) {
    const { served, model, statement } = this.tensorDeployment(name)
    return {
      name,
      versions: ['1'],
      platform: `onnx_${served.engine.name}`,
      inputs: model.inputs,
      outputs: model.outputs,
      countersign: { deployment: statement, digest: served.digest, engine: served.engine },
    }
  }

  deploymentList() {
    return this.#deployments.map(({ name, statement, manifest }) => ({ name, statement, example: manifest.example }))
  }

  publishedCheckpoint(): string | undefined {
    const path = checkpointPath(this.#folder.log)
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  }

  readonly logError = (id: string, thrown: unknown): void => {
    const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
    this.#notices.error(`internal error ${id}: ${what}`)
  }

  /** Stops admitting, lets what is under way end, publishes a last checkpoint, closes everything. */
  async close(): Promise<void> {
    this.#isDraining = true
    clearInterval(this.#diskTimer)
    await this.#listening?.close()
    // Answers whose connections were cut are still being put on record.
    await this.#load.untilIdle(RECORD_MS)
    await this.places.close()
    await this.recording.journal.close()
    await this.log.close()
    this.witnessing.close()
    this.#vaultKeys.close()
    for (const close of this.#retired) await close()
    await closeAll(this.#deployments, this.#upstreams)
    await this.telemetry.close()
    this.access.close()
    this.#folder.release()
  }

  #watchDisk(): void {
    const look = () => {
      const { bavail, bsize } = statfsSync(this.#folder.root)
      const isFull = bavail * bsize < this.config.limits.freeDiskBytes
      if (isFull !== this.#isDiskFull) {
        this.#notices.error(isFull ? 'the disk is nearly full: nothing more is admitted' : 'the disk has room again')
      }
      this.#isDiskFull = isFull
    }
    look()
    this.#diskTimer = setInterval(look, DISK_CHECK_MS)
  }
}

function checkListen({ config, allowRemote = false }: Pick<GatewayOptions, 'config' | 'allowRemote'>): void {
  const { host } = config.listen
  if (!isLoopback(host) && !allowRemote) {
    throw new CountersignError(
      'config/unsafe-listen',
      `listening on ${quote(host)} opens the gateway to the network; put TLS in front and pass --allow-remote`,
    )
  }
  checkExposure(config)
}

async function closeAll(deployments: readonly Deployment[], upstreams: ReadonlyMap<string, Upstream>): Promise<void> {
  for (const each of deployments) if (each.kind === 'tensor') await each.model.close()
  for (const upstream of upstreams.values()) await upstream.close()
}
