/** Checks what Countersign hands out: bytes in, verdict out. Pure, synchronous, safe in browsers. */
export { verifyAcceptance } from './accountability/acceptance.ts'
export { parseBase64, parseBase64Url, toBase64, toBase64Url } from './bytes/base64.ts'
export { concat, equalBytes, parseHex, parseUtf8, toHex, uint64BigEndian, utf8 } from './bytes/bytes.ts'
export { FILE_LIMITS, type Json, type JsonLimits, PAYLOAD_LIMITS, parseJson } from './bytes/json.ts'
export { isEventStream } from './bytes/media-type.ts'
export { Fields, type Path, readHex, readText, ShapeError, type TextLimits } from './bytes/shape.ts'
export type { Crypto, RunningSha256 } from './crypto/crypto.ts'
export { parseP256Signature, parseP256Spki, verifyP256 } from './crypto/keys.ts'
export { createNobleCrypto, startNobleSha256 } from './crypto/noble-provider.ts'
export {
  DOSSIER_FORMAT,
  type DossierOpening,
  type DossierParts,
  formatDossier,
  parseDossier,
  type UnverifiedDossier,
} from './dossier/dossier.ts'
export { createMemory, type Memory } from './dossier/memory.ts'
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
export { type Confirmation, independentOwners, meetsQuorum, openConfirmations } from './independence/confirmation.ts'
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
export type { CommonHistory, UnverifiedCommon } from './misbehaviour/common-history.ts'
export {
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
  MODEL_TYPE,
  type Model,
  type ModelFile,
  modelRootDigest,
  modelStatement,
  parseModel,
} from './statement/model.ts'
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
export { findSigner, type Party, parseTrustFile, parseYaml, ROLES, type Role, type Trust } from './trust/trust-file.ts'
export type { Check, CheckResult, ClaimRow, ClaimStatus } from './verdict/checklist.ts'
export type { RecordedAnswer, VerdictInput } from './verdict/evidence.ts'
export { planExecution } from './verdict/output.ts'
export { decideRecord, type RecordDecision } from './verdict/record.ts'
export {
  assessVerdict,
  decideVerdict,
  findRow,
  type Satisfaction,
  VERDICT_FORMAT,
  type Verdict,
} from './verdict/verdict.ts'
