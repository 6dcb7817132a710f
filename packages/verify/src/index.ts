/** Checks what Countersign hands out: bytes in, verdict out. Pure, synchronous, safe in browsers. */
export { verifyAcceptance } from './accountability/acceptance.ts'
export * from './attestation/names.ts'
export { type AuditEvidence, boundOf, countOutcomes, type VerifiedAudit, verifyAudit } from './audit/audit.ts'
export {
  AUDIT_PROOF_FORMAT,
  type AuditProof,
  type CheckedAudit,
  formatAuditProof,
  parseAuditProof,
  type UnverifiedAudit,
  verifyAuditFiles,
} from './audit/audit-files.ts'
export { excludedFraud, samplesNeeded } from './audit/binomial.ts'
export { type ConfirmedHead, openConfirmedHead } from './audit/confirmed-head.ts'
export { createDraw, type Draw, type DrawnEntry, drawEntries, SEED_BYTES } from './audit/selection.ts'
export { parseBase64, parseBase64Url, toBase64, toBase64Url } from './bytes/base64.ts'
export { concat, equalBytes, parseHex, parseUtf8, toHex, uint64BigEndian, utf8 } from './bytes/bytes.ts'
export { GatheredBytes } from './bytes/gathered-bytes.ts'
export { FILE_LIMITS, type Json, type JsonLimits, PAYLOAD_LIMITS, parseJson } from './bytes/json.ts'
export { isEventStream } from './bytes/media-type.ts'
export { createMemory, type Memory } from './bytes/memory.ts'
export { Fields, type Path, readHex, readText, ShapeError, type TextLimits } from './bytes/shape.ts'
export { flawOfYaml, parseYaml, type YamlFlaw } from './bytes/yaml.ts'
export type { Crypto, RunningSha256 } from './crypto/crypto.ts'
export { parseP256Signature, parseP256Spki, verifyP256 } from './crypto/keys.ts'
export { createNobleCrypto, startNobleSha256 } from './crypto/noble-provider.ts'
export {
  CHECKPOINT_MEDIA_TYPE,
  COLLATERAL_MEDIA_TYPE,
  DOSSIER_FORMAT,
  type DossierOpening,
  type DossierParts,
  EVIDENCE_MEDIA_TYPE,
  formatDossier,
  parseDossier,
  type UnverifiedDossier,
} from './dossier/dossier.ts'
export { CountersignError, codeOf, ERROR_CODES, type ErrorCode, quote } from './errors.ts'
export {
  type Difference,
  type ExecutionRequest,
  type ExecutionResult,
  firstDifference,
} from './execution/comparison.ts'
export {
  formatInferenceResponse,
  type InferenceRequest,
  type InferenceResponse,
  parseInferenceRequest,
  parseInferenceResponse,
} from './execution/open-inference.ts'
export {
  DATATYPES,
  type Datatype,
  formatTensor,
  parseTensor,
  type Tensor,
  type TensorData,
} from './execution/tensor.ts'
export { type Coalitions, findCoalitions, type Member, type SmallestCoalition } from './independence/coalition.ts'
export {
  type BoundedMeasures,
  type Bounds,
  boundMeasures,
  type Measures,
  measureShares,
} from './independence/concentration.ts'
export {
  type Confirmation,
  type CountedOwner,
  confirmationsAsOf,
  confirmingParties,
  countOwners,
  MAX_CLOCK_SKEW_MS,
  meetsQuorum,
  openConfirmations,
} from './independence/confirmation.ts'
export {
  type ComparedDeclaration,
  compareDeclaration,
  type DeclaredFact,
  type OpenedDeclaration,
  openDeclaration,
} from './independence/declaration.ts'
export { offersOf } from './independence/offers.ts'
export type { CoalitionReport, QuorumReport } from './independence/quorum-report.ts'
export {
  decideIndependenceReport,
  type Headline,
  INDEPENDENCE_FORMAT,
  type IndependenceReport,
} from './independence/report.ts'
export { DIMENSIONS, type Dimension, type DimensionReport, type GroupReport } from './independence/share-report.ts'
export { type Contribution, type ShareKind, type ShareRole, Tally } from './independence/tally.ts'
export { BUNDLE_MEDIA_TYPE, formatBundle, parseBundle, type UnverifiedReceipt } from './log/bundle.ts'
export {
  type Checkpoint,
  type Cosignature,
  cosignatureMessage,
  formatCheckpoint,
  openCheckpoint,
  openCosignature,
  parseCheckpoint,
} from './log/checkpoint.ts'
export type { ConsistencyProof } from './log/consistency-proof.ts'
export { formatLeaf, type Leaf, parseLeaf, verifyLeaf } from './log/leaf.ts'
export { surroundingRanges, verifyLeafRange } from './log/leaf-range.ts'
export {
  emptyRoot,
  HASH_BYTES,
  type Hash,
  hashChildren,
  hashLeaf,
  type Inclusion,
  type TreeHead,
  verifyConsistency,
  verifyInclusion,
} from './log/merkle.ts'
export { consistencyRanges, hashRange, inclusionRanges, type LeafRange, type ReadSubtree } from './log/merkle-ranges.ts'
export {
  formatNote,
  formatNoteKey,
  formatSignatureLine,
  fullKeyId,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  type NoteKey,
  type NoteSignature,
  noteKey,
  openNote,
  parseNote,
  parseNoteKey,
  type UnverifiedNote,
} from './log/note.ts'
export {
  formatPromise,
  formatPromiseHeader,
  type LogPromise,
  openPromise,
  parsePromise,
  parsePromiseHeader,
} from './log/promise.ts'
export { type OpenedReceipt, openReceipt } from './log/receipt.ts'
export { type OpenedLogSuccessor, openLogSuccessor } from './log/successor.ts'
export {
  formatEntries,
  formatTilePath,
  MAX_ENTRY_BYTES,
  parseEntries,
  parseTile,
  parseTilePath,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileName,
  tileWidth,
} from './log/tile.ts'
export { parseTlogPolicy, type TlogPolicy } from './log/tlog-policy.ts'
export {
  type AddCheckpoint,
  formatAddCheckpoint,
  MAX_ADD_CHECKPOINT_BYTES,
  MAX_WITNESS_PROOF_HASHES,
  parseAddCheckpoint,
  parseCosignatureLines,
} from './log/witness-protocol.ts'
export type { CommonHistory, UnverifiedCommon } from './misbehaviour/common-history.ts'
export {
  contestsEntries,
  MISBEHAVIOUR_KINDS,
  type Misbehaviour,
  type MisbehaviourKind,
  type UnverifiedHistory,
  type UnverifiedMisbehaviour,
  type UnverifiedPlace,
  verifyMisbehaviour,
} from './misbehaviour/misbehaviour.ts'
export { MISBEHAVIOUR_FORMAT, parseMisbehaviour } from './misbehaviour/proof-file.ts'
export {
  APPRAISAL_LIMITS,
  APPRAISAL_OUTCOMES,
  APPRAISAL_TYPE,
  type AppraisalOutcome,
  type AppraisalPredicate,
  appraisalStatement,
  FRESHNESS_KINDS,
  type Freshness,
  parseAppraisal,
  tlsCertificateOf,
} from './statement/appraisal.ts'
export {
  AUDIT_COMMITMENT_TYPE,
  type AuditCommitment,
  auditCommitmentStatement,
  MAX_ANSWER_SECONDS,
  MAX_EPOCH_ENTRIES,
  MAX_EXPECTED_SAMPLE,
  MILLION,
  parseAuditCommitment,
} from './statement/audit-commitment.ts'
export {
  AUDIT_RESULT_TYPE,
  type AuditCounts,
  type AuditResult,
  auditResultStatement,
  MAX_RESULT_ENTRIES,
  parseAuditResult,
} from './statement/audit-result.ts'
export {
  AUDIT_OUTCOMES,
  type AuditedEntry,
  type AuditOutcome,
  formatAuditEntries,
  MAX_AUDITED_ENTRIES,
  parseAuditEntries,
  readAuditedEntry,
} from './statement/audited-entry.ts'
export { type BoundKey, isSameKey, KEY_USES, readBoundKey } from './statement/bound-key.ts'
export {
  COMMITMENT_ALGORITHM,
  commit,
  type Opening,
  SALT_BYTES,
  saltFor,
  verifyOpening,
} from './statement/commitment.ts'
export {
  ACCEPTANCE_TYPE,
  type AcceptancePredicate,
  DEPLOYMENT_TYPE,
  type Deadlines,
  type DeploymentPredicate,
  FAILURE_POLICIES,
  type ListedPrice,
  parseAcceptance,
  parseDeployment,
  readDeadlines,
  readListedPrice,
  type ServedModel,
  VAULT_MODES,
  type VaultMode,
} from './statement/deployment.ts'
export {
  formatEnvelope,
  MAX_PAYLOAD_BYTES,
  openEnvelope,
  parseEnvelope,
  preAuthEncoding,
  STATEMENT_PAYLOAD_TYPE,
  type UnverifiedEnvelope,
} from './statement/dsse.ts'
export {
  ERASURE_REASONS,
  ERASURE_TYPE,
  type Erasure,
  type ErasureReason,
  erasureStatement,
  parseErasure,
} from './statement/erasure.ts'
export {
  type Attempt,
  type CitedCheckpoint,
  COMMITTED_SUBJECTS,
  type CommittedSubject,
  FINISH_REASONS,
  type FinishReason,
  INFERENCE_TYPE,
  type Inference,
  type InferencePredicate,
  type Observation,
  type PriceLine,
  parseInference,
  type ReceiptId,
  type Reported,
  type Usage,
} from './statement/inference.ts'
export {
  LOG_SUCCESSOR_TYPE,
  type LogSuccessor,
  logSuccessorStatement,
  MAX_INTERRUPTED,
  parseLogSuccessor,
} from './statement/log-successor.ts'
export {
  MODEL_TYPE,
  type Model,
  type ModelFile,
  modelRootDigest,
  modelStatement,
  parseModel,
} from './statement/model.ts'
export { PARTY_TYPE, type PartyDeclaration, type PartyFacts, parseParty, partyStatement } from './statement/party.ts'
export { FACT_STATUSES, FACTS, type FactName, type FactStatus } from './statement/place-fact.ts'
export {
  parseRevocation,
  REVOCATION_TYPE,
  REVOKED_KINDS,
  type RevocationPredicate,
  type Revoked,
  revocationStatement,
} from './statement/revocation.ts'
export {
  MAX_TARGETS,
  type RequestChange,
  readAnswersTo,
  readCache,
  readChanges,
  readTarget,
  type ServedUpstream,
  UPSTREAM_KINDS,
  type UpstreamKind,
} from './statement/routing.ts'
export {
  GATEWAY_PLACE,
  PLACE_FAILURES,
  type PlaceFailure,
  readPolicyText,
  readServedPlace,
  type ServedPlace,
} from './statement/served-place.ts'
export { SIGNED_PARTS, type SignatureCoverage, type SignedPart } from './statement/signature-coverage.ts'
export {
  formatStatement,
  MAX_SUBJECTS,
  parseStatement,
  type Statement,
  type StatementDigest,
  type Subject,
  statementDigest,
  statementText,
} from './statement/statement.ts'
export {
  CLAIMS,
  type ClaimName,
  GRADES,
  type Grade,
  parseRequirements,
  type Requirement,
  reachesGrade,
} from './trust/requirement.ts'
export {
  findKeyHolder,
  findSigner,
  type Party,
  parseTrustFile,
  ROLES,
  type Role,
  type Trust,
} from './trust/trust-file.ts'
export type { Check, CheckResult, ClaimRow, ClaimStatus } from './verdict/checklist.ts'
export { contributionsOf } from './verdict/contributions.ts'
export type { RecordedAnswer, VerdictInput } from './verdict/evidence.ts'
export { planExecution } from './verdict/output.ts'
export { type ChangedCheck, changedChecks } from './verdict/place.ts'
export { isChanged, type PlaceFinding, type Reappraisal, reappraise } from './verdict/reappraisal.ts'
export { decideRecord, type RecordDecision } from './verdict/record.ts'
export { openRevocation, type Revocation } from './verdict/revocation.ts'
export type { TimeInterval } from './verdict/time.ts'
export {
  assessVerdict,
  decideVerdict,
  findRow,
  type Satisfaction,
  VERDICT_FORMAT,
  type Verdict,
} from './verdict/verdict.ts'
