/** node-llama-cpp as a narrow port: what is used of it, and how it is started. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CountersignError } from '@countersign/verify'
import { LLAMA_PROFILE, type LlamaProfile } from '../profile.ts'
import { llamaFolder, packageFolder, verifyLlamaVersion } from './engine-folder.ts'

/** The engine of one profile, found but not started. */
export interface LlamaEngine {
  readonly profile: LlamaProfile
  /** Loads the native library, which a child process tries first: about half a second. */
  start(): Promise<LlamaRuntime>
  /** Compiles a chat template. */
  compileTemplate(source: string): Promise<ChatTemplate>
}

export interface ChatTemplate {
  render(values: { readonly [name: string]: unknown }): string
}

export interface LlamaRuntime {
  readonly gpu: string | false
  readonly buildType: string
  loadModel(options: {
    readonly modelPath: string
    readonly useMmap: boolean
    readonly gpuLayers: number
  }): Promise<RuntimeModel>
  dispose(): Promise<void>
}

export interface RuntimeModel {
  readonly trainContextSize: number
  readonly tokens: {
    readonly bos: number | null
    readonly bosString: string | null
    readonly eosString: string | null
    readonly shouldPrependBosToken: boolean
  }
  tokenize(text: string, specialTokens: boolean): readonly number[]
  detokenize(tokens: readonly number[], specialTokens: boolean, before?: readonly number[]): string
  iterateAllTokens(): Iterable<number>
  isSpecialToken(token: number): boolean
  createContext(
    options: ContextOptions & { readonly sequences: number; readonly flashAttention: boolean },
  ): Promise<RuntimeContext>
  createEmbeddingContext(options: ContextOptions): Promise<RuntimeEmbeddings>
  dispose(): Promise<void>
}

export interface ContextOptions {
  readonly contextSize: number
  readonly batchSize: number
  readonly threads: number
}

export interface RuntimeContext {
  getSequence(options: { readonly contextShift: ContextShift }): RuntimeSequence
  dispose(): Promise<void>
}

/** What the library does when a context is full. */
export interface ContextShift {
  strategy(): never
}

export interface RuntimeSequence {
  clearHistory(): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>
  evaluate(tokens: readonly number[], options: SamplingOptions): AsyncGenerator<number, void, void>
}

export interface SamplingOptions {
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  /** 32 bits unsigned, and not all ones: that value asks the library for a random seed. */
  readonly seed: number
}

export interface RuntimeEmbeddings {
  getEmbeddingFor(tokens: readonly number[]): Promise<{ readonly vector: readonly number[] }>
  dispose(): Promise<void>
}

interface LlamaModule {
  getLlama(options: { readonly [name: string]: unknown }): Promise<LlamaRuntime>
}

interface TemplateModule {
  readonly Template: new (source: string) => ChatTemplate
}

/** Explicit to the last: what is left out here is taken from the environment or from an earlier build of the library's. */
const START_OPTIONS = {
  gpu: false,
  build: 'never',
  usePrebuiltBinaries: true,
  skipDownload: true,
  logLevel: 'disabled',
  progressLogs: false,
  debug: false,
  numa: false,
  maxThreads: 1,
} as const

/**
 * Finds llama.cpp in a folder of engines. Looks at versions; nothing of it runs before {@link LlamaEngine.start}.
 *
 * @throws {CountersignError} `execution/engine-missing` when it is not there, `execution/profile-unmet` when it is there in
 *   another version
 */
export async function findLlama(engines: string, profile: LlamaProfile = LLAMA_PROFILE): Promise<LlamaEngine> {
  const folder = llamaFolder(engines)
  await verifyLlamaVersion(profile, folder)
  return openLlama(folder, profile)
}

/** The engine in its own folder, whose versions were looked at. */
export function openLlama(folder: string, profile: LlamaProfile): LlamaEngine {
  return {
    profile,
    async start() {
      const { getLlama } = await load<LlamaModule>(folder, 'node-llama-cpp', 'dist/index.js', profile)
      const runtime = await getLlama({ ...START_OPTIONS, logger: () => {} }).catch((thrown: unknown) => {
        throw cannotStart(profile, thrown)
      })
      if (runtime.gpu === false && runtime.buildType === 'prebuilt') return runtime
      await runtime.dispose()
      throw cannotStart(profile, new Error(`gpu ${runtime.gpu}, build ${runtime.buildType}`))
    },
    async compileTemplate(source) {
      const { Template } = await load<TemplateModule>(folder, '@huggingface/jinja', 'dist/index.js', profile)
      return new Template(source)
    },
  }
}

/** Imports a module by its path, so that no other copy can be meant. */
async function load<T>(folder: string, name: string, file: string, profile: LlamaProfile): Promise<T> {
  try {
    return (await import(pathToFileURL(join(packageFolder(folder, name), file)).href)) as T
  } catch (thrown) {
    throw cannotStart(profile, thrown)
  }
}

function cannotStart({ id, engine }: LlamaProfile, cause: unknown): CountersignError {
  return new CountersignError('execution/profile-unmet', `${engine} does not start here, as profile ${id} needs`, {
    cause,
  })
}
