/** The list in which NVIDIA's tools hand over reports of GPUs. Parsed only: nothing here is proven. @spec spec/evidence.md, "nvidia-spdm" */
import { toBase64 } from '../../bytes/base64.ts'
import { equalBytes, parseHex, parseUtf8, utf8 } from '../../bytes/bytes.ts'
import { type Json, type JsonLimits, parseJson } from '../../bytes/json.ts'
import { Fields, type Path } from '../../bytes/shape.ts'
import { CountersignError, quote } from '../../errors.ts'
import { driverVersionOf, vbiosVersionOf } from './report-versions.ts'
import { parseSpdmReport, type SpdmReport } from './spdm.ts'

/** Two of GPUs, and one of the switches between them. */
export const NVIDIA_ARCHITECTURES = ['HOPPER', 'BLACKWELL', 'LS10'] as const
export type NvidiaArchitecture = (typeof NVIDIA_ARCHITECTURES)[number]

/** Unverified. */
export interface NvidiaReport {
  /** What the list says; the certificate decides. */
  readonly arch: NvidiaArchitecture
  /** Certificates in PEM, from the key that signed up to the root. */
  readonly chainPem: string
  readonly report: SpdmReport
}

/** Of the list, as NVIDIA's tools number it. */
const LIST_VERSION = '1.0'
const MAX_REPORTS = 64
const MAX_CHAIN_TEXT = 64 * 1024
const MAX_REPORT_TEXT = 96 * 1024
const LIMITS: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxDepth: 3 }

/**
 * Reads the list. A nonce beside a report has to be the one in the request.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `bytes/*`, `evidence/*`
 */
export function parseNvidiaItem(bytes: Uint8Array): readonly NvidiaReport[] {
  const list = new Fields({ reports: parseJson(bytes, LIMITS) }, 'nvidia')
  const reports = list.list('reports', MAX_REPORTS, readReport)
  if (reports.length === 0) throw new CountersignError('evidence/malformed', 'there is no report in the list')
  return reports
}

function readReport(item: Json, path: Path): NvidiaReport {
  const fields = new Fields(item, path)
  const arch = readArchitecture(fields)
  const chainPem = parseUtf8(fields.base64('certificate', MAX_CHAIN_TEXT))
  const report = parseSpdmReport(fields.base64('evidence', MAX_REPORT_TEXT))
  const nonce = fields.optional('nonce', () => parseHex(fields.hex('nonce', 32)))
  fields.optional('version', () => fields.literal('version', LIST_VERSION))
  requireSame(fields, 'driver_version', driverVersionOf(report))
  requireSame(fields, 'vbios_version', vbiosVersionOf(report))
  fields.end()
  if (nonce !== undefined && !equalBytes(nonce, report.nonce)) {
    throw new CountersignError('evidence/mismatch', `${path}: the nonce beside the report is not the one in it`)
  }
  return { arch, chainPem, report }
}

function readArchitecture(fields: Fields): NvidiaArchitecture {
  const name = fields.text('arch', { maxLength: 32 })
  const arch = NVIDIA_ARCHITECTURES.find((each) => each === name)
  if (arch !== undefined) return arch
  const known = NVIDIA_ARCHITECTURES.join(', ')
  throw new CountersignError(
    'evidence/unsupported',
    `${fields.path}: a device of ${quote(name)}, which is none of ${known}`,
  )
}

/** What the list says of versions, where it does, is what the report says. */
function requireSame(fields: Fields, name: string, reported: string | undefined): void {
  const said = fields.optional(name, () => fields.text(name, { maxLength: 64, mayBeEmpty: true }))
  if (said === undefined || reported === undefined || said.toUpperCase() === reported.toUpperCase()) return
  throw new CountersignError('evidence/mismatch', `${fields.at(name)}: ${quote(said)}, and the report says ${reported}`)
}

/** One report as a GPU gives it. */
export interface GpuReportParts {
  /** Request ‖ response. */
  readonly evidence: Uint8Array
  readonly chainPem: string
  readonly arch: string
  /** Hexadecimal; where it is there, it has to be the one in the request. */
  readonly nonce?: string | undefined
}

/**
 * The content of an evidence item. Looks into none of it.
 */
export function nvidiaItem(reports: readonly GpuReportParts[]): Uint8Array {
  const list: readonly Json[] = reports.map(({ evidence, chainPem, arch, nonce }) => ({
    arch,
    certificate: toBase64(utf8(chainPem)),
    evidence: toBase64(evidence),
    ...(nonce === undefined ? {} : { nonce }),
  }))
  return utf8(JSON.stringify(list))
}
