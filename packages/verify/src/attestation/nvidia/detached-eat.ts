/**
 * What NVIDIA's Remote Attestation Service answers: a list of one signed token about all devices, and an object with one
 * signed token per device, whose digests are in the first. @spec RFC 9711 §4.2.18 (submodules), §5 (detached bundles)
 */
import { type Json, type JsonLimits, parseJson } from '../../bytes/json.ts'
import { Fields, ShapeError } from '../../bytes/shape.ts'
import { CountersignError } from '../../errors.ts'
import { parseJws } from '../token/jws.ts'
import type { ReadToken } from '../token/token-keys.ts'

/** Nothing in it is proven. */
export interface UnverifiedDetachedEat {
  readonly overall: ReadToken
  /** By the names that the service gives them, in the order of the bundle. */
  readonly devices: readonly (ReadToken & { readonly name: string })[]
}

export const MAX_DEVICES = 64
const LIMITS: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxDepth: 6 }
const ALGORITHMS = ['ES384'] as const
const DEVICE_NAME = /^[A-Za-z0-9_-]{1,64}$/

/**
 * Takes a bundle apart. Devices come as one object or several, or as a list of them; names must differ.
 *
 * The bundle around the tokens is unsigned, see {@link unsignedRegions}.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`, `bytes/*`, `json/*`, `shape/*`
 */
export function parseDetachedEat(bytes: Uint8Array): UnverifiedDetachedEat {
  const bundle = parseJson(bytes, LIMITS)
  if (!Array.isArray(bundle) || bundle.length < 2) throw malformed('it is no list of a token and devices')
  const [first, ...rest] = bundle as readonly Json[]
  if (!Array.isArray(first) || first.length !== 2 || first[0] !== 'JWT')
    throw malformed('it does not begin with a token')
  const parts = rest.flatMap((part) => (Array.isArray(part) ? (part as readonly Json[]) : [part]))
  const devices = parts.flatMap((part, i) => readDevices(part, `devices[${i}]`))
  if (devices.length === 0 || devices.length > MAX_DEVICES) {
    throw malformed(`it has ${devices.length} devices, of 1 to ${MAX_DEVICES}`)
  }
  if (new Set(devices.map(({ name }) => name)).size !== devices.length) throw malformed('two devices have one name')
  return { overall: readToken(first[1] as Json, 'bundle[0][1]'), devices }
}

function readDevices(part: Json, path: string): readonly (ReadToken & { readonly name: string })[] {
  const fields = new Fields(part, path)
  return fields.names(MAX_DEVICES).map((name) => {
    if (!DEVICE_NAME.test(name)) throw malformed('a device has a name that is none')
    return { name, ...readToken(fields.required(name), fields.at(name)) }
  })
}

function readToken(value: Json, path: string): ReadToken {
  if (typeof value !== 'string') throw new ShapeError('shape/wrong-type', path, 'expected a token')
  return { text: value, jws: parseJws(value, ALGORITHMS) }
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', `not a bundle of NVIDIA's service: ${why}`)
}

/** Bytes of a bundle that no signature covers: the white space between its parts. */
export function unsignedRegions(
  bytes: Uint8Array,
): readonly { readonly from: number; readonly to: number; readonly why: string }[] {
  const regions: { from: number; to: number; why: string }[] = []
  let isInText = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === 0x22) isInText = !isInText
    if (isInText || !WHITE_SPACE.includes(byte)) continue
    const last = regions.at(-1)
    if (last?.to === at) last.to = at + 1
    else regions.push({ from: at, to: at + 1, why: 'white space of the bundle' })
  }
  return regions
}

const WHITE_SPACE = [0x20, 0x09, 0x0a, 0x0d]
