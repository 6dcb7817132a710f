/** Runs models in named profiles that give the same bits again, and runs them again. */
export { type LoadedModel, loadModel, MAX_MODEL_BYTES } from './model.ts'
export { MAX_FOLDER_DEPTH, MAX_FOLDER_ENTRIES } from './model-folders.ts'
export { createModelStore, type ModelStore, type ModelStoreOptions } from './model-store.ts'
export { findProfile, NATIVE_PROFILE, PROFILES, type Profile, REFERENCE_PROFILE } from './profile.ts'
export { type Agreement, compareRuns, type ReexecutionOptions, reexecute } from './re-execution.ts'
export type { TensorInfo } from './session-tensor.ts'
