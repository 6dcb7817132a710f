/** Evidence as bytes, or as text that stands for bytes. */
import { utf8 } from '../../bytes/bytes.ts'
import { isZero, littleEndian } from '../byte-reader.ts'
import { REPORT_BYTES } from '../sev-snp/report.ts'
import { readCertificateTable } from './certificate-table.ts'
import { bare, type Found, type ImportOptions } from './found-evidence.ts'
import { ofBareReport } from './gpu-forms.ts'
import { importCertificates } from './import-collateral.ts'
import { recognise } from './recognise.ts'
import { readingsOf } from './text-forms.ts'

/** What a driver writes before a report: status, length, and zeros. @spec Linux, `struct snp_report_resp`; AMD 56860, MSG_REPORT_RSP */
const REPORT_RESPONSE_HEADER_BYTES = 32

/** What the bytes are; none where they have the marks of nothing that is known, or of another kind than the caller says. */
export function ofBytes(given: Uint8Array, options: ImportOptions): readonly Found[] {
  const bytes = withoutResponseHeader(given)
  const recognised = recognise(bytes)
  if (recognised === undefined) return []
  if ('refusal' in recognised) return options.kind === undefined ? [recognised] : []
  const { kind } = recognised
  if (options.kind !== undefined && options.kind !== kind) return []
  if (kind === 'sev-snp') return [ofReport(bytes)]
  if (kind === 'nvidia-spdm') return [bare([ofBareReport(bytes, options.collateral ?? { items: [] })])]
  return [bare([{ kind, content: bytes }])]
}

/** What the text stands for: a token as it is, or bytes that were written as text. */
export function ofText(text: string, options: ImportOptions): readonly Found[] {
  const asItStands = ofBytes(utf8(text.trim()), options)
  return [...asItStands, ...readingsOf(text).flatMap((bytes) => ofBytes(bytes, options))]
}

/** A report, and the host's table of certificates where it follows. */
function ofReport(bytes: Uint8Array): Found {
  const table = readCertificateTable(bytes.subarray(REPORT_BYTES))
  if (table === undefined) return bare([{ kind: 'sev-snp', content: bytes }])
  const certificates = table.flatMap((each) => importCertificates(each) ?? [])
  return bare([{ kind: 'sev-snp', content: bytes.subarray(0, REPORT_BYTES) }], certificates)
}

function withoutResponseHeader(bytes: Uint8Array): Uint8Array {
  const isHeader =
    bytes.length >= REPORT_RESPONSE_HEADER_BYTES + REPORT_BYTES &&
    littleEndian(bytes.subarray(0, 4)) === 0 &&
    littleEndian(bytes.subarray(4, 8)) === REPORT_BYTES &&
    isZero(bytes.subarray(8, REPORT_RESPONSE_HEADER_BYTES))
  return isHeader ? bytes.subarray(REPORT_RESPONSE_HEADER_BYTES) : bytes
}
