/**
 * What Intel writes about a platform into its PCK certificate: its SVNs, its kind, and its names.
 *
 * @spec Intel SGX PCK Certificate and Certificate Revocation List Profile Specification §1.3.5
 */
import { toHex } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import { isZero } from '../byte-reader.ts'
import type { Certificate } from '../x509/certificate.ts'
import { type DerValue, integerOf, octetString, oidOf, parseDer, requireTag, sequenceOf, TAG } from '../x509/der.ts'
import { SVN_COMPONENTS } from './tcb-info.ts'

const SGX_EXTENSION = '1.2.840.113741.1.13.1'
const PPID = `${SGX_EXTENSION}.1`
const TCB = `${SGX_EXTENSION}.2`
const PCE_ID = `${SGX_EXTENSION}.3`
const FMSPC = `${SGX_EXTENSION}.4`
const SGX_TYPE = `${SGX_EXTENSION}.5`
const PLATFORM_INSTANCE_ID = `${SGX_EXTENSION}.6`
const PCE_SVN = `${TCB}.17`
const CPU_SVN = `${TCB}.18`

/** Kinds of memory protection, by number. */
const SGX_TYPES = ['Standard', 'Scalable', 'ScalableWithIntegrity'] as const

/** What a PCK certificate says of its platform; as good as the chain of the certificate. */
export interface PckPlatform {
  /** Family, model, stepping, platform type, custom SKU: hexadecimal, 6 bytes. Many platforms share one. */
  readonly fmspc: string
  readonly pceId: string
  readonly pceSvn: number
  /** SVNs by index, as TCB information counts them. */
  readonly components: readonly number[]
  readonly cpuSvn: string
  /** Of one processor package, 16 bytes; `undefined` where it is all zero. */
  readonly ppid: string | undefined
  readonly sgxType: (typeof SGX_TYPES)[number]
  /** Of one platform as it was registered, 16 bytes; of multi-package platforms alone. */
  readonly platformInstanceId: string | undefined
}

/**
 * Reads the extension of a PCK certificate. Every part that the profile names must be there, once, and of its size; parts that
 * it does not name are passed by, as the certificate is signed and they are told by their numbers.
 *
 * @throws {CountersignError} `certificate/malformed`, `der/malformed`
 */
export function parsePckExtension(certificate: Certificate): PckPlatform {
  const extension = certificate.extensions.get(SGX_EXTENSION)
  if (extension === undefined) throw malformed('the certificate says nothing of an SGX platform')
  const parts = partsOf(parseDer(extension.value))
  const tcb = partsOf(required(parts, TCB))
  const instance = parts.get(PLATFORM_INSTANCE_ID)
  return {
    fmspc: toHex(bytesOf(required(parts, FMSPC), 6)),
    pceId: toHex(bytesOf(required(parts, PCE_ID), 2)),
    pceSvn: integerOf(required(tcb, PCE_SVN), 65_535),
    components: Array.from({ length: SVN_COMPONENTS }, (_, i) => integerOf(required(tcb, `${TCB}.${i + 1}`), 255)),
    cpuSvn: toHex(bytesOf(required(tcb, CPU_SVN), 16)),
    ppid: nameOf(bytesOf(required(parts, PPID), 16)),
    sgxType: sgxTypeOf(required(parts, SGX_TYPE)),
    platformInstanceId: instance === undefined ? undefined : nameOf(bytesOf(instance, 16)),
  }
}

function partsOf(value: DerValue): ReadonlyMap<string, DerValue> {
  const parts = new Map<string, DerValue>()
  for (const part of sequenceOf(value, 'the SGX extension')) {
    const [id, content, ...more] = sequenceOf(part, 'a part of the SGX extension')
    const oid = oidOf(id)
    if (content === undefined || more.length > 0 || parts.has(oid)) {
      throw malformed(`part ${oid} of the SGX extension stands there twice, or is not a value`)
    }
    parts.set(oid, content)
  }
  return parts
}

function required(parts: ReadonlyMap<string, DerValue>, oid: string): DerValue {
  const part = parts.get(oid)
  if (part === undefined) throw malformed(`the SGX extension has no part ${oid}`)
  return part
}

function bytesOf(value: DerValue, length: number): Uint8Array {
  const bytes = octetString(value)
  if (bytes.length !== length) throw malformed(`a part of the SGX extension has ${bytes.length} bytes, not ${length}`)
  return bytes
}

function nameOf(bytes: Uint8Array): string | undefined {
  return isZero(bytes) ? undefined : toHex(bytes)
}

function sgxTypeOf(value: DerValue): (typeof SGX_TYPES)[number] {
  const [number, ...more] = requireTag(value, TAG.enumerated, 'the kind of platform').content
  const type = SGX_TYPES[number ?? -1]
  if (type === undefined || more.length > 0)
    throw malformed('the SGX extension names a kind of platform that is not known')
  return type
}

function malformed(why: string): CountersignError {
  return new CountersignError('certificate/malformed', why)
}
