/** What an operator configures. @spec spec/config.md */
import { LLAMA_PROFILE, NATIVE_PROFILE, REFERENCE_PROFILE } from '@countersign/engines'
import type {
  Deadlines,
  DeploymentPredicate,
  ListedPrice,
  RequestChange,
  ServedUpstream,
  UpstreamKind,
  VaultMode,
} from '@countersign/verify'
import {
  type CollateralConfig,
  DEFAULT_COLLATERAL,
  NO_OWN_PLACE,
  type OwnPlaceConfig,
  type UpstreamPlaceConfig,
} from './place-config.ts'

/** Where a secret comes from; never the configuration itself. */
export type SecretSource = { readonly file: string } | { readonly env: string }

/** A model that the gateway loads itself. */
export interface ModelConfig {
  /** `llama` for a language model in a GGUF file, `onnx` for everything else. */
  readonly kind: 'onnx' | 'llama'
  /** The model's file. */
  readonly path: string
  /** Profile that serves, and profile that a referee runs. */
  readonly profile: string
  readonly referenceProfile: string
  readonly agreement: 'exact' | 'tolerant'
}

/** `client`: what the client sent goes on. */
export type CredentialSource = SecretSource | 'client' | 'none'

/** An upstream beyond the gateway. */
export interface UpstreamConfig {
  readonly name: string
  readonly kind: Exclude<UpstreamKind, 'llama'>
  /** `http` or `https`, host, port and path; without a slash at its end, a query or a credential. */
  readonly baseUrl: string
  readonly credential: CredentialSource
  /** Header that carries it alone, in lower case; `undefined` for what is usual for the kind. */
  readonly credentialHeader: string | undefined
  /** Added to each request, in this order. Names of headers are in lower case. */
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** PEM file of the authorities that its certificate may be from, instead of the usual ones. */
  readonly caFile: string | undefined
  readonly timeouts: UpstreamTimeouts
  /** Most requests under way to it. */
  readonly concurrency: number
  readonly breaker: Breaker
  /** What evidence must show of it; `undefined` for nothing. */
  readonly place: UpstreamPlaceConfig | undefined
  /** How it signs its answers, where its signatures are kept. */
  readonly answerSignature?: AnswerSignatureConfig
}

/** Whose signatures on answers are kept. OpenGradient names its key by an id alone, so the key must be known here. */
export type AnswerSignatureConfig =
  | { readonly scheme: 'opengradient'; readonly publicKey: Uint8Array }
  | { readonly scheme: 'near-ai' | 'aci' }

export interface UpstreamTimeouts {
  readonly connectMs: number
  readonly firstByteMs: number
  /** Between two pieces of an answer. */
  readonly idleMs: number
}

/** After so many failures in a row nothing is sent for a while. */
export interface Breaker {
  readonly failures: number
  readonly openMs: number
}

/** A place that a deployment's requests may go to. */
export interface RouteTarget extends Pick<ServedUpstream, 'model' | 'weight' | 'rank'> {
  /** Name of an upstream that is configured. */
  readonly upstream: string
}

export interface Retries {
  /** Most tries of one request, the first among them. */
  readonly attempts: number
  /** No try begins later than this after the first. */
  readonly totalMs: number
}

export interface DeploymentConfig {
  readonly name: string
  /** There is a model, or a route that is not empty; never both. */
  readonly model: ModelConfig | undefined
  readonly route: readonly RouteTarget[]
  /** Names that clients may ask for; `*` at the end of one stands for any rest. */
  readonly answersTo: readonly string[]
  readonly changes: readonly RequestChange[]
  /** `undefined`: no answer is given twice. */
  readonly cache: { readonly maxAgeSeconds: number } | undefined
  readonly retries: Retries
  readonly vault: VaultMode
  readonly onFailure: DeploymentPredicate['onFailure']
  /** `catalogue`: as the price list says that comes with this release. */
  readonly prices: 'catalogue' | readonly ListedPrice[]
  readonly accountable: {
    readonly party: string
    readonly contact: string
    /** The party's public key; missing in the embedded example alone, where the gateway makes one. */
    readonly publicKeyFile: string | undefined
  }
  readonly deadlines: Deadlines
  /** Which witnesses must confirm the log; `undefined` for none. */
  readonly quorum: QuorumConfig | undefined
}

/** What a deployment needs of witnesses. The operator's business alone: it is in no manifest. */
export interface QuorumConfig {
  /** A witness or group of the policy. */
  readonly name: string
  /** When no newer head met it for so long, it is overdue. */
  readonly unmetAfterSeconds: number
  /** What happens then: answers go on and are flagged, or requests are refused. */
  readonly whenUnmet: 'flag' | 'refuse'
}

/** Whom the log's heads are shown to. */
export interface WitnessesConfig {
  readonly policyFile: string
  /** What stands in that file: witnesses and groups. */
  readonly policy: string
  /** Longest time that a publication waits for them. */
  readonly askMs: number
}

/** What a writer may write: acceptances, audits, or what it says of itself. */
export const WRITER_ROLES = ['accountable', 'auditor', 'party'] as const
export type WriterRole = (typeof WRITER_ROLES)[number]

/** A party whose statements are taken in. */
export interface WriterConfig {
  readonly party: string
  readonly roles: readonly WriterRole[]
  readonly publicKeyFile: string
  /** Most statements of one calendar day (UTC). */
  readonly perDay: number
}

export interface Limits {
  /** Most bytes of a request's body. */
  readonly bodyBytes: number
  /** Largest answer that is held back whole until its record is durable. */
  readonly heldBytes: number
  /** Most bytes of requests and held answers in memory at once. */
  readonly bytesInFlight: number
  /** Most bytes of one frame of a stream. */
  readonly streamFrameBytes: number
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

/** A range of addresses. */
export interface Subnet {
  readonly address: string
  /** Leading bits that count. */
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

export interface Config {
  readonly listen: { readonly host: string; readonly port: number }
  /** Who may call: everyone, or holders of a virtual key alone. */
  readonly access: 'open' | 'keys'
  /** PEM files for TLS of its own; `undefined` for plain HTTP. */
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | undefined
  /** Proxies whose word counts for a client's address. */
  readonly trustedProxies: readonly Subnet[]
  readonly cors: { readonly origins: readonly string[] }
  /** Where traces go, as OTLP over HTTP; `undefined` for nowhere. */
  readonly telemetry: { readonly otlpUrl: string | undefined; readonly metrics: boolean }
  readonly dataRoot: string
  /** Name of the log, or `sigsum`: what Sigsum calls the log with that key. Made up on first start when missing. */
  readonly origin: string | undefined
  readonly operator: { readonly name: string; readonly contact: string }
  readonly vaultKey: SecretSource | undefined
  readonly witnesses: WitnessesConfig | undefined
  readonly upstreams: readonly UpstreamConfig[]
  readonly deployments: readonly DeploymentConfig[]
  readonly writers: readonly WriterConfig[]
  readonly limits: Limits
  /** Where the gateway itself runs, and how that is shown. */
  readonly ownPlace: OwnPlaceConfig
  /** Where what the makers of hardware vouch for comes from. */
  readonly collateral: CollateralConfig
  /** The labelled example: the gateway plays all parties itself. */
  readonly example: boolean
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 16 * 1024 * 1024,
  heldBytes: 4 * 1024 * 1024,
  bytesInFlight: 256 * 1024 * 1024,
  streamFrameBytes: 16 * 1024 * 1024,
  inFlight: 1024,
  logRequestsPerSecond: 50,
  logRequestsBurst: 200,
  receiptRequestsPerSecond: 100,
  receiptRequestsBurst: 1000,
  freeDiskBytes: 64 * 1024 * 1024,
}

export const DEFAULT_LISTEN = { host: '127.0.0.1', port: 8787 }

export const DEFAULT_TELEMETRY: Config['telemetry'] = { otlpUrl: undefined, metrics: true }

export const DEFAULT_TIMEOUTS: UpstreamTimeouts = { connectMs: 5000, firstByteMs: 600_000, idleMs: 120_000 }
export const DEFAULT_CONCURRENCY = 256
export const DEFAULT_BREAKER: Breaker = { failures: 5, openMs: 10_000 }
export const DEFAULT_TARGET = { weight: 1, rank: 0 }
export const DEFAULT_RETRIES: Retries = { attempts: 3, totalMs: 30_000 }

export const DEFAULT_ASK_MS = 1000
export const DEFAULT_UNMET_SECONDS = 60

export const DEFAULT_DEADLINES: Deadlines = {
  acknowledgeBusinessDays: 1,
  respondDays: 30,
  decideDays: 90,
  appealDays: 180,
}

/** Profiles of the bundled engines that give the credit model the same bits. */
export const DEFAULT_PROFILE = NATIVE_PROFILE.id
export const DEFAULT_REFERENCE_PROFILE = REFERENCE_PROFILE.id

/** Profile of the bundled engine for language models. No referee runs those again, so it is its own reference. */
export const DEFAULT_LLAMA_PROFILE = LLAMA_PROFILE.id

/**
 * The embedded example: the bundled credit model under made-up parties, with no witness. Its statements say so.
 */
export function exampleConfig(dataRoot: string, creditModelPath: string, languageModelPath?: string): Config {
  const credit: DeploymentConfig = {
    name: 'credit',
    model: {
      kind: 'onnx',
      path: creditModelPath,
      profile: DEFAULT_PROFILE,
      referenceProfile: DEFAULT_REFERENCE_PROFILE,
      agreement: 'exact',
    },
    route: [],
    answersTo: ['credit'],
    changes: [],
    cache: undefined,
    retries: DEFAULT_RETRIES,
    vault: 'content',
    onFailure: 'flag',
    prices: [{ item: 'decision', amountMicros: 0, currency: 'EUR' }],
    accountable: {
      party: 'Example Lender (demonstration)',
      contact: 'appeals@example.invalid',
      publicKeyFile: undefined,
    },
    deadlines: DEFAULT_DEADLINES,
    quorum: undefined,
  }
  return {
    listen: DEFAULT_LISTEN,
    access: 'open',
    tls: undefined,
    trustedProxies: [],
    cors: { origins: [] },
    telemetry: DEFAULT_TELEMETRY,
    dataRoot,
    origin: undefined,
    operator: { name: 'Example Operator (demonstration)', contact: 'operator@example.invalid' },
    vaultKey: undefined,
    witnesses: undefined,
    upstreams: [],
    deployments: languageModelPath === undefined ? [credit] : [credit, languageExample(credit, languageModelPath)],
    writers: [],
    limits: DEFAULT_LIMITS,
    ownPlace: NO_OWN_PLACE,
    collateral: DEFAULT_COLLATERAL,
    example: true,
  }
}

/**
 * The example with witnesses: every deployment needs `quorum`, a witness or group of the policy, and says so in its answers
 * while that is overdue.
 */
export function exampleWithWitnesses(
  example: Config,
  { policyFile, policy, quorum }: Omit<WitnessesConfig, 'askMs'> & { readonly quorum: string },
): Config {
  const needed: QuorumConfig = { name: quorum, unmetAfterSeconds: DEFAULT_UNMET_SECONDS, whenUnmet: 'flag' }
  return {
    ...example,
    witnesses: { policyFile, policy, askMs: DEFAULT_ASK_MS },
    deployments: example.deployments.map((each) => ({ ...each, quorum: needed })),
  }
}

/** The bundled language model, under the same made-up parties. */
function languageExample(credit: DeploymentConfig, path: string): DeploymentConfig {
  const model: ModelConfig = {
    kind: 'llama',
    path,
    profile: DEFAULT_LLAMA_PROFILE,
    referenceProfile: DEFAULT_LLAMA_PROFILE,
    agreement: 'tolerant',
  }
  return { ...credit, name: 'tiny-english', model, answersTo: ['tiny-english'], prices: [] }
}
