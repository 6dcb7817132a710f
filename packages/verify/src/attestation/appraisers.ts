/** Which function appraises which kind of evidence. */
import type { AppraisalInput, Appraised, EvidenceKind } from './appraised.ts'
import { appraiseAzureVtpm } from './azure-vtpm/appraise-azure-vtpm.ts'
import type { EvidenceItem } from './evidence-file.ts'
import { appraiseNitro } from './nitro/appraise-nitro.ts'
import { appraiseNvidiaNras } from './nvidia/appraise-nvidia-nras.ts'
import { appraiseNvidiaSpdm } from './nvidia/appraise-nvidia-spdm.ts'
import { appraiseSevSnp } from './sev-snp/appraise-sev-snp.ts'
import { appraiseTdx } from './tdx/appraise-tdx.ts'
import { appraiseConfidentialSpace } from './token/appraise-confidential-space.ts'
import { appraiseMaa } from './token/appraise-maa.ts'

export type Appraiser = (item: EvidenceItem, input: AppraisalInput) => Appraised

export const APPRAISERS: { readonly [kind in EvidenceKind]?: Appraiser } = {
  tdx: appraiseTdx,
  'sev-snp': appraiseSevSnp,
  nitro: appraiseNitro,
  'nvidia-spdm': appraiseNvidiaSpdm,
  'nvidia-nras': appraiseNvidiaNras,
  'azure-vtpm': appraiseAzureVtpm,
  'confidential-space': appraiseConfidentialSpace,
  maa: appraiseMaa,
}
