/** Collateral as files come: a bundle of ours, or what the makers of hardware serve. */
import {
  COLLATERAL_FORMAT,
  type CollateralBundle,
  type CollateralItem,
  CountersignError,
  importDcapCollateral,
  parseCollateral,
} from '@countersign/verify'
import { isRecord, parseJsonText, textOf } from './evidence-input.ts'

const PEM = /-----BEGIN (CERTIFICATE|X509 CRL)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g
const DER_SEQUENCE = 0x30

/**
 * Tells by its bytes what a file is. Nothing is verified here.
 *
 * @throws {CountersignError} `collateral/malformed` when nothing is recognised, and what reading the file throws
 */
export function readCollateral(file: Uint8Array): readonly CollateralItem[] {
  const json = parseJsonText(file)
  if (isRecord(json)) {
    if (json.format === COLLATERAL_FORMAT) return parseCollateral(file).items
    if (json.tcb_info !== undefined) return importDcapCollateral(file).items
    if (json.tcbInfo !== undefined) return [{ kind: 'intel-tcb-info', content: file }]
    if (json.enclaveIdentity !== undefined) return [{ kind: 'intel-qe-identity', content: file }]
    if (json.keys !== undefined) return [{ kind: 'jwks', content: file }]
  }
  if (file[0] === DER_SEQUENCE) return [{ kind: kindOfDer(file), content: file }]
  const blocks = [...textOf(file).matchAll(PEM)].map(([, label, body = '']) => ({
    kind: label === 'CERTIFICATE' ? ('certificate' as const) : ('crl' as const),
    content: new Uint8Array(Buffer.from(body, 'base64')),
  }))
  if (blocks.length > 0) return blocks
  throw new CountersignError(
    'collateral/malformed',
    'not collateral that is known here: certificates and revocation lists (PEM or DER), TCB information, identities, key sets, bundles',
  )
}

/** All files as one bundle. */
export function joinCollateral(parts: readonly (readonly CollateralItem[])[]): CollateralBundle {
  return { items: parts.flat() }
}

/**
 * A certificate begins its inner sequence with a version in a context tag, or with a serial number; a list with a version as a
 * plain integer of one byte, or with an algorithm.
 */
function kindOfDer(der: Uint8Array): 'certificate' | 'crl' {
  const inner = contentStart(der, contentStart(der, 0))
  if (der[inner] === 0xa0) return 'certificate'
  const isShortInteger = der[inner] === 0x02 && der[inner + 1] === 0x01
  return isShortInteger || der[inner] === DER_SEQUENCE ? 'crl' : 'certificate'
}

function contentStart(der: Uint8Array, at: number): number {
  const length = der[at + 1] ?? 0
  return at + 2 + (length & 0x80 ? length & 0x7f : 0)
}
