/**
 * The event log of dstack: JSON, with events of the firmware in RTMR0 to RTMR2, and in RTMR3 those of the guest's own system,
 * among them what application it started.
 *
 * Of the firmware's events only the digest is measured; what else the log says of them is not looked at. Of events of the
 * guest the digest is made anew from name and payload. The guest may measure events of its own choice once its system is
 * up: so the names count that stand before `system-ready`. All of it is the word of the system that was booted: it says as
 * much as MRTD and RTMR0 to RTMR2 say of that system, and nothing without them.
 *
 * @spec dstack, cc-eventlog (event log versions 1 and 2)
 */
import { concat, equalBytes, parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import { FILE_LIMITS, type Json, parseJson } from '../../bytes/json.ts'
import { Fields, type Path, ShapeError } from '../../bytes/shape.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError, quote } from '../../errors.ts'
import { DIGEST_BYTES, type LoggedEvent, MAX_EVENTS, RTMR_COUNT, verifyReplay } from './replay.ts'

/** Events that say what runs, by the name that policies know them by. */
export const DSTACK_EVENT_NAMES = ['app-id', 'compose-hash', 'os-image-hash', 'key-provider', 'instance-id'] as const
export type DstackEventName = (typeof DSTACK_EVENT_NAMES)[number]

/** An event as the log tells it. */
export interface DstackEvent {
  readonly register: number
  readonly type: number
  /** Empty for events of the guest in logs that leave it out. */
  readonly digest: Uint8Array
  readonly name: string
  readonly payload: Uint8Array
  readonly version: 1 | 2
}

const RUNTIME_EVENT = 0x08000001
const RUNTIME_EVENT_BYTES = /* @__PURE__ */ parseHex('01000008')
const RUNTIME_REGISTER = 3
const SYSTEM_READY = 'system-ready'
const COLON = /* @__PURE__ */ utf8(':')
const MAX_TYPE = 0xffffffff
const MAX_PAYLOAD_TEXT = 1024 * 1024

/**
 * Reads a log; believes nothing of it.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`
 */
export function parseDstackLog(bytes: Uint8Array): readonly DstackEvent[] {
  const list = new Fields({ events: parseJson(bytes, FILE_LIMITS) }, 'log')
  return list.list('events', MAX_EVENTS, readEvent)
}

function readEvent(item: Json, path: Path): DstackEvent {
  const fields = new Fields(item, path)
  const read = {
    register: fields.integer('imr', 0, RTMR_COUNT - 1),
    type: fields.integer('event_type', 0, MAX_TYPE),
    digest: readBytes(fields, 'digest', DIGEST_BYTES * 2),
    name: readName(fields),
    payload: readBytes(fields, 'event_payload', MAX_PAYLOAD_TEXT),
    version: (fields.optional('version', () => fields.integer('version', 1, 2)) ?? 1) as 1 | 2,
  }
  // The exact bytes of a digest, for those who do not make them anew as we do.
  fields.optional('preimage', () => readBytes(fields, 'preimage', MAX_PAYLOAD_TEXT * 3))
  fields.end()
  const isWhole = read.digest.length === DIGEST_BYTES || (read.digest.length === 0 && read.type === RUNTIME_EVENT)
  if (!isWhole) throw new ShapeError('shape/bad-value', fields.at('digest'), `expected ${DIGEST_BYTES} bytes`)
  return read
}

function readBytes(fields: Fields, name: string, maxLength: number): Uint8Array {
  const value = fields.required(name)
  if (typeof value !== 'string') throw new ShapeError('shape/wrong-type', fields.at(name), 'expected hexadecimal')
  if (value.length > maxLength) {
    throw new ShapeError('shape/bad-value', fields.at(name), `expected at most ${maxLength} digits`)
  }
  return parseHex(value)
}

/** The guest chooses names: they are compared, and shown escaped. */
function readName(fields: Fields): string {
  const value = fields.required('event')
  if (typeof value === 'string' && value.length <= 1024) return value
  throw new ShapeError('shape/wrong-type', fields.at('event'), 'expected a text')
}

/** What a log that holds says. */
export interface DstackReading {
  /** Registers that it explains. */
  readonly registers: readonly number[]
  /** Payloads by name, hexadecimal. */
  readonly values: ReadonlyMap<DstackEventName, string>
}

/**
 * Proves that the log gives the registers, and reads what the guest measured of itself, or throws. MRCONFIGID, where it is
 * of the form that names a compose hash, must name the one of the log.
 *
 * @throws {CountersignError} `evidence/mismatch`
 */
export function verifyDstackLog(
  crypto: Crypto,
  events: readonly DstackEvent[],
  registers: readonly Uint8Array[],
  mrConfigId: Uint8Array,
): DstackReading {
  const measured = events.map((event) => measure(crypto, event))
  const explained = verifyReplay(crypto, measured, registers)
  const values = explained.includes(RUNTIME_REGISTER) ? readValues(events) : new Map<DstackEventName, string>()
  requireComposeHash(values.get('compose-hash'), mrConfigId)
  return { registers: explained, values }
}

function measure(crypto: Crypto, event: DstackEvent): LoggedEvent {
  const { register, type, digest, name } = event
  if (type !== RUNTIME_EVENT) return { register, type, digest }
  const made = crypto.sha384(event.version === 1 ? firstForm(event) : secondForm(event))
  if (digest.length > 0 && !equalBytes(digest, made)) {
    throw new CountersignError(
      'evidence/mismatch',
      `the event ${quote(name)} does not have the digest that the log gives`,
    )
  }
  return { register, type, digest: made }
}

function firstForm({ name, payload }: DstackEvent): Uint8Array {
  return concat(RUNTIME_EVENT_BYTES, COLON, utf8(name), COLON, payload)
}

/** Canonical JSON of three members in the order of their names. @spec RFC 8785 */
function secondForm({ name, payload }: DstackEvent): Uint8Array {
  return utf8(`{"name":${JSON.stringify(name)},"payload":"${toHex(payload)}","type":${RUNTIME_EVENT}}`)
}

function readValues(events: readonly DstackEvent[]): ReadonlyMap<DstackEventName, string> {
  const values = new Map<DstackEventName, string>()
  let isReady = false
  for (const { register, type, name, payload, version } of events) {
    if (register !== RUNTIME_REGISTER) continue
    if (type !== RUNTIME_EVENT) {
      if (isReady) continue
      // Nobody measures the type of such an event: any event could be shown as one, and what it says be hidden.
      throw new CountersignError('evidence/mismatch', `an event of the type ${type} may hide what the guest measured`)
    }
    if (version === 1 && !isReady && name.includes(':')) {
      throw new CountersignError('evidence/mismatch', `the name ${quote(name)} could end at another colon as well`)
    }
    const known = DSTACK_EVENT_NAMES.find((each) => each === name)
    if (known !== undefined) addValue(values, known, toHex(payload), isReady)
    if (name === SYSTEM_READY) isReady = true
  }
  return values
}

function addValue(values: Map<DstackEventName, string>, name: DstackEventName, value: string, isReady: boolean): void {
  const before = values.get(name)
  if (before !== undefined && before !== value) {
    throw new CountersignError('evidence/mismatch', `the event ${name} is there twice, with different values`)
  }
  if (!isReady) values.set(name, value)
}

function requireComposeHash(composeHash: string | undefined, mrConfigId: Uint8Array): void {
  if (mrConfigId[0] !== 1 || composeHash === undefined) return
  const named = toHex(mrConfigId.subarray(1))
  if (named === composeHash.padEnd(named.length, '0')) return
  throw new CountersignError('evidence/mismatch', 'MRCONFIGID names another compose hash than the log')
}
