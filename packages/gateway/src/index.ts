/** Serves answers, writes the log, hands out receipts. */
export { type Config, DEFAULT_LISTEN, exampleConfig } from './config/config.ts'
export { parseConfig, readConfigFile } from './config/config-file.ts'
export { type DataFolder, dataFolderAt } from './data/data-folder.ts'
export { ed25519Spki, formatPublicPem, keyPaths, loadLogKey, loadStatementKey, readP256PublicKey } from './data/keys.ts'
export { acceptancePayload } from './deployments/deployments.ts'
export { Gateway, type GatewayOptions, type Notices, VERSION } from './gateway.ts'
export { readTrustedRoot } from './log/trusted-root.ts'
export { findIdentityAt } from './store/identity.ts'
