import { CountersignError, type Crypto, type NoteKey, type Trust } from '@countersign/verify'
import type { Report } from './observation.ts'

export interface MonitorOptions {
  readonly crypto: Crypto
  readonly trust: Trust
  /** The log's prefix. */
  readonly logUrl: string
  /** Name of the log, where the policy has several. */
  readonly origin?: string
  readonly stateFolder: string
  /** Where proof files go. */
  readonly proofFolder: string
  /** Prefixes of witnesses' monitoring endpoints, beside those of the policy. */
  readonly witnessUrls: readonly string[]
  /** Files and folders of receipts, dossiers and promises. */
  readonly evidence: readonly string[]
  /** Where statements are to be read, and the key that opens restricted ones. */
  readonly statements?: { readonly url: string; readonly apiKey?: string }
  readonly webhookUrl?: string
  readonly graceMs: number
  readonly maximumAgeMs?: number
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly nowMs: () => number
  readonly onReport: (report: Report) => void
  /** Entries taken in, of so many. */
  readonly onProgress: (done: number, total: number) => void
}

/**
 * The log's key of the policy: the only one, the one that is named, or the one that the policy gives this address.
 *
 * @throws {CountersignError} `policy/unknown-log`, `usage/invalid`
 */
export function findLogKey({ trust, origin, logUrl }: MonitorOptions): NoteKey {
  const { logs } = trust.policy
  const [only] = logs
  if (origin === undefined && only !== undefined && logs.length === 1) return only.key
  const trimmed = (url: string | undefined) => url?.replace(/\/+$/, '')
  const found = logs.find(({ key, url }) =>
    origin === undefined ? trimmed(url) === trimmed(logUrl) : key.name === origin,
  )
  if (found !== undefined) return found.key
  if (origin !== undefined) throw new CountersignError('policy/unknown-log', 'the trust file has no key for this log')
  throw new CountersignError('usage/invalid', 'the trust file has several logs: say which with --origin')
}
