/**
 * A TDX report for the machine itself (TDREPORT), of which only that machine can tell whether it is genuine: its MAC is
 * under a key of the processor's. So it counts for as much as a quote that says the same.
 *
 * @spec Intel TDX Module Base Architecture Specification, TDREPORT_STRUCT
 */
import { equalBytes } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { TdReport, UnsignedRegion } from '../tdx/quote.ts'

const REPORT_BYTES = 1024

/** Where each field of a quote's report stands in the machine's own. */
export const TD_REPORT_FIELDS = [
  ['tee_tcb_svn', 264, (report) => report.teeTcbSvn],
  ['mrseam', 280, (report) => report.mrSeam],
  ['mrsignerseam', 328, (report) => report.mrSignerSeam],
  ['seam attributes', 376, (report) => report.seamAttributes],
  ['attributes', 512, (report) => report.tdAttributes],
  ['xfam', 520, (report) => report.xfam],
  ['mrtd', 528, (report) => report.mrTd],
  ['mrconfigid', 576, (report) => report.mrConfigId],
  ['mrowner', 624, (report) => report.mrOwner],
  ['mrownerconfig', 672, (report) => report.mrOwnerConfig],
  ['rtmr0', 720, (report) => report.rtmrs[0]],
  ['rtmr1', 768, (report) => report.rtmrs[1]],
  ['rtmr2', 816, (report) => report.rtmrs[2]],
  ['rtmr3', 864, (report) => report.rtmrs[3]],
  ['report data', 128, (report) => report.reportData],
] as const satisfies readonly (readonly [name: string, at: number, of: (report: TdReport) => Uint8Array])[]

/**
 * Proves that a quote says of the trust domain what the machine's own report says.
 *
 * @throws {CountersignError} `evidence/mismatch`
 */
export function verifySameReport(own: Uint8Array, quoted: TdReport): void {
  for (const [name, at, of] of TD_REPORT_FIELDS) {
    const value = of(quoted)
    if (equalBytes(own.subarray(at, at + value.length), value)) continue
    throw new CountersignError('evidence/mismatch', `the quote has another ${name} than the report in the TPM`)
  }
}

/** Where each field ends. */
const LENGTHS: { readonly [at: number]: number } = { 264: 16, 376: 8, 512: 8, 520: 8, 128: 64 }
const MEASUREMENT_BYTES = 48

/** Places of the report that no quote vouches for, for a report that begins at `offset`: its MAC, hashes, what is reserved. */
export function unsignedReportRegions(offset: number): readonly UnsignedRegion[] {
  const covered = TD_REPORT_FIELDS.map(([, at]) => ({ at, end: at + (LENGTHS[at] ?? MEASUREMENT_BYTES) })).sort(
    (a, b) => a.at - b.at,
  )
  const regions: UnsignedRegion[] = []
  let from = 0
  for (const { at, end } of [...covered, { at: REPORT_BYTES, end: REPORT_BYTES }]) {
    if (at > from)
      regions.push({ from: offset + from, to: offset + at, why: 'parts of TDREPORT that no quote repeats' })
    from = end
  }
  return regions
}
