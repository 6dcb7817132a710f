/** A running gateway: everything joined, started in order, stopped in order. */
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isIP } from 'node:net'
import { CountersignError, type Crypto, quote } from '@countersign/verify'
import { getRequestListener } from '@hono/node-server'
import type { Access } from './access/access.ts'
import type { ApiKey } from './access/api-key.ts'
import { createLoad, type Load } from './admission/load.ts'
import type { Config } from './config/config.ts'
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
import { createApp, type Peer } from './http/app.ts'
import { handleInfer, matchInfer } from './http/infer-route.ts'
import { handlePassThrough, matchPassThrough } from './http/pass-through.ts'
import { handleRelay, matchRelay } from './http/relay-route.ts'
import type { LogService } from './log/log-service.ts'
import { checkpointPath } from './log/open-log.ts'
import { type Notices, openParts, type Parts, type PartsOptions } from './parts.ts'
import { readBundledPrices } from './prices/prices.ts'
import { Receipts } from './receipts/receipts.ts'
import type { RecordingServices } from './recording/recording.ts'
import { type AnswerCache, createAnswerCache } from './relay/answer-cache.ts'
import { createMarks, type MarksUnderWay } from './relay/idempotency.ts'
import type { Services } from './services.ts'
import { StatementReader } from './store/statement-reader.ts'
import type { Upstream } from './upstreams/upstream.ts'
import type { KeyStore } from './vault/key-store.ts'

export const VERSION = '0.1.0'

export interface GatewayOptions extends PartsOptions {
  /** Allows listening beyond loopback. */
  readonly allowRemote?: boolean
}

/** Between two looks at the disk's free space. */
const DISK_CHECK_MS = 1000
const REQUEST_TIMEOUT_MS = 30_000
const HEADERS_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 60_000

/** What is still under way so long after the order to stop is cut off: the log must get to its last head. */
const CLOSE_GRACE_MS = 5000

export class Gateway implements Services {
  readonly config: Config
  readonly crypto: Crypto
  readonly log: LogService
  readonly statements: StatementReader
  readonly receipts: Receipts
  readonly rootKey: Uint8Array
  readonly operatorToken: string
  readonly recording: RecordingServices
  readonly access: Access
  readonly cache: AnswerCache = createAnswerCache()
  readonly marks: MarksUnderWay = createMarks()
  readonly version = VERSION
  readonly #folder: LockedDataFolder
  readonly #vaultKeys: KeyStore
  readonly #notices: Notices
  #deployments: readonly Deployment[] = []
  #writers: readonly Writer[] = []
  readonly #load: Load
  readonly #upstreams: Map<string, Upstream>
  #isDiskFull = false
  #isDraining = false
  #diskTimer: NodeJS.Timeout | undefined
  #server: Server | undefined

  private constructor(options: GatewayOptions, parts: Parts) {
    this.config = options.config
    this.#notices = options.notices
    this.#folder = parts.folder
    this.crypto = parts.crypto
    this.log = parts.log
    this.rootKey = parts.rootKey
    this.operatorToken = parts.operatorToken
    this.#vaultKeys = parts.vaultKeys
    this.statements = new StatementReader(parts.crypto, parts.log.database)
    this.receipts = new Receipts({ ...parts, statements: this.statements })
    this.recording = { ...parts }
    this.access = parts.access
    this.#load = createLoad(options.config.limits)
    this.#upstreams = parts.upstreams
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
      const parts = await openParts(options, folder)
      gateway = new Gateway(options, parts)
      const deployments = {
        crypto: parts.crypto,
        config,
        log: parts.log,
        statements: gateway.statements,
        upstreams: parts.upstreams,
        catalogue: readBundledPrices(),
        exampleAccountableKey: keyPaths(folder.keys).exampleAccountable,
        now,
      }
      gateway.#deployments = await startDeployments(deployments)
      gateway.#writers = allowedWriters(deployments)
      gateway.#watchDisk()
      await gateway.#listen()
      return gateway
    } catch (thrown) {
      if (gateway === undefined) folder.release()
      else await gateway.close()
      throw thrown
    }
  }

  get url(): string {
    const address = this.#server?.address() as AddressInfo
    const host = isIP(address.address) === 6 ? `[${address.address}]` : address.address
    return `http://${host}:${address.port}`
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

  takeBytes(count: number): () => void {
    return this.#load.take(count)
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
    await closeServer(this.#server)
    await this.recording.journal.close()
    await this.log.close()
    this.#vaultKeys.close()
    for (const each of this.#deployments) if (each.kind === 'tensor') await each.model.close()
    for (const upstream of this.#upstreams.values()) await upstream.close()
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

  async #listen(): Promise<void> {
    const app = createApp(this)
    const listener = getRequestListener((request, env) => {
      const peer: Peer = { address: env.incoming.socket.remoteAddress ?? '' }
      return app.fetch(request, peer)
    })
    const server = createServer({ connectionsCheckingInterval: 1000 }, (request, response) => {
      const dialect = matchRelay(request)
      const passing = dialect === undefined ? matchPassThrough(request) : undefined
      const name = dialect === undefined ? matchInfer(request) : undefined
      if (dialect !== undefined) void handleRelay(this, dialect, request, response)
      else if (passing !== undefined) void handlePassThrough(this, passing, request, response)
      else if (name !== undefined) void handleInfer(this, name, request, response)
      else void listener(request, response)
    })
    server.requestTimeout = REQUEST_TIMEOUT_MS
    server.headersTimeout = HEADERS_TIMEOUT_MS
    // A socket on which nothing moves is closed: also one whose client does not read.
    server.timeout = IDLE_TIMEOUT_MS
    server.maxConnections = this.config.limits.inFlight * 2
    this.#server = server
    const { host, port } = this.config.listen
    await new Promise<void>((resolve, reject) => {
      server.once('error', ({ code }: NodeJS.ErrnoException) => {
        const why = `cannot listen on ${host}:${port} (${code}); choose another address or port`
        reject(new CountersignError('config/malformed', why))
      })
      server.listen(port, host, () => resolve())
    })
  }
}

function checkListen({ config, allowRemote = false }: GatewayOptions): void {
  const { host } = config.listen
  const isLoopback = host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
  if (!isLoopback && !allowRemote) {
    throw new CountersignError(
      'config/unsafe-listen',
      `listening on ${quote(host)} opens the gateway to the network; put TLS in front and pass --allow-remote`,
    )
  }
}

async function closeServer(server: Server | undefined): Promise<void> {
  if (server === undefined) return
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS).unref()
  })
}
