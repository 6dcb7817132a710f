/** Collateral in the forms in which people have it: a bundle of ours, or what the makers of hardware serve. Nothing is verified. */
import type { Json } from '../../bytes/json.ts'
import { CountersignError } from '../../errors.ts'
import { COLLATERAL_FORMAT, type CollateralItem, parseCollateral } from '../collateral.ts'
import { importDcapCollateral } from '../tdx/collateral-import.ts'
import { readCertificateTable } from './certificate-table.ts'
import { isRecord, jsonIn } from './json-in.ts'
import { parseAnyBase64, readingsOf, textIn } from './text-forms.ts'

const PEM = /-----BEGIN (CERTIFICATE|X509 CRL)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g
const DER_SEQUENCE = 0x30

/**
 * Tells by its bytes what a file is: a bundle, JSON of Intel or of `dcap-qvl`, a key set, certificates and revocation lists in PEM
 * or DER, also as hexadecimal or base64, or a host's table of certificates.
 *
 * @throws {CountersignError} `collateral/malformed` when nothing is recognised, and what reading the file throws
 */
export function importCollateral(file: Uint8Array): readonly CollateralItem[] {
  const json = jsonIn(file)
  if (json !== undefined) return ofJson(json, file)
  const text = textIn(file)
  const found = text === undefined ? ofBytes(file) : (ofPem(text) ?? ofText(text))
  if (found !== undefined) return found
  throw unknown()
}

/** Certificates and lists in one text or one run of bytes; `undefined` where there are none. */
export function importCertificates(value: Uint8Array | string): readonly CollateralItem[] | undefined {
  if (typeof value === 'string') return ofPem(value) ?? ofText(value)
  const text = textIn(value)
  return ofBytes(value) ?? (text === undefined ? undefined : ofPem(text))
}

function ofJson(json: Json, file: Uint8Array): readonly CollateralItem[] {
  if (isRecord(json)) {
    if (json.format === COLLATERAL_FORMAT) return parseCollateral(file).items
    if (json.tcb_info !== undefined) return importDcapCollateral(file).items
    if (json.tcbInfo !== undefined) return [{ kind: 'intel-tcb-info', content: file }]
    if (json.enclaveIdentity !== undefined) return [{ kind: 'intel-qe-identity', content: file }]
    if (json.keys !== undefined) return [{ kind: 'jwks', content: file }]
  }
  throw unknown()
}

function ofPem(given: string): readonly CollateralItem[] | undefined {
  // Intel's service writes chains of issuers into headers, where they are escaped.
  const text = given.includes('BEGIN%20') ? (unescaped(given) ?? given) : given
  const blocks = [...text.matchAll(PEM)].map(([, label, body = '']) => ({
    kind: label === 'CERTIFICATE' ? ('certificate' as const) : ('crl' as const),
    content: parseAnyBase64(body),
  }))
  return blocks.length > 0 ? blocks : undefined
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.trim())
  } catch {
    return undefined
  }
}

/** Bytes that were written as text; PEM may be inside. */
function ofText(text: string): readonly CollateralItem[] | undefined {
  for (const bytes of readingsOf(text)) {
    const inner = textIn(bytes)
    const found = ofBytes(bytes) ?? (inner === undefined ? undefined : ofPem(inner))
    if (found !== undefined) return found
  }
  return undefined
}

/** One value in DER, several without a gap, or a table of such. */
function ofBytes(bytes: Uint8Array): readonly CollateralItem[] | undefined {
  if (bytes[0] !== DER_SEQUENCE) {
    return readCertificateTable(bytes)?.flatMap((each) => importCertificates(each) ?? [])
  }
  const items: CollateralItem[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + lengthOfDer(bytes, at)
    if (bytes[at] !== DER_SEQUENCE || end > bytes.length) return undefined
    const content = bytes.subarray(at, end)
    items.push({ kind: kindOfDer(content), content })
    at = end
  }
  return items
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

/** Of tag, length and content; more than there can be where the length is of no known form. */
function lengthOfDer(der: Uint8Array, at: number): number {
  const begin = contentStart(der, at)
  const sizeBytes = begin - at - 2
  if (sizeBytes === 0) return 2 + (der[at + 1] ?? 0)
  if (sizeBytes > 4) return Number.MAX_SAFE_INTEGER
  let length = 0
  for (let i = at + 2; i < begin; i++) length = length * 256 + (der[i] ?? 0)
  return begin - at + length
}

function unknown(): CountersignError {
  return new CountersignError(
    'collateral/malformed',
    'not collateral that is known here: certificates and revocation lists (PEM or DER), TCB information, identities, key sets, bundles',
  )
}
