/** A model, loaded in a profile and ready to run. */
import { createHash } from 'node:crypto'
import { CountersignError, quote, type Tensor } from '@countersign/verify'
import type { InferenceSession, Tensor as SessionTensor } from 'onnxruntime-node'
import { startNativeRuntime } from './onnx-node.ts'
import { startWebRuntime } from './onnx-web.ts'
import type { Profile } from './profile.ts'
import { verifyProvider } from './provider-check.ts'
import type { Runtime } from './runtime.ts'
import { readTensorInfo, sessionType, type TensorInfo, toTensor, verifyTensor } from './session-tensor.ts'

export interface LoadedModel {
  readonly profile: Profile
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /**
   * Checks that inputs and names of outputs fit the model, and runs nothing.
   *
   * @throws {CountersignError} `tensor/wrong-name`, `tensor/wrong-datatype`, `tensor/wrong-shape`, `tensor/malformed`
   */
  check(inputs: readonly Tensor[], outputs?: readonly string[]): void
  /**
   * Runs the model once. Gives the outputs that are named, in that order; all of them, in the model's, when none is.
   *
   * @throws {CountersignError} `tensor/wrong-name`, `tensor/wrong-datatype`, `tensor/wrong-shape`, `tensor/malformed`
   *   for what does not fit the model; `execution/failed` when the engine fails or the model is closed
   */
  run(inputs: readonly Tensor[], outputs?: readonly string[]): Promise<readonly Tensor[]>
  /** Waits for what is running and frees the model's memory. */
  close(): Promise<void>
}

/** Most bytes of a model's file: the WebAssembly engine holds it twice, in 4 GiB. */
export const MAX_MODEL_BYTES = 1024 ** 3

/**
 * Loads a model, having proven that `bytes` have the digest and that the profile is met here.
 *
 * The digest covers all weights: a model that keeps some in further files is refused by the engine. A model whose
 * inputs state no shape takes scalars only, since the engines cannot tell the two apart.
 *
 * @throws {CountersignError} `execution/model-digest-mismatch`, `execution/profile-unmet`, `execution/unsupported`;
 *   `execution/failed` when the engine cannot load it
 */
export async function loadModel(profile: Profile, bytes: Uint8Array, expectedDigest: string): Promise<LoadedModel> {
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (digest !== expectedDigest) {
    throw new CountersignError(
      'execution/model-digest-mismatch',
      `the model's file has SHA-256 ${digest}, not ${quote(expectedDigest)}`,
    )
  }
  if (bytes.length > MAX_MODEL_BYTES) {
    throw new CountersignError(
      'execution/unsupported',
      `the model has ${bytes.length} bytes, at most ${MAX_MODEL_BYTES}`,
    )
  }
  const runtime = await (profile.engine === 'onnxruntime-web' ? startWebRuntime(profile) : startNativeRuntime(profile))
  const session = await attempt('the engine could not load the model', () => runtime.createSession(bytes))
  try {
    await attempt('the engine could not run the check of its provider', () => verifyProvider(runtime, profile))
    return new SessionModel(profile, digest, runtime, session)
  } catch (thrown) {
    await session.release()
    throw thrown
  }
}

/** Engines put source paths and input values into their messages: kept as the cause, not repeated. */
async function attempt<T>(failure: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('execution/failed', failure, { cause: thrown })
  }
}

class SessionModel implements LoadedModel {
  readonly profile: Profile
  readonly digest: string
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  readonly #runtime: Runtime
  readonly #session: InferenceSession
  readonly #running = new Set<Promise<unknown>>()
  #closed: Promise<void> | undefined

  constructor(profile: Profile, digest: string, runtime: Runtime, session: InferenceSession) {
    this.profile = profile
    this.digest = digest
    this.inputs = session.inputMetadata.map(readTensorInfo)
    this.outputs = session.outputMetadata.map(readTensorInfo)
    this.#runtime = runtime
    this.#session = session
  }

  check(inputs: readonly Tensor[], outputs: readonly string[] = []): void {
    this.#match(inputs)
    this.#wanted(outputs)
  }

  async run(inputs: readonly Tensor[], outputs: readonly string[] = []): Promise<readonly Tensor[]> {
    if (this.#closed !== undefined) throw new CountersignError('execution/failed', 'the model has been closed')
    this.#match(inputs)
    const wanted = this.#wanted(outputs)
    const run = attempt('the engine could not run the model on this input', () =>
      this.#session.run(
        this.#feeds(inputs),
        wanted.map((info) => info.name),
      ),
    )
    this.#running.add(run)
    try {
      const results = await run
      return wanted.map((info) => toTensor(present(results[info.name], info), info))
    } finally {
      this.#running.delete(run)
    }
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(() => this.#session.release())
    return this.#closed
  }

  #match(tensors: readonly Tensor[]): void {
    const seen = new Set<string>()
    for (const [i, tensor] of tensors.entries()) {
      const { name } = tensor
      const path = `inputs[${i}]`
      const info = this.inputs.find((each) => each.name === name)
      if (info === undefined)
        throw wrongName(`${path}.name: the model has no input ${quote(name)}; it has ${list(this.inputs)}`)
      if (seen.has(name)) throw wrongName(`${path}.name: ${quote(name)} is given twice`)
      verifyTensor(tensor, info, path)
      seen.add(name)
    }
    const missing = this.inputs.find((info) => !seen.has(info.name))
    if (missing !== undefined) throw wrongName(`inputs: ${quote(missing.name)} is missing`)
  }

  #feeds(tensors: readonly Tensor[]): InferenceSession.FeedsType {
    const feeds: { [name: string]: SessionTensor } = {}
    for (const { name, datatype, shape, data } of tensors) {
      feeds[name] = this.#runtime.createTensor(sessionType(datatype), data, shape)
    }
    return feeds
  }

  #wanted(outputs: readonly string[]): readonly TensorInfo[] {
    return outputs.length === 0 ? this.outputs : outputs.map((name, i) => this.#output(name, outputs, i))
  }

  #output(name: string, all: readonly string[], i: number): TensorInfo {
    const info = this.outputs.find((each) => each.name === name)
    if (info === undefined)
      throw wrongName(`outputs[${i}]: the model has no output ${quote(name)}; it has ${list(this.outputs)}`)
    if (all.indexOf(name) !== i) throw wrongName(`outputs[${i}]: ${quote(name)} is named twice`)
    return info
  }
}

function wrongName(message: string): CountersignError {
  return new CountersignError('tensor/wrong-name', message)
}

/** At most eight names, for a message. */
function list(tensors: readonly TensorInfo[]): string {
  const names = tensors.slice(0, 8).map(({ name }) => quote(name))
  return tensors.length > 8 ? `${names.join(', ')}, …` : names.join(', ')
}

function present<T>(result: T | undefined, { name }: TensorInfo): T {
  if (result === undefined) throw new CountersignError('execution/failed', `the engine gave no output ${quote(name)}`)
  return result
}
