/**
 * From the key that signed a report to AMD's root: VCEK ← SEV-Milan ← ARK-Milan, VLEK ← SEV-VLEK-Milan ← ARK-Milan, and so on.
 *
 * The root's revocation list speaks of the intermediates. No list speaks of the keys of single chips: all their certificates
 * have the serial number 0, and a firmware that is no longer trusted is refused by its TCB version.
 */
import type { Memory } from '../../bytes/memory.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import type { AppraisalInput } from '../appraised.ts'
import { itemsOf } from '../collateral.ts'
import { firstThat, readable, readItems } from '../readable.ts'
import { VENDOR_ROOTS } from '../roots.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { requireNotRevoked, verifyChain, verifyCrl } from '../x509/chain.ts'
import { type Crl, parseCrl } from '../x509/crl.ts'
import type { SnpProduct } from './tcb-version.ts'
import { hasKeyExtensions } from './vcek-extension.ts'

/** Keys that reports are accepted under. */
export type AcceptedKey = 'vcek' | 'vlek'

/** From the key that signs reports up to the root. */
export type SigningChain = readonly [leaf: Certificate, intermediate: Certificate, root: Certificate]

const LEAF_NAMES: { readonly [key in AcceptedKey]: string } = { vcek: 'SEV-VCEK', vlek: 'SEV-VLEK' }
const LINE_NAMES: { readonly [product in SnpProduct]: string } = { milan: 'Milan', genoa: 'Genoa', turin: 'Turin' }

/** Most chains that are tried where a bundle has several certificates of one name. */
const MAX_TRIED = 16

/** The certificates of a bundle; how many could not be read. */
export function readCertificates({ collateral, memory }: AppraisalInput): {
  readonly certificates: readonly Certificate[]
  readonly unreadable: number
} {
  const read = () => {
    const { items, unreadable } = readItems(itemsOf(collateral, 'certificate'), (der) => parseCertificate(der, memory))
    return { certificates: items, unreadable: unreadable.length }
  }
  return memory === undefined ? read() : memory.recallOf('sev-snp/certificates', collateral, collateral, read)
}

/** Certificates that can be of the key; which of them is meant, report and caller have to tell. */
export function leavesOf(certificates: readonly Certificate[], key: AcceptedKey): readonly Certificate[] {
  return certificates.filter((each) => each.commonName === LEAF_NAMES[key] && hasKeyExtensions(each))
}

/** Names of the intermediate and the root that the key of a product has to lead to. */
export function issuerNames(key: AcceptedKey, product: SnpProduct): readonly [intermediate: string, root: string] {
  const line = LINE_NAMES[product]
  return [key === 'vcek' ? `SEV-${line}` : `SEV-VLEK-${line}`, `ARK-${line}`]
}

/** Chains that a bundle's certificates may form above a leaf; empty where an issuer is missing. Nothing is proven of them. */
export function chainsOf(leaf: Certificate, certificates: readonly Certificate[]): readonly SigningChain[] {
  const chains: SigningChain[] = []
  for (const intermediate of certificates.filter(({ subject }) => subject === leaf.issuer)) {
    for (const root of certificates.filter(({ subject }) => subject === intermediate.issuer)) {
      chains.push([leaf, intermediate, root])
    }
  }
  return chains.slice(0, MAX_TRIED)
}

/**
 * The first of the chains that holds: pinned root of the product, names, signatures, use and dates.
 *
 * @throws {CountersignError} `certificate/*`, as the first chain fails
 */
export function verifySigningChain(
  { crypto, atMs, memory, roots }: AppraisalInput,
  chains: readonly SigningChain[],
  key: AcceptedKey,
  product: SnpProduct,
): SigningChain {
  const [intermediateName, rootName] = issuerNames(key, product)
  const rules = {
    roots: (roots ?? VENDOR_ROOTS).amd[product],
    atMs,
    names: [[LEAF_NAMES[key]], [intermediateName], [rootName]],
  }
  return firstThat(chains, (chain) => {
    verifyChain(crypto, chain, rules, memory)
    return chain
  })
}

/**
 * The lists of a bundle that name the root as their issuer, and whether there are lists that cannot be read: those might.
 */
export function listsOf(
  root: Certificate,
  { collateral, memory }: AppraisalInput,
): { readonly lists: readonly Crl[]; readonly hasUnreadable: boolean } {
  const read = () => readItems(itemsOf(collateral, 'crl'), (der) => parseCrl(der, memory))
  const all = memory === undefined ? read() : memory.recallOf('sev-snp/crls', collateral, collateral, read)
  return { lists: all.items.filter(({ issuer }) => issuer === root.subject), hasUnreadable: all.unreadable.length > 0 }
}

/**
 * Proves that the intermediate is not revoked, by every list that is the root's word at the time; at least one has to be. The
 * moment until which they all are.
 *
 * @throws {CountersignError} `certificate/*`
 */
export function verifyNotRevoked(
  { crypto, atMs, memory }: { readonly crypto: Crypto; readonly atMs: number; readonly memory: Memory | undefined },
  [, intermediate, root]: SigningChain,
  lists: readonly Crl[],
): number {
  firstThat(lists, (list) => verifyCrl(crypto, list, root, atMs, memory))
  let currentUntilMs = Number.MAX_SAFE_INTEGER
  for (const list of lists) {
    const isCurrent = readable(() => {
      verifyCrl(crypto, list, root, atMs, memory)
      return true
    })
    if (isCurrent !== true) continue
    requireNotRevoked(intermediate, list)
    currentUntilMs = Math.min(currentUntilMs, list.nextUpdateMs ?? 0)
  }
  return currentUntilMs
}
