/**
 * What Intel's lists have in common. Intel signs the text of one member of its JSON answer as it is served: so that text is
 * taken out as it stands and never written anew. A field that is not known here is refused: the module identities were such
 * a field once, added without a new version, and who passed them by graded platforms wrongly.
 *
 * @spec Intel PCS API v4, "Get TDX TCB Info" and "Get TD Quoting Enclave Identity"
 */
import { parseHex, parseUtf8, toHex, utf8 } from '../../bytes/bytes.ts'
import { type Json, PAYLOAD_LIMITS, parseJson, rawMember } from '../../bytes/json.ts'
import { Fields, type Path, readText, ShapeError } from '../../bytes/shape.ts'
import { CountersignError } from '../../errors.ts'

/** States of a platform's TCB level. */
export const PLATFORM_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const
export type PlatformStatus = (typeof PLATFORM_STATUSES)[number]

/** States of a level of the TDX module or the quoting enclave. */
export const COMPONENT_STATUSES = ['UpToDate', 'OutOfDate', 'Revoked'] as const
export type ComponentStatus = (typeof COMPONENT_STATUSES)[number]

/** A level of what has one SVN. */
export interface ComponentLevel {
  readonly isvSvn: number
  readonly dateMs: number
  readonly status: ComponentStatus
  readonly advisories: readonly string[]
}

/** When a list was made and is to be replaced; what both lists carry. */
export interface ListDates {
  readonly issuedAtMs: number
  readonly nextUpdateMs: number
  /** Grows when Intel publishes new levels. */
  readonly evaluationDataNumber: number
}

/** A list as it was served: the exact bytes that the signature is over. Not verified. */
export interface UnverifiedList {
  readonly signed: Uint8Array
  readonly value: Json
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array
}

const MAX_LEVELS = 64
const MAX_ADVISORIES = 256
const TIME = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/
const ADVISORY = /^INTEL-[A-Z]{2,8}-\d{3,8}$/

/**
 * Takes the signed text and its signature out of an answer of Intel's service.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`, `collateral/malformed`
 */
export function parseIntelAnswer(bytes: Uint8Array, member: 'tcbInfo' | 'enclaveIdentity'): UnverifiedList {
  const fields = new Fields(parseJson(bytes, PAYLOAD_LIMITS), 'answer')
  const value = fields.required(member)
  const signature = readAnyHex(fields, 'signature', 64)
  fields.end()
  const text = rawMember(parseUtf8(bytes), member)
  if (text === undefined) {
    throw new CountersignError('collateral/malformed', `the name ${member} is not written plainly`)
  }
  return { signed: utf8(text), value, signature }
}

/** Turns errors of shape into `collateral/malformed`; what is to be done about all of them is the same. */
export function asCollateral<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    throw new CountersignError('collateral/malformed', `${what}: ${thrown.message}`, { cause: thrown })
  }
}

/** The dates and the number of a list. */
export function readListDates(fields: Fields): ListDates {
  return {
    issuedAtMs: readTime(fields, 'issueDate'),
    nextUpdateMs: readTime(fields, 'nextUpdate'),
    evaluationDataNumber: fields.integer('tcbEvaluationDataNumber'),
  }
}

/** Levels from the highest SVN down; another order is refused, as the first that fits decides. */
export function readComponentLevels(fields: Fields): readonly ComponentLevel[] {
  const levels = fields.list('tcbLevels', MAX_LEVELS, readComponentLevel)
  for (let i = 1; i < levels.length; i++) {
    if ((levels[i]?.isvSvn ?? 0) < (levels[i - 1]?.isvSvn ?? 0)) continue
    throw new ShapeError('shape/bad-value', fields.at('tcbLevels'), 'the levels do not go down')
  }
  return levels
}

function readComponentLevel(item: Json, path: Path): ComponentLevel {
  const fields = new Fields(item, path)
  const tcb = fields.object('tcb')
  const level = {
    isvSvn: tcb.integer('isvsvn', 0, 65_535),
    dateMs: readTime(fields, 'tcbDate'),
    status: fields.oneOf('tcbStatus', COMPONENT_STATUSES),
    advisories: readAdvisories(fields),
  }
  tcb.end()
  fields.end()
  return level
}

/** Advisories of a level; none where the field is missing. */
export function readAdvisories(fields: Fields): readonly string[] {
  const read = (item: Json, path: Path) => readText(item, path, { maxLength: 32, pattern: ADVISORY })
  return fields.optional('advisoryIDs', () => fields.list('advisoryIDs', MAX_ADVISORIES, read)) ?? []
}

/** Milliseconds since 1970 of a time in whole seconds, UTC. */
export function readTime(fields: Fields, name: string): number {
  const text = fields.text(name, { maxLength: 20, pattern: TIME })
  const timeMs = Date.parse(text)
  if (new Date(timeMs).toISOString() === `${text.slice(0, 19)}.000Z`) return timeMs
  throw new ShapeError('shape/bad-value', fields.at(name), 'there is no such day')
}

/** Bytes of hexadecimal in either case: Intel writes both. */
export function readAnyHex(fields: Fields, name: string, byteLength: number): Uint8Array {
  const text = fields.text(name, { maxLength: byteLength * 2, pattern: /^(?:[0-9a-f]*|[0-9A-F]*)$/ })
  if (text.length !== byteLength * 2) {
    throw new ShapeError('shape/bad-value', fields.at(name), `expected ${byteLength * 2} hexadecimal digits`)
  }
  return parseHex(text.toLowerCase())
}

/** The same as lower-case text, for comparing. */
export function readAnyHexText(fields: Fields, name: string, byteLength: number): string {
  return toHex(readAnyHex(fields, name, byteLength))
}
