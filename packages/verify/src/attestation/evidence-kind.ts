/** Kinds of evidence. A token is what a verification service signed about evidence that only it saw. */
export const EVIDENCE_KINDS = [
  'tdx',
  'sev-snp',
  'nitro',
  'nvidia-spdm',
  'nvidia-nras',
  'azure-vtpm',
  'confidential-space',
  'maa',
] as const
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number]
