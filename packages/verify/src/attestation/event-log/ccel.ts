/**
 * The firmware's event log as the CCEL table of ACPI points to it: TCG's crypto-agile form, with SHA-384 digests. Its
 * register numbers are one above those of the RTMRs: 1 is RTMR0, 4 is RTMR3; 0 is MRTD, which is not replayed.
 *
 * The log proves which digests were measured, in which order. What the events say beside their digests is not looked at.
 *
 * @spec TCG PC Client Platform Firmware Profile §10.4; UEFI Specification §38.2.2, §38.4.1
 */
import { toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import { ByteReader, isZero } from '../byte-reader.ts'
import { DIGEST_BYTES, type LoggedEvent, MAX_EVENTS, RTMR_COUNT } from './replay.ts'

const EV_NO_ACTION = 3
/** "Spec ID Event03", and a zero. */
const SPEC_ID = '53706563204944204576656e74303300'
const SHA384 = 0x000c
const SHA1_BYTES = 20
const END_OF_LOG = 0xffffffff
/** Signature, platform class, versions, width of numbers. */
const HEADER_BYTES = 24
const MAX_ALGORITHMS = 8

/**
 * Reads a log; believes nothing of it. Only measured events are in the answer.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`
 */
export function parseCcel(bytes: Uint8Array): readonly LoggedEvent[] {
  const reader = new ByteReader(bytes, 'the event log')
  readSpecId(reader)
  const events: LoggedEvent[] = []
  while (!isPadding(bytes.subarray(reader.offset))) {
    const index = reader.uint32()
    const type = reader.uint32()
    const digest = readDigest(reader)
    reader.take(reader.uint32())
    if (type === EV_NO_ACTION || index === 0) continue
    if (index > RTMR_COUNT) throw malformed(`an event of register ${index}; the last is ${RTMR_COUNT}`)
    if (events.length === MAX_EVENTS) throw malformed(`more than ${MAX_EVENTS} events`)
    events.push({ register: index - 1, type, digest })
  }
  return events
}

/** The table is larger than its log; what is left over has one value throughout. */
function isPadding(rest: Uint8Array): boolean {
  return isZero(rest) || rest.every((byte) => byte === 0xff)
}

/** The first event, in the old form: it says which digests the others have. */
function readSpecId(reader: ByteReader): void {
  if (reader.uint32() === END_OF_LOG) throw malformed('the log is empty')
  if (reader.uint32() !== EV_NO_ACTION) throw malformed('the log does not begin with its identification')
  reader.take(SHA1_BYTES)
  const event = new ByteReader(reader.take(reader.uint32()), 'the identification of the event log')
  const header = event.take(HEADER_BYTES)
  if (toHex(header.subarray(0, 16)) !== SPEC_ID) throw malformed('the log is not of the form that names its digests')
  const count = event.uint32()
  if (count === 0 || count > MAX_ALGORITHMS) throw malformed(`${count} kinds of digests`)
  const algorithms = Array.from({ length: count }, () => ({ id: event.uint16(), bytes: event.uint16() }))
  event.take(event.uint8())
  event.end()
  const [only] = algorithms
  if (algorithms.length !== 1 || only?.id !== SHA384 || only.bytes !== DIGEST_BYTES) {
    throw new CountersignError('evidence/unsupported', 'event logs with other digests than SHA-384 are not supported')
  }
}

function readDigest(reader: ByteReader): Uint8Array {
  const count = reader.uint32()
  if (count !== 1) throw malformed(`an event with ${count} digests`)
  if (reader.uint16() !== SHA384) throw malformed('an event with another digest than SHA-384')
  return reader.take(DIGEST_BYTES)
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', `the event log: ${why}`)
}
