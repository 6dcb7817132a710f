import { verifyInstalledVersion } from './installation.ts'
import type { Profile } from './profile.ts'
import { cannotStart, type Runtime, sessionOptions } from './runtime.ts'

/**
 * Starts ONNX Runtime's native build. The library is loaded by the first call, not before.
 *
 * @throws {CountersignError} `execution/profile-unmet` when another version is installed, or none that runs here
 */
export async function startNativeRuntime(profile: Profile): Promise<Runtime> {
  await verifyInstalledVersion(profile)
  // Read when the library is loaded. Otherwise each session is reported to its makers, and noted in the home folder.
  process.env.ORT_DISABLE_TELEMETRY = '1'
  const { InferenceSession, Tensor } = await import('onnxruntime-node').catch((thrown: unknown) => {
    throw cannotStart(profile, thrown)
  })
  return {
    createSession: (model) => InferenceSession.create(model, sessionOptions(profile)),
    createTensor: (type, data, shape) => new Tensor(type, data, shape),
  }
}
