/** Which function appraises which kind of evidence. */
import type { AppraisalInput, Appraised, EvidenceKind } from './appraised.ts'
import type { EvidenceItem } from './evidence-file.ts'
import { appraiseSevSnp } from './sev-snp/appraise-sev-snp.ts'
import { appraiseTdx } from './tdx/appraise-tdx.ts'

export type Appraiser = (item: EvidenceItem, input: AppraisalInput) => Appraised

export const APPRAISERS: { readonly [kind in EvidenceKind]?: Appraiser } = {
  tdx: appraiseTdx,
  'sev-snp': appraiseSevSnp,
}
