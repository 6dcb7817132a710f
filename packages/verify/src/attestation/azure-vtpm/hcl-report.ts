/**
 * What Azure's paravisor (HCL) leaves in the virtual TPM: the report of the hardware, and the data that it binds.
 *
 * A header of 32 bytes, 1,184 bytes for the hardware's report, a header of 20 bytes for the runtime data, the runtime data as
 * JSON, zeros. The hardware signs its report, and in that the hash of the JSON; the headers are nobody's, and have to be what
 * they are everywhere.
 *
 * @spec Azure, "Guest attestation for confidential VMs", attestation report format
 */
import { utf8 } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import { ByteReader, isZero } from '../byte-reader.ts'

/** What the virtual machine runs on. */
export type AzureHardware = 'sev-snp' | 'tdx'

export interface HclReport {
  readonly hardware: AzureHardware
  /** A report of SEV-SNP, 1,184 bytes; or a report of TDX for the machine itself (TDREPORT), 1,024 bytes. */
  readonly hardwareReport: Uint8Array
  /** 64 bytes that the report says the paravisor chose. */
  readonly reportData: Uint8Array
  /** The JSON text that is hashed. */
  readonly runtimeData: Uint8Array
}

/** Real ones have 2,600 bytes. */
export const MAX_HCL_REPORT_BYTES = 64 * 1024

const MAGIC = /* @__PURE__ */ utf8('HCLA')

/** Where the hardware's report begins. */
export const HEADER_BYTES = 32

const HARDWARE_REPORT_BYTES = 1184
const RUNTIME_HEADER_BYTES = 20
const ATTESTATION_REQUEST = 2
const SHA256 = 1

/** By report type: which hardware, and where its report has the 64 bytes. */
const LAYOUTS: ReadonlyMap<number, { hardware: AzureHardware; bytes: number; reportDataAt: number }> =
  /* @__PURE__ */ new Map([
    [2, { hardware: 'sev-snp', bytes: 1184, reportDataAt: 0x50 }],
    [4, { hardware: 'tdx', bytes: 1024, reportDataAt: 128 }],
  ])

/**
 * Reads a report; looks into neither the hardware's report nor the runtime data.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`, `bytes/too-large`
 */
export function parseHclReport(bytes: Uint8Array): HclReport {
  if (bytes.length > MAX_HCL_REPORT_BYTES) {
    throw new CountersignError('bytes/too-large', `an HCL report of ${bytes.length} bytes`)
  }
  const reader = new ByteReader(bytes, 'the HCL report')
  const statedBytes = readHeader(reader)
  const field = reader.take(HARDWARE_REPORT_BYTES)
  const dataBytes = reader.uint32()
  const version = reader.uint32()
  const layout = LAYOUTS.get(reader.uint32())
  const hashType = reader.uint32()
  const runtimeData = reader.take(reader.uint32())
  if (version !== 1) throw unsupported(`version ${version} of the runtime data`)
  if (layout === undefined) throw unsupported('this type of hardware report')
  if (hashType !== SHA256) throw unsupported(`hash ${hashType} of the runtime data`)
  if (dataBytes !== RUNTIME_HEADER_BYTES + runtimeData.length || statedBytes !== reader.offset) {
    throw malformed('its parts are not as long as it says')
  }
  if (!isZero(reader.rest())) throw malformed('bytes after the runtime data are not zero')
  const { hardware, reportDataAt } = layout
  const hardwareReport = field.subarray(0, layout.bytes)
  if (!isZero(field.subarray(layout.bytes))) throw malformed("bytes after the hardware's report are not zero")
  return { hardware, hardwareReport, reportData: field.subarray(reportDataAt, reportDataAt + 64), runtimeData }
}

/** The length that the report states. */
function readHeader(reader: ByteReader): number {
  const magic = reader.take(MAGIC.length)
  if (MAGIC.some((byte, i) => byte !== magic[i])) throw malformed('it does not begin with HCLA')
  const version = reader.uint32()
  if (version !== 1 && version !== 2) throw unsupported(`version ${version} of an HCL report`)
  const statedBytes = reader.uint32()
  const [request, status] = [reader.uint32(), reader.uint32()]
  if (request !== ATTESTATION_REQUEST || status !== 0) throw malformed('it is not the answer to a request for a report')
  if (!isZero(reader.take(HEADER_BYTES - reader.offset))) throw malformed('reserved bytes of its header are not zero')
  return statedBytes
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', `the HCL report is damaged: ${why}`)
}

function unsupported(what: string): CountersignError {
  return new CountersignError('evidence/unsupported', `${what} is not known here`)
}
