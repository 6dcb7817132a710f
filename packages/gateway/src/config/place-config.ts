/** What an operator configures of places: what evidence must show of them, and where it and its collateral come from. */
import type { Json, PlaceFailure, PlacePolicy } from '@countersign/verify'
import { type CollateralAddresses, MAKERS } from '../place/collateral-addresses.ts'
import type { OwnSource } from '../place/own-evidence.ts'

/** What is demanded of a place. */
export interface PlaceConfig {
  readonly policy: PlacePolicy
  /** The policy as it is written in the file: so it stands in manifests and appraisals. */
  readonly written: Json
  readonly onFailure: PlaceFailure
}

/** What is demanded of an upstream, and how it is asked. */
export interface UpstreamPlaceConfig extends PlaceConfig {
  /** Address with `{nonce}` and perhaps `{model}` in it; `undefined` for what is usual for the profile. */
  readonly evidenceUrl: string | undefined
  /** What `{model}` stands for; `undefined`: the model that a route asks for there. */
  readonly evidenceModel: string | undefined
  /** Whether the request for evidence carries the credential of the upstream; only where both have one origin. */
  readonly sendsCredential: boolean
}

/** Where the gateway runs itself. */
export interface OwnPlaceConfig {
  readonly source: OwnSource
  /** What must be shown of it before models of its own answer; `undefined` for nothing. */
  readonly place: PlaceConfig | undefined
}

export interface CollateralConfig {
  readonly addresses: CollateralAddresses
  /** `undefined`: in the data folder. */
  readonly cacheFolder: string | undefined
  /** PEM file of the authorities of mirrors. */
  readonly caFile: string | undefined
}

export const NO_OWN_PLACE: OwnPlaceConfig = { source: { kind: 'none' }, place: undefined }
export const DEFAULT_COLLATERAL: CollateralConfig = { addresses: MAKERS, cacheFolder: undefined, caFile: undefined }
