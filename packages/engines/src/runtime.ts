/** ONNX Runtime as a narrow port: its native and WebAssembly builds look the same from here on. */
import { CountersignError } from '@countersign/verify'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Profile } from './profile.ts'

/** An engine, started as its profile demands. Which provider it really uses is {@link verifyProvider}'s question. */
export interface Runtime {
  createSession(model: Uint8Array): Promise<InferenceSession>
  createTensor(type: Tensor.Type, data: Tensor.DataType, shape: readonly number[]): Tensor
}

/** Failures come as exceptions; what the engines print quotes paths and inputs. */
export const SILENT = 4

/** What the engines are told for each session. A new object each time: the web engine writes into it. */
export function sessionOptions(profile: Profile): InferenceSession.SessionOptions {
  return {
    // Exactly one. With none, or a second one to fall back on, the engine picks among all that this process has loaded.
    executionProviders: [profile.provider],
    graphOptimizationLevel: profile.optimisation,
    intraOpNumThreads: profile.threads,
    interOpNumThreads: profile.threads,
    executionMode: 'sequential',
    logSeverityLevel: SILENT,
    extra: {
      session: {
        // A model may name further files for its weights, and the native engine looks for them in the working
        // directory: weights that no digest covers. It finds none in a folder that is a file.
        model_external_initializers_file_folder_path: process.execPath,
      },
    },
  }
}

/** The error of an engine whose package is there, but does not start. */
export function cannotStart({ id, engine }: Profile, cause: unknown): CountersignError {
  return new CountersignError('execution/profile-unmet', `${engine} does not start here, as profile ${id} needs`, {
    cause,
  })
}
