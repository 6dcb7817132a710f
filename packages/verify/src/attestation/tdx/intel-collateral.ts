/** What a bundle holds of Intel's: read, and nothing of it proven. A bundle may hold the like of many platforms and makers. */
import type { Memory } from '../../bytes/memory.ts'
import { CountersignError } from '../../errors.ts'
import { type CollateralBundle, type CollateralKind, itemsOf } from '../collateral.ts'
import { type Certificate, latin1, parseCertificate } from '../x509/certificate.ts'
import { type Crl, parseCrl } from '../x509/crl.ts'
import { parseQeIdentity, type UnverifiedQeIdentity } from './qe-identity.ts'
import { parseTcbInfo, type UnverifiedTcbInfo } from './tcb-info.ts'

/** Items of one kind that could be read, and why the others could not. */
export interface ReadItems<T> {
  readonly items: readonly T[]
  readonly unreadable: readonly CountersignError[]
}

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
    certificates: readItems(bundle, 'certificate', (bytes) => parseCertificate(bytes, memory)),
    crls: readItems(bundle, 'crl', (bytes) => parseCrl(bytes, memory)),
    tcbInfos: readItems(bundle, 'intel-tcb-info', (bytes) => once(memory, 'tdx/tcb-info', bytes, parseTcbInfo)),
    qeIdentities: readItems(bundle, 'intel-qe-identity', (bytes) =>
      once(memory, 'tdx/qe-identity', bytes, parseQeIdentity),
    ),
  })
  return memory === undefined ? readAll() : memory.recallOf('tdx/collateral', bundle, bundle, readAll)
}

function readItems<T>(bundle: CollateralBundle, kind: CollateralKind, parse: (bytes: Uint8Array) => T): ReadItems<T> {
  const items: T[] = []
  const unreadable: CountersignError[] = []
  for (const content of itemsOf(bundle, kind)) {
    try {
      items.push(parse(content))
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      unreadable.push(thrown)
    }
  }
  return { items, unreadable }
}

/** The same bytes are read once; what comes back then is the same object. */
function once<T>(memory: Memory | undefined, kind: string, bytes: Uint8Array, parse: (bytes: Uint8Array) => T): T {
  return memory === undefined ? parse(bytes) : memory.recall(kind, latin1(bytes), () => parse(bytes))
}

/**
 * What `verify` proves of the newest item that it lets through. Throws what it has against the newest of all, or against the
 * first that could not be read where there is no other.
 */
export function newestThat<T, R>(
  { items, unreadable }: ReadItems<T>,
  madeAtMs: (item: T) => number,
  verify: (item: T) => R,
): R {
  let refusal: CountersignError | undefined
  for (const item of [...items].sort((a, b) => madeAtMs(b) - madeAtMs(a))) {
    try {
      return verify(item)
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      refusal ??= thrown
    }
  }
  throw refusal ?? unreadable[0] ?? new CountersignError('collateral/missing', 'there is nothing of the kind')
}
