/** What AMD writes into the certificates of keys that sign reports. @spec AMD 57230 (VCEK Certificate and KDS Interface), "VCEK and VLEK certificates" */
import { parseUtf8 } from '../../bytes/bytes.ts'
import { CountersignError, quote } from '../../errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { integerOf, octetString, parseDer, requireTag, TAG } from '../x509/der.ts'
import { type SnpProduct, TCB_EXTENSIONS } from './tcb-version.ts'

const AMD = '1.3.6.1.4.1.3704.1'
const STRUCT_VERSION = `${AMD}.1`
const PRODUCT_NAME = `${AMD}.2`
const SECURITY_VERSION = `${AMD}.3`
const HARDWARE_ID = `${AMD}.4`
const CLOUD_ID = `${AMD}.5`

/** Every security version that a certificate can have: a product line's certificates have its own, and no other. */
const ALL_VERSIONS = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const

/** Version of the extensions: Turin came with the second one. */
const STRUCT_VERSIONS: { readonly [product in SnpProduct]: number } = { milan: 0, genoa: 0, turin: 1 }

const HARDWARE_ID_BYTES: { readonly [product in SnpProduct]: number } = { milan: 64, genoa: 64, turin: 8 }

/** Longest name of a product or a cloud. */
const MAX_NAME_BYTES = 64

/** What the certificate of a VCEK or VLEK says of the key, the chip and its firmware. As good as the certificate is. */
export interface KeyExtensions {
  /** As it stands there, such as `Milan-B0`. */
  readonly productName: string
  readonly product: SnpProduct
  /** Eight bytes in the order in which the product's reports have them. */
  readonly tcb: Uint8Array
  /** The chip; VCEK alone. 64 bytes, 8 on Turin. */
  readonly hardwareId: Uint8Array | undefined
  /** The cloud whose machines have the key; VLEK alone. */
  readonly cloudId: string | undefined
}

/** Whether a certificate has extensions of AMD at all: what to look for among others. */
export function hasKeyExtensions({ extensions }: Certificate): boolean {
  return extensions.has(STRUCT_VERSION)
}

/**
 * Reads the extensions of a certificate for a VCEK or a VLEK.
 *
 * @throws {CountersignError} `certificate/malformed`, `der/malformed`; `evidence/unsupported` for a product that is not known
 */
export function parseKeyExtensions(certificate: Certificate): KeyExtensions {
  const productName = parseUtf8(nameIn(certificate, PRODUCT_NAME))
  const product = productOf(productName)
  const structVersion = numberIn(certificate, STRUCT_VERSION)
  if (structVersion !== STRUCT_VERSIONS[product]) {
    throw malformed(`version ${structVersion} of AMD's extensions does not go with ${product}`)
  }
  const numbers = TCB_EXTENSIONS[product]
  const stray = ALL_VERSIONS.find((n) => !numbers.includes(n) && certificate.extensions.has(`${SECURITY_VERSION}.${n}`))
  if (stray !== undefined) throw malformed(`the extension ${SECURITY_VERSION}.${stray} does not go with ${product}`)
  const hasCloud = certificate.extensions.has(CLOUD_ID)
  if (hasCloud === certificate.extensions.has(HARDWARE_ID)) {
    throw malformed('the certificate has to name either a chip or a cloud')
  }
  return {
    productName,
    product,
    tcb: Uint8Array.from(numbers, (n) => numberIn(certificate, `${SECURITY_VERSION}.${n}`)),
    hardwareId: hasCloud ? undefined : hardwareIdIn(certificate, product),
    cloudId: hasCloud ? parseUtf8(nameIn(certificate, CLOUD_ID)) : undefined,
  }
}

function productOf(name: string): SnpProduct {
  // The stepping follows after a hyphen.
  const [line = ''] = name.split('-', 1)
  switch (line) {
    case 'Milan':
      return 'milan'
    // Their keys are issued in the line of Genoa.
    case 'Genoa':
    case 'Bergamo':
    case 'Siena':
      return 'genoa'
    case 'Turin':
      return 'turin'
    default:
      throw new CountersignError('evidence/unsupported', `the product ${quote(name)} is not known here`)
  }
}

function valueIn({ extensions }: Certificate, oid: string): Uint8Array {
  const extension = extensions.get(oid)
  if (extension === undefined) throw malformed(`the certificate has no extension ${oid}`)
  return extension.value
}

function numberIn(certificate: Certificate, oid: string): number {
  return integerOf(parseDer(valueIn(certificate, oid)), 255)
}

function nameIn(certificate: Certificate, oid: string): Uint8Array {
  const { content } = requireTag(parseDer(valueIn(certificate, oid)), TAG.ia5String, 'name')
  if (content.length === 0 || content.length > MAX_NAME_BYTES || content.some((byte) => byte < 0x20 || byte > 0x7e)) {
    throw malformed(`the extension ${oid} is no name`)
  }
  return content
}

/** Bare bytes, as AMD issues them; where they are wrapped as DER wants it, what is inside. */
function hardwareIdIn(certificate: Certificate, product: SnpProduct): Uint8Array {
  const value = valueIn(certificate, HARDWARE_ID)
  const length = HARDWARE_ID_BYTES[product]
  const id = value.length === length + 2 ? octetString(parseDer(value), 'hardware id') : value
  if (id.length === length) return id
  throw malformed(`the chip of ${product} is named in ${length} bytes, and here are ${id.length}`)
}

function malformed(why: string): CountersignError {
  return new CountersignError('certificate/malformed', why)
}
