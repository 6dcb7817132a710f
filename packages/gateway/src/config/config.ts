/** What an operator configures. @spec spec/config.md */
import type { Deadlines, DeploymentPredicate, VaultMode } from '@countersign/verify'

/** Where a secret comes from; never the configuration itself. */
export type SecretSource = { readonly file: string } | { readonly env: string }

export interface ModelConfig {
  /** The model's file. */
  readonly path: string
  /** Profile that serves, and profile that a referee runs. */
  readonly profile: string
  readonly referenceProfile: string
  readonly agreement: 'exact' | 'tolerant'
}

export interface DeploymentConfig {
  readonly name: string
  readonly model: ModelConfig
  readonly vault: VaultMode
  readonly onFailure: DeploymentPredicate['onFailure']
  readonly prices: DeploymentPredicate['prices']
  readonly accountable: {
    readonly party: string
    readonly contact: string
    /** The party's public key; missing in the embedded example alone, where the gateway makes one. */
    readonly publicKeyFile: string | undefined
  }
  readonly deadlines: Deadlines
}

/** A party whose statements are taken in. */
export interface WriterConfig {
  readonly party: string
  readonly publicKeyFile: string
  /** Most statements of one calendar day (UTC). */
  readonly perDay: number
}

export interface Limits {
  /** Most bytes of a request's body. */
  readonly bodyBytes: number
  /** Most requests under way. */
  readonly inFlight: number
  /** Requests for the log per address: sustained, and at once. */
  readonly logRequestsPerSecond: number
  readonly logRequestsBurst: number
  /** Requests for receipts and dossiers per address: sustained, and at once. */
  readonly receiptRequestsPerSecond: number
  readonly receiptRequestsBurst: number
  /** Below this, nothing more is admitted. */
  readonly freeDiskBytes: number
}

export interface Config {
  readonly listen: { readonly host: string; readonly port: number }
  readonly dataRoot: string
  /** Name of the log; made up on first start when missing. */
  readonly origin: string | undefined
  readonly operator: { readonly name: string; readonly contact: string }
  readonly vaultKey: SecretSource | undefined
  readonly deployments: readonly DeploymentConfig[]
  readonly writers: readonly WriterConfig[]
  readonly limits: Limits
  /** The labelled example: the gateway plays all parties itself. */
  readonly example: boolean
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 1024 * 1024,
  inFlight: 1024,
  logRequestsPerSecond: 50,
  logRequestsBurst: 200,
  receiptRequestsPerSecond: 100,
  receiptRequestsBurst: 1000,
  freeDiskBytes: 64 * 1024 * 1024,
}

export const DEFAULT_LISTEN = { host: '127.0.0.1', port: 8787 }

export const DEFAULT_DEADLINES: Deadlines = {
  acknowledgeBusinessDays: 1,
  respondDays: 30,
  decideDays: 90,
  appealDays: 180,
}

/** Profiles of the bundled engines that give the credit model the same bits. */
export const DEFAULT_PROFILE = 'ort-node-1.30.0-cpu-disabled-1t'
export const DEFAULT_REFERENCE_PROFILE = 'ort-web-1.30.0-wasm-disabled-1t'

/**
 * The embedded example: the bundled credit model under made-up parties, with no witness. Its statements say so.
 */
export function exampleConfig(dataRoot: string, creditModelPath: string): Config {
  return {
    listen: DEFAULT_LISTEN,
    dataRoot,
    origin: undefined,
    operator: { name: 'Example Operator (demonstration)', contact: 'operator@example.invalid' },
    vaultKey: undefined,
    deployments: [
      {
        name: 'credit',
        model: {
          path: creditModelPath,
          profile: DEFAULT_PROFILE,
          referenceProfile: DEFAULT_REFERENCE_PROFILE,
          agreement: 'exact',
        },
        vault: 'content',
        onFailure: 'flag',
        prices: [{ item: 'decision', amountMicros: 0, currency: 'EUR' }],
        accountable: {
          party: 'Example Lender (demonstration)',
          contact: 'appeals@example.invalid',
          publicKeyFile: undefined,
        },
        deadlines: DEFAULT_DEADLINES,
      },
    ],
    writers: [],
    limits: DEFAULT_LIMITS,
    example: true,
  }
}
