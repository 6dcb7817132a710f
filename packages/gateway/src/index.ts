/** Serves answers, writes the log, hands out receipts. */
export { type ApiKey, type ApiKeyTerms, type Money, parseApiKeyTerms, RIGHTS } from './access/api-key.ts'
export { apiKeysPath, listApiKeys } from './access/api-key-file.ts'
export { ApiKeyStore, type CreatedApiKey } from './access/api-keys.ts'
export {
  aggregateUsage,
  parseUsageDimensions,
  readSpend,
  USAGE_DIMENSIONS,
  type UsageDimension,
  type UsageRow,
} from './access/usage.ts'
export { type Config, DEFAULT_LISTEN, exampleConfig, exampleWithWitnesses } from './config/config.ts'
export { parseConfig, readConfigFile } from './config/config-file.ts'
export { type DataFolder, dataFolderAt } from './data/data-folder.ts'
export { ed25519Spki, formatPublicPem, keyPaths, loadLogKey, loadStatementKey, readP256PublicKey } from './data/keys.ts'
export { acceptancePayload } from './deployments/deployments.ts'
export { Gateway, type GatewayOptions, VERSION } from './gateway.ts'
export { checkLog, type FsckReport } from './log/fsck.ts'
export type { Finding } from './log/fsck-findings.ts'
export { readTrustedRoot } from './log/trusted-root.ts'
export type { Notices } from './parts.ts'
export { type CollateralAddresses, MAKERS } from './place/collateral-addresses.ts'
export { createCollateralCache } from './place/collateral-cache.ts'
export { createCollateralFetcher, type FetchedCollateral } from './place/collateral-fetcher.ts'
export { EVIDENCE_SOURCES } from './place/evidence-sources.ts'
export { NO_CURRENCY } from './prices/prices.ts'
export { type ArchivedLog, listArchives } from './recovery/archive.ts'
export { planRecovery, type Recovery, type RecoveryOptions, recoverLog } from './recovery/recover-log.ts'
export { openDatabaseReadOnly } from './store/database.ts'
export { findIdentityAt } from './store/identity.ts'
export { createLogger, LOG_LEVELS, type LogLevel } from './telemetry/logs.ts'
export { KIND_DIALECTS } from './upstreams/kinds.ts'
export { parseWitnessPolicy, quorumNames } from './witnesses/policy-text.ts'
