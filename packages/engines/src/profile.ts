/** Named ways of running a model. Two runs in one profile on the same bytes give the same bits, or one is not in it. */
import { CountersignError, quote } from '@countersign/verify'

/** All that decides the bits of an answer besides model and input. */
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

/** Every profile there is. */
export const PROFILES: readonly Profile[] = [NATIVE_PROFILE, REFERENCE_PROFILE]

/**
 * The profile of that name. That it can be met here is checked when a model is loaded in it.
 *
 * @throws {CountersignError} `execution/unsupported`
 */
export function findProfile(id: string): Profile {
  const profile = PROFILES.find((known) => known.id === id)
  if (profile === undefined) {
    const known = PROFILES.map((each) => each.id).join(', ')
    throw new CountersignError('execution/unsupported', `no profile is called ${quote(id)}; there are ${known}`)
  }
  return profile
}
