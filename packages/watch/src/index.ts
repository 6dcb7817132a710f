/** The roles that independent parties run against an operator. */
export { MAX_CHECKPOINT_BYTES, MAX_TILE_BYTES } from './log-client/limits.ts'
export { type RunningWitness, startWitness, type WitnessOptions } from './witness/witness.ts'
