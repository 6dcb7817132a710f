import { CountersignError } from '@countersign/verify'
import { openProgram, verifyInstalledVersion } from './installation.ts'
import type { Profile } from './profile.ts'
import { cannotStart, type Runtime, sessionOptions } from './runtime.ts'

/** The engine keeps one WebAssembly instance per process, whose program is chosen before it starts and never after. */
let started: { readonly programDigest: string | undefined; readonly runtime: Promise<Runtime> } | undefined

/**
 * Starts ONNX Runtime's WebAssembly build on one thread, with the very program that the profile names. The engine is
 * loaded by the first call, not before.
 *
 * @throws {CountersignError} `execution/profile-unmet` when another version or program is installed, or when other code
 *   in this process has configured the engine first
 */
export async function startWebRuntime(profile: Profile): Promise<Runtime> {
  await verifyInstalledVersion(profile)
  if (started === undefined) {
    const program = await openProgram(profile)
    started ??= { programDigest: profile.programDigest, runtime: start(profile, program) }
  }
  if (started.programDigest !== profile.programDigest) throw startedOtherwise(profile)
  return started.runtime
}

async function start(profile: Profile, program: Uint8Array): Promise<Runtime> {
  const { InferenceSession, Tensor, env } = await import('onnxruntime-web').catch((thrown: unknown) => {
    throw cannotStart(profile, thrown)
  })
  // The engine fills in the number of threads as it starts, so that a number here means that it is not ours to start.
  if (env.wasm.numThreads !== undefined || env.wasm.wasmBinary !== undefined) throw startedOtherwise(profile)
  env.wasm.numThreads = profile.threads
  env.wasm.proxy = false
  env.wasm.wasmBinary = program
  return {
    createSession: (model) => InferenceSession.create(model, sessionOptions(profile)),
    createTensor: (type, data, shape) => new Tensor(type, data, shape),
  }
}

function startedOtherwise({ id, engine }: Profile): CountersignError {
  return new CountersignError(
    'execution/profile-unmet',
    `this process has started ${engine} otherwise than profile ${id}`,
  )
}
