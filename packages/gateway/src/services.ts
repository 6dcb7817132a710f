/** What the HTTP routes may use of a gateway, and nothing beyond it. */
import type { Crypto } from '@countersign/verify'
import type { Config } from './config/config.ts'
import type { Deployment, Writer } from './deployments/deployments.ts'
import type { InferServices } from './inference/infer.ts'
import type { LogService } from './log/log-service.ts'
import type { Receipts } from './receipts/receipts.ts'
import type { StatementReader } from './store/statement-reader.ts'

export interface Services {
  readonly config: Config
  readonly crypto: Crypto
  readonly version: string
  readonly log: LogService
  readonly statements: StatementReader
  readonly receipts: Receipts
  readonly inferServices: InferServices
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
  /** The deployment of that name. @throws {CountersignError} `model/not-found` */
  deployment(name: string): Deployment
  isReady(): boolean
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
