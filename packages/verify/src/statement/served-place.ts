/**
 * What a manifest demands of a place that serves: a policy for its evidence, and what is done when it is not met. The policy
 * is kept as it stands: attestation reads it, and a manifest can be read without.
 *
 * @spec spec/deployment.md
 */
import type { Json } from '../bytes/json.ts'
import { Fields } from '../bytes/shape.ts'
import { readExact } from './exact-json.ts'

/** `refuse`: nothing is sent to a place without accepted evidence. `flag`: it is, and the record says so. */
export const PLACE_FAILURES = ['refuse', 'flag'] as const
export type PlaceFailure = (typeof PLACE_FAILURES)[number]

/** The operator's own demand on one place. */
export interface ServedPlace {
  /** A place policy, as it is written in configuration. */
  readonly policy: Json
  readonly onFailure: PlaceFailure
}

/** The name of the gateway's own place, where it runs models itself. */
export const GATEWAY_PLACE = 'gateway'

/** Limits of a place policy in a statement. */
const POLICY = { maxLength: 32_768, maxDepth: 8 }

/** Reads `place`. @throws {CountersignError} `shape/*` */
export function readServedPlace(fields: Fields): ServedPlace {
  const place = { policy: readPolicyText(fields), onFailure: fields.oneOf('onFailure', PLACE_FAILURES) }
  fields.end()
  return place
}

/** Takes the field `policy`: an object within limits, which is read no further. @throws {CountersignError} `shape/*` */
export function readPolicyText(fields: Fields): Json {
  const policy = readExact(fields.required('policy'), fields.at('policy'), POLICY)
  new Fields(policy, fields.at('policy'))
  return policy
}
