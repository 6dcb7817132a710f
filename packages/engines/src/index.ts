/** Runs models in named profiles that give the same bits again, and runs them again. */
export { type EngineState, listEngines } from './engine-list.ts'
export type { ChatMessage } from './llama/chat-prompt.ts'
export { enginesFolder, LLAMA_PLATFORMS } from './llama/engine-folder.ts'
export {
  INSTALLATION_STEPS,
  type InstallationOptions,
  installLlama,
  type LlamaInstallation,
} from './llama/engine-installation.ts'
export { type GenerationRequest, MAX_STOP_LENGTH, MAX_STOPS, MAX_TEMPERATURE } from './llama/generation-request.ts'
export { findLlama, type LlamaEngine } from './llama/library.ts'
export {
  type GenerationEnd,
  type LlamaModel,
  loadLlamaModel,
  MAX_EMBED_TEXTS,
  MAX_WAITING_REQUESTS,
} from './llama/llama-model.ts'
export { MAX_GGUF_BYTES } from './llama/model-copy.ts'
export type { GeneratedPiece } from './llama/pieces.ts'
export { type LoadedModel, loadModel, MAX_MODEL_BYTES } from './model.ts'
export { MAX_FOLDER_DEPTH, MAX_FOLDER_ENTRIES } from './model-folders.ts'
export { createModelStore, type ModelStore, type ModelStoreOptions } from './model-store.ts'
export {
  findLlamaProfile,
  findProfile,
  LLAMA_PROFILE,
  type LlamaProfile,
  NATIVE_PROFILE,
  PROFILES,
  type Profile,
  REFERENCE_PROFILE,
} from './profile.ts'
export { type Agreement, compareRuns, type ReexecutionOptions, reexecute } from './re-execution.ts'
export type { TensorInfo } from './session-tensor.ts'
