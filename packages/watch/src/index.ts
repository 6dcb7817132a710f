/** The roles that independent parties run against an operator. */
export { MAX_CHECKPOINT_BYTES, MAX_TILE_BYTES } from './log-client/limits.ts'
export { LogClient, type LogClientOptions } from './log-client/log-client.ts'
export { proveConsistency, proveInclusion, type TileSource } from './log-client/tile-proofs.ts'
