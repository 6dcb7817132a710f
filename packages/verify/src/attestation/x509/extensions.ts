/** Extensions of certificates and of lists of revoked ones, and names. @spec RFC 5280 §4.2 */
import { parseUtf8 } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import {
  booleanOf,
  type DerValue,
  integerOf,
  octetString,
  oidOf,
  parseDer,
  requireTag,
  sequenceOf,
  TAG,
} from './der.ts'

export interface Extension {
  readonly critical: boolean
  /** What stands in the OCTET STRING: DER in most extensions, bare bytes in some of AMD's. */
  readonly value: Uint8Array
}

export type Extensions = ReadonlyMap<string, Extension>

export const BASIC_CONSTRAINTS = '2.5.29.19'
export const KEY_USAGE = '2.5.29.15'
const COMMON_NAME = '2.5.4.3'

const MAX_EXTENSIONS = 64
const MAX_NAME_PARTS = 32
const MAX_PATH_LENGTH = 255

/** Text types whose bytes are UTF-8 as well. */
const TEXT_TAGS: readonly number[] = [TAG.utf8String, TAG.printableString, TAG.ia5String]

/**
 * Extensions by object identifier, each there once.
 *
 * @throws {CountersignError} `der/malformed`, `certificate/malformed`
 */
export function extensionsOf(list: DerValue | undefined): Extensions {
  const parts = sequenceOf(list, 'extensions')
  if (parts.length > MAX_EXTENSIONS) throw new CountersignError('certificate/malformed', 'it has too many extensions')
  const extensions = new Map<string, Extension>()
  for (const part of parts) {
    const [id, second, third, ...more] = sequenceOf(part, 'extension')
    const oid = oidOf(id)
    const isMarked = second?.tag === TAG.boolean
    if (more.length > 0 || (third !== undefined && !isMarked)) {
      throw new CountersignError('certificate/malformed', `the extension ${oid} has parts too many`)
    }
    if (extensions.has(oid)) throw new CountersignError('certificate/malformed', `the extension ${oid} is there twice`)
    const critical = isMarked && booleanOf(second)
    extensions.set(oid, { critical, value: octetString(isMarked ? third : second, 'extension') })
  }
  return extensions
}

/** Whether a certificate may issue others, and how many may stand between it and the last one. */
export interface BasicConstraints {
  readonly isCa: boolean
  readonly pathLength?: number
}

/** @throws {CountersignError} `der/malformed`, `certificate/malformed` */
export function basicConstraintsOf(extensions: Extensions): BasicConstraints {
  const extension = extensions.get(BASIC_CONSTRAINTS)
  if (extension === undefined) return { isCa: false }
  const parts = [...sequenceOf(parseDer(extension.value), 'basic constraints')]
  const isCa = parts[0]?.tag === TAG.boolean && booleanOf(parts.shift())
  const limit = parts.shift()
  if (parts.length > 0 || (limit !== undefined && !isCa)) {
    throw new CountersignError('certificate/malformed', 'the basic constraints have parts too many')
  }
  return limit === undefined ? { isCa } : { isCa, pathLength: integerOf(limit, MAX_PATH_LENGTH) }
}

export interface KeyUsage {
  readonly digitalSignature: boolean
  readonly certSign: boolean
  readonly crlSign: boolean
}

/** @throws {CountersignError} `der/malformed` */
export function keyUsageOf(extensions: Extensions): KeyUsage | undefined {
  const extension = extensions.get(KEY_USAGE)
  if (extension === undefined) return undefined
  const [unused, first, second, ...more] = requireTag(parseDer(extension.value), TAG.bitString, 'key usage').content
  const last = second ?? first
  const isShape =
    unused !== undefined && unused < 8 && last !== undefined && more.length === 0 && (last & ((1 << unused) - 1)) === 0
  if (!isShape || first === undefined) throw new CountersignError('der/malformed', 'the key usage is not a few bits')
  return { digitalSignature: (first & 0x80) !== 0, certSign: (first & 0x04) !== 0, crlSign: (first & 0x02) !== 0 }
}

/** The common name in a name; `undefined` unless there is exactly one, in a type that is read. @throws {CountersignError} `der/malformed` */
export function commonNameOf(name: DerValue): string | undefined {
  const parts = sequenceOf(name, 'name')
  if (parts.length === 0 || parts.length > MAX_NAME_PARTS) {
    throw new CountersignError('certificate/malformed', 'a name has no parts, or too many')
  }
  const found: (string | undefined)[] = []
  for (const part of parts) {
    for (const attribute of requireTag(part, TAG.set, 'part of a name').children()) {
      const [type, value, ...more] = sequenceOf(attribute, 'attribute of a name')
      const id = oidOf(type)
      if (value === undefined || more.length > 0) {
        throw new CountersignError('certificate/malformed', 'an attribute of a name is not a type and a value')
      }
      if (id === COMMON_NAME) found.push(TEXT_TAGS.includes(value.tag) ? parseUtf8(value.content) : undefined)
    }
  }
  return found.length === 1 ? found[0] : undefined
}
