/** The list in which NVIDIA's tools hand over reports of GPUs. Parsed only: nothing here is proven. @spec spec/evidence.md, "nvidia-spdm" */
import { toBase64 } from '../../bytes/base64.ts'
import { equalBytes, parseHex, parseUtf8, utf8 } from '../../bytes/bytes.ts'
import { type Json, type JsonLimits, parseJson } from '../../bytes/json.ts'
import { Fields, type Path } from '../../bytes/shape.ts'
import { CountersignError } from '../../errors.ts'
import { parseSpdmReport, type SpdmReport } from './spdm.ts'

export const GPU_ARCHITECTURES = ['HOPPER', 'BLACKWELL'] as const
export type GpuArchitecture = (typeof GPU_ARCHITECTURES)[number]

/** Unverified. */
export interface NvidiaReport {
  /** What the list says; the certificate decides. */
  readonly arch: GpuArchitecture
  /** Certificates in PEM, from the key that signed up to the root. */
  readonly chainPem: string
  readonly report: SpdmReport
}

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
  const arch = fields.oneOf('arch', GPU_ARCHITECTURES)
  const chainPem = parseUtf8(fields.base64('certificate', MAX_CHAIN_TEXT))
  const report = parseSpdmReport(fields.base64('evidence', MAX_REPORT_TEXT))
  const nonce = fields.optional('nonce', () => parseHex(fields.hex('nonce', 32)))
  fields.end()
  if (nonce !== undefined && !equalBytes(nonce, report.nonce)) {
    throw new CountersignError('evidence/mismatch', `${path}: the nonce beside the report is not the one in it`)
  }
  return { arch, chainPem, report }
}

/**
 * The content of an evidence item, from reports as a GPU gives them. `evidence` is request ‖ response.
 *
 * Looks into none of it.
 */
export function nvidiaItem(
  reports: readonly { readonly evidence: Uint8Array; readonly chainPem: string; readonly arch: string }[],
): Uint8Array {
  const list: readonly Json[] = reports.map(({ evidence, chainPem, arch }) => ({
    arch,
    certificate: toBase64(utf8(chainPem)),
    evidence: toBase64(evidence),
  }))
  return utf8(JSON.stringify(list))
}
