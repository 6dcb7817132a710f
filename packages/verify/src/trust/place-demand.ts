/** What the relying party itself demands of places that serve, whatever manifests demand. @spec spec/trust-file.md */
import { type PlacePolicy, readPlacePolicy } from '../attestation/place-policy.ts'
import type { Json } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'
import { CountersignError, quote } from '../errors.ts'

/** A policy, and the places that it is for. */
export interface PlaceDemand {
  readonly name: string
  /** Of this deployment only, and of this upstream only; `gateway` is the operator's own place. Any where it is missing. */
  readonly deployment: string | undefined
  readonly upstream: string | undefined
  readonly policy: PlacePolicy
}

const MAX_DEMANDS = 256
const NAME = { maxLength: 128 }
const MATCHED = { maxLength: 128, pattern: /^[!-~]+$/ }

/** Reads `places`, each name once. @throws {CountersignError} `trust/malformed`, `place-policy/*`, `shape/*` */
export function readPlaceDemands(fields: Fields): readonly PlaceDemand[] {
  const demands = fields.list('places', MAX_DEMANDS, readDemand)
  const names = demands.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice === undefined) return demands
  throw new CountersignError('trust/malformed', `${fields.at('places')}: ${quote(twice)} stands twice`)
}

function readDemand(item: Json, path: Path): PlaceDemand {
  const fields = new Fields(item, path)
  const name = fields.text('name', NAME)
  const match = fields.optional('match', () => fields.object('match'))
  const matched = (what: string) => match?.optional(what, () => match.text(what, MATCHED))
  const demand = {
    name,
    deployment: matched('deployment'),
    upstream: matched('upstream'),
    policy: readPlacePolicy(fields.required('policy'), fields.at('policy')),
  }
  match?.end()
  fields.end()
  return demand
}

/** The first demand, in the order of the file, that is for a place; `undefined` where none is. */
export function findPlaceDemand(
  demands: readonly PlaceDemand[],
  place: { readonly deployment: string; readonly upstream: string },
): PlaceDemand | undefined {
  const isFor = (wanted: string | undefined, is: string) => wanted === undefined || wanted === is
  return demands.find((each) => isFor(each.deployment, place.deployment) && isFor(each.upstream, place.upstream))
}
