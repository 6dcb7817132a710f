/** What evidence claims to have measured, before anybody checked a signature. */
import type { EvidenceItem } from './evidence-file.ts'
import type { EvidenceKind } from './evidence-kind.ts'
import { measurementsOf as measurementsOfNitro } from './nitro/appraise-nitro.ts'
import { parseNitroDocument } from './nitro/document.ts'
import { readable } from './readable.ts'
import { measurementsOf as measurementsOfSnp } from './sev-snp/appraise-sev-snp.ts'
import { parseSnpReport } from './sev-snp/report.ts'
import { measurementsOf as measurementsOfTdx } from './tdx/appraise-tdx.ts'
import { parseTdxQuote } from './tdx/quote.ts'

export interface UnverifiedMeasurements {
  readonly [register: string]: string
}

const READERS: { readonly [kind in EvidenceKind]?: (content: Uint8Array) => UnverifiedMeasurements } = {
  tdx: (content) => measurementsOfTdx(parseTdxQuote(content), undefined),
  'sev-snp': (content) => measurementsOfSnp(parseSnpReport(content)),
  nitro: (content) => measurementsOfNitro(parseNitroDocument(content).pcrs),
}

/**
 * What a quote, report or document claims to have measured, by register; empty for other kinds, and for what cannot be read.
 *
 * For people who look at evidence before they have collateral. Anybody can write such bytes: nothing here was checked, and no policy
 * and no fact is ever decided by it. What a signature covers is in `measurements` of an appraised item.
 */
export function readClaimedMeasurements({ kind, content }: EvidenceItem): UnverifiedMeasurements {
  return readable(() => READERS[kind]?.(content)) ?? {}
}
