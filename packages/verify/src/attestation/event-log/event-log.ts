import type { Crypto } from '../../crypto/crypto.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { parseCcel } from './ccel.ts'
import { parseDstackLog, verifyDstackLog } from './dstack.ts'
import { verifyReplay } from './replay.ts'

/** What an event log that holds says. */
export interface EventLogReading {
  /** RTMRs that the log explains; of the others it says nothing. */
  readonly registers: readonly number[]
  /** What the guest measured of itself, by name, hexadecimal. */
  readonly values: ReadonlyMap<string, string>
}

/**
 * Proves that an event log gives the RTMRs, or throws. Says nothing of who reported the RTMRs.
 *
 * @throws {CountersignError} `evidence/mismatch`, `evidence/malformed`, `evidence/unsupported`, `json/*`, `bytes/*`, `shape/*`
 */
export function verifyEventLog(
  crypto: Crypto,
  log: NonNullable<EvidenceItem['eventLog']>,
  registers: readonly Uint8Array[],
  mrConfigId: Uint8Array,
): EventLogReading {
  switch (log.format) {
    case 'dstack':
      return verifyDstackLog(crypto, parseDstackLog(log.content), registers, mrConfigId)
    case 'ccel':
      return { registers: verifyReplay(crypto, parseCcel(log.content), registers), values: new Map() }
  }
}
