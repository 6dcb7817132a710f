/** Reads `limits`. @spec spec/config.md */
import { type Fields, ShapeError } from '@countersign/verify'
import { DEFAULT_LIMITS, type Limits } from './config.ts'

const KIB = 1024
const MIB = 1024 * KIB
const MAX_RATE = 1_000_000

/** Least and most of each, in the order of the page. */
const RANGES: { readonly [name in keyof Limits]: readonly [minimum: number, maximum: number] } = {
  bodyBytes: [KIB, 64 * MIB],
  heldBytes: [64 * KIB, 64 * MIB],
  streamFrameBytes: [64 * KIB, 64 * MIB],
  bytesInFlight: [MIB, 1024 * 1024 * MIB],
  inFlight: [1, 4096],
  logRequestsPerSecond: [1, MAX_RATE],
  logRequestsBurst: [1, MAX_RATE],
  receiptRequestsPerSecond: [1, MAX_RATE],
  receiptRequestsBurst: [1, MAX_RATE],
  freeDiskBytes: [MIB, Number.MAX_SAFE_INTEGER],
}

/** @throws {ShapeError} `shape/*` */
export function readLimits(fields: Fields): Limits {
  const limits = { ...DEFAULT_LIMITS }
  for (const name of Object.keys(RANGES) as (keyof Limits)[]) {
    const [minimum, maximum] = RANGES[name]
    limits[name] = fields.optional(name, () => fields.integer(name, minimum, maximum)) ?? DEFAULT_LIMITS[name]
  }
  fields.end()
  // A body or an answer that does not fit beside nothing else would wait for ever.
  const largest = Math.max(limits.bodyBytes, limits.heldBytes)
  if (limits.bytesInFlight >= largest) return limits
  const why = `expected at least bodyBytes and heldBytes, ${largest}`
  throw new ShapeError('shape/bad-value', fields.at('bytesInFlight'), why)
}
