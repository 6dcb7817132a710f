/**
 * What a manifest says of requests that go to upstreams: where to, in which order, and what is made of them. Configuration
 * is read by the same functions, so that a manifest cannot say what the file could not.
 *
 * @spec spec/deployment.md
 */
import type { Json } from '../bytes/json.ts'
import { Fields, type Path, readText, ShapeError } from '../bytes/shape.ts'
import { quote } from '../errors.ts'
import { readExact } from './exact-json.ts'
import { optionalField } from './inference.ts'
import { readServedPlace, type ServedPlace } from './served-place.ts'

/** Kinds of upstreams: the API that each speaks, or `llama` for a language model that the gateway runs itself. */
export const UPSTREAM_KINDS = ['openai', 'anthropic', 'kserve', 'llama'] as const
export type UpstreamKind = (typeof UPSTREAM_KINDS)[number]

/** A place that requests may be sent to, in the order of the routing plan. */
export interface ServedUpstream {
  readonly name: string
  readonly kind: UpstreamKind
  /** Scheme, host and port, or `embedded`. */
  readonly origin: string
  /** Sent instead of the name that was asked for. */
  readonly model?: string
  /** Share among those of one rank. */
  readonly weight: number
  /** Those of a higher rank are tried when none of a lower one answers. */
  readonly rank: number
  /** What evidence must show of it; nothing when it is missing. */
  readonly place?: ServedPlace
}

/** What a deployment makes of a request, at one of its top-level members. */
export interface RequestChange {
  /** `set-default` acts where the member is missing, `set` always. */
  readonly op: 'set-default' | 'set'
  /** `/` and the member's name. */
  readonly path: string
  readonly value: Json
}

/** Most places of one routing plan, names that it answers to, and changes that it makes. */
export const MAX_TARGETS = 64
const MAX_PATTERNS = 64
const MAX_CHANGES = 64

const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }
const MODEL = { maxLength: 256 }
const ORIGIN = { maxLength: 256, pattern: /^(embedded|https?:\/\/[A-Za-z0-9.:[\]_-]+)$/ }
const MAX_WEIGHT = 1_000_000
const MAX_RANK = 63
const MAX_CACHE_SECONDS = 366 * 24 * 60 * 60

/** Limits of a value that a change sets. */
const VALUE = { maxLength: 4096, maxDepth: 8 }

/** Top-level members that need no escape in a JSON Pointer. */
const MEMBER_PATH = { maxLength: 128, pattern: /^\/[A-Za-z0-9_.-]+$/ }

/** The route says the model, and the client how it wants to be answered. */
const UNCHANGEABLE: readonly string[] = ['/model', '/stream']

/** Reads one place of a manifest's routing plan. */
export function readUpstream(item: Json, path: Path): ServedUpstream {
  const fields = new Fields(item, path)
  const upstream: ServedUpstream = {
    name: fields.text('name', NAME),
    kind: fields.oneOf('kind', UPSTREAM_KINDS),
    origin: fields.text('origin', ORIGIN),
    ...readTarget(fields),
    ...optionalField('place', fields, () => readServedPlace(fields.object('place'))),
  }
  fields.end()
  if (upstream.kind === 'llama' && upstream.place !== undefined) {
    throw new ShapeError('shape/bad-value', fields.at('place'), 'the gateway’s own place stands in the manifest itself')
  }
  if ((upstream.kind === 'llama') === (upstream.origin === 'embedded')) return upstream
  throw new ShapeError(
    'shape/bad-value',
    fields.at('origin'),
    'what the gateway runs itself is embedded, all else is not',
  )
}

/** Reads model, weight and rank of a target; a manifest gives the last two, a configuration may leave them out. */
export function readTarget(
  fields: Fields,
  defaults?: { readonly weight: number; readonly rank: number },
): Pick<ServedUpstream, 'model' | 'weight' | 'rank'> {
  const read = (name: 'weight' | 'rank', minimum: number, maximum: number) => {
    const integer = () => fields.integer(name, minimum, maximum)
    return defaults === undefined ? integer() : (fields.optional(name, integer) ?? defaults[name])
  }
  return {
    ...optionalField('model', fields, () => fields.text('model', MODEL)),
    weight: read('weight', 1, MAX_WEIGHT),
    rank: read('rank', 0, MAX_RANK),
  }
}

/** Reads `answersTo`: names of models, the last character of each may be `*` for any rest. */
export function readAnswersTo(fields: Fields): readonly string[] {
  const patterns = fields.list('answersTo', MAX_PATTERNS, (item, path) => {
    const pattern = readText(item, path, MODEL)
    if (!pattern.slice(0, -1).includes('*')) return pattern
    throw new ShapeError('shape/bad-value', path, `${quote(pattern)} has a * that is not at its end`)
  })
  requireSome(patterns, fields.at('answersTo'))
  requireDistinct(patterns, fields.at('answersTo'))
  return patterns
}

/** Reads `changes`: each member of a request is named at most once. */
export function readChanges(fields: Fields): readonly RequestChange[] {
  const changes = fields.list('changes', MAX_CHANGES, readChange)
  requireDistinct(
    changes.map(({ path }) => path),
    fields.at('changes'),
  )
  return changes
}

function readChange(item: Json, path: Path): RequestChange {
  const fields = new Fields(item, path)
  const change: RequestChange = {
    op: fields.oneOf('op', ['set-default', 'set'] as const),
    path: fields.text('path', MEMBER_PATH),
    value: fields.required('value'),
  }
  fields.end()
  if (UNCHANGEABLE.includes(change.path)) {
    throw new ShapeError('shape/bad-value', fields.at('path'), `${change.path} is not for a deployment to change`)
  }
  readExact(change.value, fields.at('value'), VALUE)
  return change
}

/** Reads `cache`. */
export function readCache(fields: Fields): { readonly maxAgeSeconds: number } {
  const cache = { maxAgeSeconds: fields.integer('maxAgeSeconds', 1, MAX_CACHE_SECONDS) }
  fields.end()
  return cache
}

function requireSome(items: readonly unknown[], path: Path): void {
  if (items.length === 0) throw new ShapeError('shape/bad-value', path, 'expected at least one')
}

function requireDistinct(items: readonly string[], path: Path): void {
  const twice = items.find((item, i) => items.indexOf(item) !== i)
  if (twice !== undefined) throw new ShapeError('shape/bad-value', path, `${quote(twice)} stands there twice`)
}
