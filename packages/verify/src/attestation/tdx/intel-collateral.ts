/** What a bundle holds of Intel's: read, and nothing of it proven. A bundle may hold the like of many platforms and makers. */
import type { Memory } from '../../bytes/memory.ts'
import { type CollateralBundle, itemsOf } from '../collateral.ts'
import { firstThat, type ReadItems, readItems } from '../readable.ts'
import { type Certificate, latin1, parseCertificate } from '../x509/certificate.ts'
import { type Crl, parseCrl } from '../x509/crl.ts'
import { parseQeIdentity, type UnverifiedQeIdentity } from './qe-identity.ts'
import { parseTcbInfo, type UnverifiedTcbInfo } from './tcb-info.ts'

export interface IntelCollateral {
  readonly certificates: ReadItems<Certificate>
  readonly crls: ReadItems<Crl>
  readonly tcbInfos: ReadItems<UnverifiedTcbInfo>
  readonly qeIdentities: ReadItems<UnverifiedQeIdentity>
}

/**
 * Reads the items that Intel may have made. What cannot be read is kept as an error, and refuses only who finds nothing else:
 * another maker's item must not get in the way, nor may garbage count as nothing.
 */
export function readIntelCollateral(bundle: CollateralBundle, memory: Memory | undefined): IntelCollateral {
  const readAll = () => ({
    certificates: readItems(itemsOf(bundle, 'certificate'), (bytes) => parseCertificate(bytes, memory)),
    crls: readItems(itemsOf(bundle, 'crl'), (bytes) => parseCrl(bytes, memory)),
    tcbInfos: readItems(itemsOf(bundle, 'intel-tcb-info'), (bytes) =>
      once(memory, 'tdx/tcb-info', bytes, parseTcbInfo),
    ),
    qeIdentities: readItems(itemsOf(bundle, 'intel-qe-identity'), (bytes) =>
      once(memory, 'tdx/qe-identity', bytes, parseQeIdentity),
    ),
  })
  return memory === undefined ? readAll() : memory.recallOf('tdx/collateral', bundle, bundle, readAll)
}

/** The same bytes are read once; what comes back then is the same object. */
function once<T>(memory: Memory | undefined, kind: string, bytes: Uint8Array, parse: (bytes: Uint8Array) => T): T {
  return memory === undefined ? parse(bytes) : memory.recall(kind, latin1(bytes), () => parse(bytes))
}

/**
 * What `verify` proves of the newest item that it lets through.
 *
 * @throws {CountersignError} what it has against the newest of all; where there is none, why the first could not be read
 */
export function newestThat<T, R>(
  { items, unreadable }: ReadItems<T>,
  madeAtMs: (item: T) => number,
  verify: (item: T) => R,
): R {
  return firstThat(
    [...items].sort((a, b) => madeAtMs(b) - madeAtMs(a)),
    verify,
    unreadable[0],
  )
}
