/** What the package shows of attestation. */
export * from './answer-signature/names.ts'
export {
  type Appraisal,
  type AppraisalStatus,
  appraiseEvidence,
} from './appraise.ts'
export {
  type AppraisalInput,
  type Appraised,
  EVIDENCE_KINDS,
  type EvidenceKind,
  type TrustedRoots,
  type TrustTier,
} from './appraised.ts'
export { importAzureEvidence } from './azure-vtpm/azure-evidence.ts'
export type { BindingProfile } from './binding/binding-profile.ts'
export { BINDING_PROFILES } from './binding/binding-profiles.ts'
export { countersignReportData } from './binding/countersign.ts'
export { LACKING_BESIDE } from './binding/signed-bytes.ts'
export type { EvidenceCheck, EvidenceResult } from './checks.ts'
export { readClaimedMeasurements, type UnverifiedMeasurements } from './claimed.ts'
export {
  COLLATERAL_FORMAT,
  COLLATERAL_KINDS,
  type CollateralBundle,
  type CollateralItem,
  type CollateralKind,
  formatCollateral,
  MAX_COLLATERAL_ITEMS,
  parseCollateral,
} from './collateral.ts'
export { type CollateralNeed, collateralAlong, collateralNeeds } from './collateral-needs.ts'
export {
  EVENT_LOG_FORMATS,
  EVIDENCE_FORMAT,
  type EvidenceItem,
  formatEvidence,
  parseEvidence,
  type UnverifiedEvidence,
} from './evidence-file.ts'
export type { PhysicalTrust } from './fact-decisions.ts'
export type { Fact } from './facts.ts'
export { importCollateral } from './import/import-collateral.ts'
export { type ImportedEvidence, type ImportOptions, importEvidence } from './import/import-evidence.ts'
export { CONFIDENTIAL_SPACE_ISSUER, NRAS_ISSUER } from './issuers.ts'
export { NO_FRESHNESS, type PlacePolicy, readPlacePolicy } from './place-policy.ts'
export { PRESETS } from './presets.ts'
export { PROFILE_NAMES, type ProfileName } from './profile-names.ts'
export { importDcapCollateral } from './tdx/collateral-import.ts'
export { parseTdxQuote, type UnverifiedTdxQuote } from './tdx/quote.ts'
export { TEE_KINDS, TEE_VOCABULARY, type TeeKind } from './vocabulary.ts'
export { type Certificate, parseCertificate } from './x509/certificate.ts'
export { parseCrl } from './x509/crl.ts'
