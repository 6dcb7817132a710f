/** A request that was found in order, with everything that was read of it. */
import type { ApiKey } from '../access/api-key.ts'
import type { Reservation } from '../access/budgets.ts'
import type { RouteTarget } from '../config/config.ts'
import type { RelayDeployment } from '../deployments/deployments.ts'
import type { Dialect, RequestFacts } from '../dialects/dialect.ts'
import type { ScannedObject } from '../dialects/json-scan.ts'

/** What is expected of an answer. */
export interface Estimate {
  /** Bytes that are sent; each may be a token. */
  readonly requestBytes: number
  /** Tokens of all the answers that are asked for together. */
  readonly outputTokens: number
}

/** Tokens of a request in its key's bucket. */
export interface CountedTokens {
  readonly expected: number
  isSettled: boolean
}

/** A request that may go to an upstream. */
export interface AdmittedRequest {
  readonly dialect: Dialect
  readonly body: Uint8Array
  /** Where the body is JSON. */
  readonly scanned: ScannedObject | undefined
  readonly facts: RequestFacts
  readonly deployment: RelayDeployment
  /** Places of its route that speak the dialect; at least one. */
  readonly route: readonly RouteTarget[]
  /** The conversation that it reads and adds to, where it names one that its upstream keeps. */
  readonly conversation: string | undefined
  /** Whose request it is; `undefined` where keys are not asked for. */
  readonly key: ApiKey | undefined
  readonly reservation: Reservation | undefined
  /** What was expected of the answer beforehand; `undefined` where no key is asked for. */
  readonly estimate: Estimate | undefined
  /** Tokens that were counted against the key's rate beforehand. They are put right once. */
  readonly counted: CountedTokens
  readonly nonce: string | undefined
  /** Whom the request is about. */
  readonly subject: string | undefined
}

/** Stands in for a key in the books of a gateway that asks for none. */
export const NO_KEY = 'open'
