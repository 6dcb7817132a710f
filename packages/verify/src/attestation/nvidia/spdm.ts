/**
 * Reports of NVIDIA's GPUs as the GPU signs them: the SPDM request for measurements, and the response to it. Parsed only: nothing
 * here is proven. @spec DMTF DSP0274 1.1.1 §10.11 (GET_MEASUREMENTS, MEASUREMENTS)
 */
import { CountersignError } from '../../errors.ts'
import { ByteReader, littleEndian } from '../byte-reader.ts'

/** Unverified. */
export interface SpdmReport {
  /** Request and response up to the signature: what is signed. */
  readonly signedBytes: Uint8Array
  /** r ‖ s, 96 bytes. */
  readonly signature: Uint8Array
  /** The caller's challenge, 32 bytes. */
  readonly nonce: Uint8Array
  /** By index from 1. */
  readonly measurements: ReadonlyMap<number, Uint8Array>
  /** NVIDIA's own fields, by type; see {@link OPAQUE}. */
  readonly opaque: ReadonlyMap<number, Uint8Array>
}

/** Types of opaque fields that are read here. */
export const OPAQUE = {
  driverVersion: 3,
  vbiosVersion: 6,
  boardId: 14,
  chipSku: 15,
  project: 17,
  projectSku: 18,
  firmwareId: 20,
  protectedPcie: 21,
  featureFlag: 36,
} as const

const VERSION_1_1 = 0x11
const GET_MEASUREMENTS = 0xe0
const MEASUREMENTS = 0x60
const SIGNATURE_REQUESTED = 0x01
const ALL_MEASUREMENTS = 0xff
const DMTF_SPECIFICATION = 0x01

const REQUEST_BYTES = 37
const NONCE_AT = 4
const NONCE_BYTES = 32
const SLOT_AT = 36
const MAX_SLOT = 7
const RESPONSE_HEAD_BYTES = 8
const SIGNATURE_BYTES = 96
const MAX_REPORT_BYTES = 64 * 1024
const MAX_VALUE_BYTES = 64
const MAX_OPAQUE_FIELDS = 64

/**
 * Reads request ‖ response. Nothing is left over: the signature is the last of it.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`
 */
export function parseSpdmReport(bytes: Uint8Array): SpdmReport {
  if (bytes.length > MAX_REPORT_BYTES) throw malformed(`it has more than ${MAX_REPORT_BYTES} bytes`)
  const reader = new ByteReader(bytes, 'the report')
  const request = reader.take(REQUEST_BYTES)
  requireHead(request, GET_MEASUREMENTS)
  if (request[2] !== SIGNATURE_REQUESTED || request[3] !== ALL_MEASUREMENTS) {
    throw new CountersignError('evidence/unsupported', 'the request does not ask for all measurements, signed')
  }
  if ((request[SLOT_AT] ?? 0xff) > MAX_SLOT) throw malformed('the request names no slot')
  const head = reader.take(RESPONSE_HEAD_BYTES)
  requireHead(head, MEASUREMENTS)
  const measurements = readMeasurements(reader.take(littleEndian(head.subarray(5))), head[4] ?? 0)
  // The nonce of the GPU: it makes signatures differ, and answers nobody.
  reader.take(NONCE_BYTES)
  const opaque = readOpaque(reader.take(reader.uint16()))
  const signedBytes = bytes.subarray(0, reader.offset)
  const signature = reader.take(SIGNATURE_BYTES)
  reader.end()
  return { signedBytes, signature, nonce: request.subarray(NONCE_AT, NONCE_AT + NONCE_BYTES), measurements, opaque }
}

function requireHead(message: Uint8Array, code: number): void {
  if (message[0] !== VERSION_1_1) throw new CountersignError('evidence/unsupported', 'the report is not of SPDM 1.1')
  if (message[1] !== code) throw malformed('it is not a request for measurements and its response')
}

function readMeasurements(record: Uint8Array, count: number): ReadonlyMap<number, Uint8Array> {
  const reader = new ByteReader(record, 'the list of measurements')
  const measurements = new Map<number, Uint8Array>()
  for (let i = 0; i < count; i++) {
    const [index, specification] = [reader.uint8(), reader.uint8()]
    const block = new ByteReader(reader.take(reader.uint16()), `the measurement ${index}`)
    // Its kind, as DMTF sorts them.
    block.uint8()
    const value = block.take(block.uint16())
    if (specification !== DMTF_SPECIFICATION || block.left !== 0 || value.length > MAX_VALUE_BYTES) {
      throw malformed(`the measurement ${index} is not of the form that DMTF gives`)
    }
    if (measurements.has(index)) throw malformed(`the measurement ${index} is there twice`)
    measurements.set(index, value)
  }
  reader.end()
  return measurements
}

function readOpaque(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const reader = new ByteReader(bytes, 'the list of opaque fields')
  const fields = new Map<number, Uint8Array>()
  while (reader.left > 0) {
    const type = reader.uint16()
    if (fields.has(type) || fields.size === MAX_OPAQUE_FIELDS) {
      throw malformed(`the opaque field ${type} is there twice, or there are too many`)
    }
    fields.set(type, reader.take(reader.uint16()))
  }
  return fields
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', `not a report of a GPU: ${why}`)
}

/** Where no signature reaches: nowhere, since nothing may follow the signature. */
export function unsignedRegions(_bytes: Uint8Array): readonly { from: number; to: number; why: string }[] {
  return []
}
