/** Event logs: what was measured into the RTMRs, step by step. A log is believed as far as its replay gives the registers. */
import { concat, equalBytes, toHex } from '../../bytes/bytes.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { CountersignError } from '../../errors.ts'

export const RTMR_COUNT = 4
export const DIGEST_BYTES = 48
export const MAX_EVENTS = 8192

/** One measurement: RTMR = SHA-384(RTMR ‖ digest). */
export interface LoggedEvent {
  /** 0 to 3. */
  readonly register: number
  readonly type: number
  readonly digest: Uint8Array
}

/**
 * Proves that the events of each register that the log speaks of give its value, or throws. Registers without an event in the
 * log stay unexplained: they are not in the answer, and nothing is said of them.
 *
 * @throws {CountersignError} `evidence/mismatch`
 */
export function verifyReplay(
  crypto: Crypto,
  events: readonly LoggedEvent[],
  registers: readonly Uint8Array[],
): readonly number[] {
  const replayed = new Map<number, Uint8Array>()
  for (const { register, digest } of events) {
    const before = replayed.get(register) ?? new Uint8Array(DIGEST_BYTES)
    replayed.set(register, crypto.sha384(concat(before, digest)))
  }
  for (const [register, value] of replayed) {
    const reported = registers[register] ?? new Uint8Array(0)
    if (equalBytes(value, reported)) continue
    throw new CountersignError(
      'evidence/mismatch',
      `the events of RTMR${register} give ${toHex(value)}, and the report has ${toHex(reported)}`,
    )
  }
  return [...replayed.keys()].sort()
}
