/** The roles that independent parties run against an operator. */
export { AUDIT_REPORT_FORMAT, type AuditReport, type CorePrice, type SampleBound } from './auditor/audit-report.ts'
export type { AuditorKey, AuditPlan } from './auditor/auditor.ts'
export { parseAuditorKey } from './auditor/auditor-key.ts'
export { type OpenAuditor, type OpenAuditorOptions, openAuditor } from './auditor/open-auditor.ts'
export { MAX_CHECKPOINT_BYTES, MAX_TILE_BYTES } from './log-client/limits.ts'
export { LogClient, type LogClientOptions } from './log-client/log-client.ts'
export { proveConsistency, proveInclusion, type TileSource } from './log-client/tile-proofs.ts'
export { type RunningWitness, startWitness, type WitnessOptions } from './witness/witness.ts'
