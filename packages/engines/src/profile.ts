/** Named ways of running a model. Two runs in one profile on the same bytes give the same bits, or one is not in it. */
import { CountersignError, quote } from '@countersign/verify'

/** All that decides the bits of an answer besides model and input, for models that take and give tensors. */
export interface Profile {
  readonly id: string
  /** The package that runs the model, and its exact version. */
  readonly engine: 'onnxruntime-node' | 'onnxruntime-web'
  readonly version: string
  readonly provider: 'cpu' | 'wasm'
  readonly optimisation: 'disabled'
  readonly threads: 1
  /** SHA-256 of the WebAssembly program, hexadecimal. Native libraries differ by platform and have none. */
  readonly programDigest: string | undefined
}

/**
 * What serves: fast. Its bits depend on the processor, except for models that compute in whole numbers with weights of
 * u8, or of i8 within ±63.
 */
export const NATIVE_PROFILE: Profile = {
  id: 'ort-node-1.30.0-cpu-disabled-1t',
  engine: 'onnxruntime-node',
  version: '1.30.0',
  provider: 'cpu',
  optimisation: 'disabled',
  threads: 1,
  programDigest: undefined,
}

/** What referees: one program, which gives the same bits on every processor. */
export const REFERENCE_PROFILE: Profile = {
  id: 'ort-web-1.30.0-wasm-disabled-1t',
  engine: 'onnxruntime-web',
  version: '1.30.0',
  provider: 'wasm',
  optimisation: 'disabled',
  threads: 1,
  programDigest: '3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2',
}

/**
 * How a language model is run. A profile of its own kind: what it gives is text, so no referee runs it on tensors.
 *
 * Names the arithmetic less far than the others do: the package brings one native library for each family of processors
 * and picks among them, so that two machines may differ in the last bits of a probability. The same request on the same
 * machine gives the same text.
 */
export interface LlamaProfile {
  readonly id: string
  readonly engine: 'node-llama-cpp'
  readonly version: string
  readonly provider: 'cpu'
  readonly threads: 1
  /** Most tokens of prompt and answer together; a model that was trained on fewer has fewer. */
  readonly contextTokens: number
  /** Tokens of a prompt that are computed at once; how a prompt is cut decides its last bits. */
  readonly batchTokens: number
}

/** What serves language models: llama.cpp, installed aside, without graphics cards. */
export const LLAMA_PROFILE: LlamaProfile = {
  id: 'llama-3.22.1-cpu-1t',
  engine: 'node-llama-cpp',
  version: '3.22.1',
  provider: 'cpu',
  threads: 1,
  contextTokens: 4096,
  batchTokens: 512,
}

/** Every profile of models that take and give tensors. */
export const PROFILES: readonly Profile[] = [NATIVE_PROFILE, REFERENCE_PROFILE]

/**
 * The profile of that name, for models of tensors. That it can be met here is checked when a model is loaded in it.
 *
 * @throws {CountersignError} `execution/unsupported`, also for a profile of language models
 */
export function findProfile(id: string): Profile {
  const profile = PROFILES.find((known) => known.id === id)
  if (profile === undefined) {
    if (id === LLAMA_PROFILE.id) {
      throw new CountersignError('execution/unsupported', `profile ${id} runs language models, and no tensors`)
    }
    const known = PROFILES.map((each) => each.id).join(', ')
    throw new CountersignError('execution/unsupported', `no profile is called ${quote(id)}; there are ${known}`)
  }
  return profile
}

/**
 * The profile of that name, for language models. That it can be met here is checked when a model is loaded in it.
 *
 * @throws {CountersignError} `execution/unsupported`, also for a profile of tensors
 */
export function findLlamaProfile(id: string): LlamaProfile {
  if (id === LLAMA_PROFILE.id) return LLAMA_PROFILE
  throw new CountersignError(
    'execution/unsupported',
    `no profile for language models is called ${quote(id)}; there is ${LLAMA_PROFILE.id}`,
  )
}
