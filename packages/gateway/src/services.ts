/** What the HTTP routes may use of a gateway, and nothing beyond it. */
import type { Crypto } from '@countersign/verify'
import type { ApiKey } from './access/api-key.ts'
import type { Budgets } from './access/budgets.ts'
import type { RateLimits } from './access/rate-limits.ts'
import type { Config } from './config/config.ts'
import type { Deployment, RelayDeployment, TensorDeployment, Writer } from './deployments/deployments.ts'
import type { LogService } from './log/log-service.ts'
import type { Places } from './place/places.ts'
import type { Receipts } from './receipts/receipts.ts'
import type { RecordingServices } from './recording/recording.ts'
import type { AnswerCache } from './relay/answer-cache.ts'
import type { ConversationsUnderWay } from './relay/conversations.ts'
import type { MarksUnderWay } from './relay/marks.ts'
import type { StatementReader } from './store/statement-reader.ts'
import type { Telemetry } from './telemetry/telemetry.ts'
import type { Upstream } from './upstreams/upstream.ts'
import type { Witnessing } from './witnesses/witnessing.ts'

export interface Services {
  readonly config: Config
  readonly crypto: Crypto
  readonly version: string
  /** The data folder. */
  readonly dataRoot: string
  readonly log: LogService
  readonly statements: StatementReader
  readonly receipts: Receipts
  readonly witnessing: Witnessing
  readonly places: Places
  readonly telemetry: Telemetry
  readonly recording: RecordingServices
  readonly cache: AnswerCache
  readonly marks: MarksUnderWay
  readonly conversations: ConversationsUnderWay
  readonly access: { readonly budgets: Budgets; readonly rates: RateLimits }
  readonly writers: readonly Writer[]
  /** Receipt secrets are derived from it. */
  readonly rootKey: Uint8Array
  readonly operatorToken: string
  /**
   * Lets one more request in; call what it returns when the request is over.
   *
   * @throws {CountersignError} `queue/full`, `disk/full`, `log/closed`
   */
  admit(): () => void
  /**
   * Counts bytes that are kept in memory for a request; call what it returns when they are not any more.
   *
   * @throws {CountersignError} `queue/full`
   */
  takeBytes(count: number): () => void
  /**
   * The holder of a key, or `undefined` where none was presented and none is asked for.
   *
   * @throws {CountersignError} `auth/*`
   */
  authenticate(token: string | undefined): ApiKey | undefined
  /** The deployment of that name, of models that take tensors. @throws {CountersignError} `model/not-found` */
  tensorDeployment(name: string): TensorDeployment
  /** The deployment that answers to that model's name. @throws {CountersignError} `model/not-found` */
  relayDeployment(model: string): RelayDeployment
  readonly deployments: readonly Deployment[]
  /** One that a route names. */
  upstream(name: string): Upstream
  isReady(): boolean
  /** Whether the gateway is on its way down: what is cut off now is cut off by it. */
  readonly isDraining: boolean
  /** For JSON, as are the next two. */
  health(): object
  /** @throws {CountersignError} `model/not-found` */
  modelMetadata(name: string): object
  deploymentList(): readonly object[]
  /** The checkpoint that was published last. */
  publishedCheckpoint(): string | undefined
  /** Writes down what an opaque error was. */
  logError(id: string, thrown: unknown): void
}
