/** Which function appraises which kind of evidence. */
import type { AppraisalInput, Appraised, EvidenceKind } from './appraised.ts'
import type { EvidenceItem } from './evidence-file.ts'
import { appraiseNitro } from './nitro/appraise-nitro.ts'
import { appraiseNvidiaSpdm } from './nvidia/appraise-nvidia-spdm.ts'

export type Appraiser = (item: EvidenceItem, input: AppraisalInput) => Appraised

export const APPRAISERS: { readonly [kind in EvidenceKind]?: Appraiser } = {
  nitro: appraiseNitro,
  'nvidia-spdm': appraiseNvidiaSpdm,
}
