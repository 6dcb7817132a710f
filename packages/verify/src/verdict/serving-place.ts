/** Which place served an answer, and what was demanded of it: by its manifest, and by the relying party. */
import { type PlacePolicy, readPlacePolicy } from '../attestation/place-policy.ts'
import { CountersignError } from '../errors.ts'
import type { DeploymentPredicate } from '../statement/deployment.ts'
import type { Attempt, Inference } from '../statement/inference.ts'
import { GATEWAY_PLACE, type ServedPlace } from '../statement/served-place.ts'
import { findPlaceDemand } from '../trust/place-demand.ts'
import type { Trust } from '../trust/trust-file.ts'

/** The place that an answer came from, by its statement and manifest. */
export interface ServingPlace {
  /** Name of an upstream, or {@link GATEWAY_PLACE} where the gateway ran the model itself. */
  readonly name: string
  /** Scheme, host and port, or `embedded`. */
  readonly origin: string
  /** The manifest's demand. */
  readonly demanded: ServedPlace | undefined
  readonly attempt: Attempt
}

/** A policy, and who chose it. */
export interface ChosenPolicy {
  readonly policy: PlacePolicy
  readonly by: 'operator' | 'trust file'
  /** What the trust file calls it. */
  readonly name?: string
}

/**
 * The place of the attempt that answered.
 *
 * @throws {CountersignError} `place/not-shown` where none did, or the manifest does not name it, or calls it like the gateway
 */
export function findServingPlace(inference: Inference, manifest: DeploymentPredicate): ServingPlace {
  const attempt = inference.attempts.findLast(({ outcome }) => outcome === 'answered')
  if (attempt === undefined) {
    const { repeats } = inference
    const why = repeats === undefined ? 'no attempt answered' : `the answer repeats that of receipt ${repeats}`
    throw new CountersignError('place/not-shown', `${why}, so no place served it`)
  }
  const model = attempt.model ?? inference.model.requested
  const upstream = manifest.upstreams?.find(
    (each) => each.name === attempt.upstream && (each.model ?? inference.model.requested) === model,
  )
  const isOwn =
    upstream === undefined
      ? manifest.models.some(({ engine }) => engine.name === attempt.upstream)
      : upstream.kind === 'llama'
  if (isOwn) return { name: GATEWAY_PLACE, origin: 'embedded', demanded: manifest.place, attempt }
  if (upstream?.name === GATEWAY_PLACE) {
    throw new CountersignError('place/not-shown', 'the manifest calls an upstream like the gateway’s own place')
  }
  if (upstream !== undefined) {
    return { name: upstream.name, origin: upstream.origin, demanded: upstream.place, attempt }
  }
  throw new CountersignError('place/not-shown', 'the manifest does not name the place that answered')
}

/** Whether anyone demanded anything of a place. */
export function isDemanded(place: ServingPlace, inference: Inference, trust: Trust): boolean {
  return place.demanded !== undefined || demandOf(place, inference, trust) !== undefined
}

/**
 * The policy that a place is judged by: the relying party's own where its trust file has one for it, else the manifest's.
 *
 * @throws {CountersignError} `place/not-shown` where there is none, or the manifest's cannot be read
 */
export function choosePolicy(place: ServingPlace, inference: Inference, trust: Trust): ChosenPolicy {
  const demand = demandOf(place, inference, trust)
  if (demand !== undefined) return { policy: demand.policy, by: 'trust file', name: demand.name }
  if (place.demanded === undefined) {
    throw new CountersignError('place/not-shown', 'neither the trust file nor the manifest says what it must be')
  }
  try {
    return { policy: readPlacePolicy(place.demanded.policy, 'policy'), by: 'operator' }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    throw new CountersignError('place/not-shown', `the manifest’s policy cannot be read: ${thrown.message}`)
  }
}

function demandOf(place: ServingPlace, inference: Inference, trust: Trust) {
  return findPlaceDemand(trust.places, { deployment: inference.deployment.name, upstream: place.name })
}
