/** A language model, loaded in llama.cpp and ready to answer. */
import { CountersignError } from '@countersign/verify'
import type { LlamaProfile } from '../profile.ts'
import { type ChatMessage, type ChatPrompt, createChatPrompt } from './chat-prompt.ts'
import { enginesFolder } from './engine-folder.ts'
import { type GenerationRequest, samplingOf } from './generation-request.ts'
import { parseGgufHead } from './gguf.ts'
import {
  findLlama,
  type LlamaRuntime,
  type RuntimeContext,
  type RuntimeEmbeddings,
  type RuntimeModel,
  type RuntimeSequence,
  type SamplingOptions,
} from './library.ts'
import { copyModel } from './model-copy.ts'
import { cutPieces, type GeneratedPiece, type PiecesEnd } from './pieces.ts'
import { createTurns } from './turns.ts'

export interface LlamaModel {
  readonly profile: LlamaProfile
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string
  /** Most tokens of prompt and answer together. */
  readonly contextTokens: number
  /**
   * The chat as the model is to see it, see {@link createChatPrompt}.
   *
   * @throws {CountersignError} `request/malformed`
   */
  chatPrompt(messages: readonly ChatMessage[]): string
  /** Tokens of a prompt, as an answer counts them. @throws {CountersignError} `request/too-large` */
  countTokens(text: string): number
  /**
   * Answers, piece by piece, as they are asked for. A piece is whole characters, and never empty. The tokens of the
   * pieces add up to those of the answer, less those of text that was cut off at a stop.
   *
   * One answer is made at a time, and a reader who stops reading without ending the generator keeps the others waiting.
   * An abort takes effect after the token, or the piece of the prompt, that is being computed.
   *
   * @throws {CountersignError} `request/malformed`, `request/too-large` when prompt and one token exceed the context,
   *   `queue/full`, `execution/failed`. Throws the signal's reason when it aborts
   */
  generate(request: GenerationRequest): AsyncGenerator<GeneratedPiece, GenerationEnd, void>
  /**
   * One vector per text: the last hidden state of its last token, not normalised. A model that was trained for text
   * alone puts into it what comes next, and not what a text is about.
   *
   * @throws {CountersignError} `request/malformed`, `request/too-large`, `queue/full`, `execution/failed`
   */
  embed(texts: readonly string[]): Promise<readonly Float32Array[]>
  /** Refuses who waits, waits for what is being computed, and frees the model's memory. Answers under way fail. */
  close(): Promise<void>
}

export interface GenerationEnd extends PiecesEnd {
  readonly promptTokens: number
}

/** Requests that wait for one model; texts of one call for embeddings; characters of a prompt per token of context. */
export const MAX_WAITING_REQUESTS = 64
export const MAX_EMBED_TEXTS = 256
export const MAX_CHARACTERS_PER_TOKEN = 256

/** Tokens that the library may put around a text before it computes its vector. */
const EMBEDDING_MARGIN_TOKENS = 2

/**
 * Loads a language model, having proven that the file has the digest and that the profile is met here.
 *
 * The library gets a private copy of the file, which is read into memory and then deleted: what runs is what was hashed,
 * see {@link copyModel}. Nothing is built, fetched or sent, and no graphics card is used.
 *
 * @param engines Folder of engines: the one that the environment names unless told.
 * @throws {CountersignError} `execution/engine-missing`, `execution/profile-unmet`, `execution/model-not-found`,
 *   `execution/model-digest-mismatch`, `execution/unsupported`; `execution/failed` when the engine cannot load it
 */
export async function loadLlamaModel(
  profile: LlamaProfile,
  path: string,
  digest: string,
  engines: string = enginesFolder(),
): Promise<LlamaModel> {
  const engine = await findLlama(engines, profile)
  const copy = await copyModel(path, digest)
  const opened: { dispose(): Promise<void> }[] = []
  try {
    const head = parseGgufHead(copy.head, copy.bytes)
    const contextTokens = Math.min(head.contextTokens, profile.contextTokens)
    const runtime = await engine.start()
    opened.unshift(runtime)
    return await attempt('the engine could not load the model', async () => {
      const model = await runtime.loadModel({ modelPath: copy.path, useMmap: false, gpuLayers: 0 })
      opened.unshift(model)
      const chatPrompt = await createChatPrompt(engine, model, head.chatTemplate)
      const options = contextOptions(profile, contextTokens)
      const context = await model.createContext({ ...options, sequences: 1, flashAttention: false })
      opened.unshift(context)
      const hasTemplate = head.chatTemplate !== undefined
      return new RunningModel({ profile, digest, contextTokens, chatPrompt, hasTemplate, runtime, model, context })
    })
  } catch (thrown) {
    for (const each of opened) await each.dispose()
    throw thrown
  } finally {
    await copy.remove()
  }
}

function contextOptions({ threads, batchTokens }: LlamaProfile, contextTokens: number) {
  return { contextSize: contextTokens, batchSize: Math.min(batchTokens, contextTokens), threads }
}

interface Loaded {
  readonly profile: LlamaProfile
  readonly digest: string
  readonly contextTokens: number
  readonly chatPrompt: ChatPrompt
  readonly hasTemplate: boolean
  readonly runtime: LlamaRuntime
  readonly model: RuntimeModel
  readonly context: RuntimeContext
}

class RunningModel implements LlamaModel {
  readonly profile: LlamaProfile
  readonly digest: string
  readonly contextTokens: number
  readonly chatPrompt: ChatPrompt
  readonly #loaded: Loaded
  readonly #sequence: RuntimeSequence
  readonly #turns = createTurns(MAX_WAITING_REQUESTS)
  readonly #running = new Set<Promise<unknown>>()
  #embeddings: RuntimeEmbeddings | undefined
  #closed: Promise<void> | undefined

  constructor(loaded: Loaded) {
    this.profile = loaded.profile
    this.digest = loaded.digest
    this.contextTokens = loaded.contextTokens
    this.chatPrompt = loaded.chatPrompt
    this.#loaded = loaded
    this.#sequence = loaded.context.getSequence({ contextShift: { strategy: refuseShift } })
  }

  countTokens(text: string): number {
    return this.#tokenize(text).length
  }

  async *generate(request: GenerationRequest): AsyncGenerator<GeneratedPiece, GenerationEnd, void> {
    const { signal, stop = [], maxTokens } = request
    const sampling = samplingOf(request)
    const prompt = this.#tokenize(request.prompt)
    if (prompt.length === 0) throw new CountersignError('request/malformed', 'prompt: a text is needed to go on from')
    const room = this.contextTokens - prompt.length
    if (room < 1) throw this.#tooLong(`the prompt has ${prompt.length} tokens`)
    const endTurn = await this.#turns.take(signal)
    try {
      const tokens = this.#answer(prompt, sampling, signal)
      const { model } = this.#loaded
      const read = (held: readonly number[], before: readonly number[]) => model.detokenize(held, false, before)
      const end = yield* cutPieces(tokens, read, Math.min(maxTokens, room), stop)
      return { ...end, promptTokens: prompt.length }
    } finally {
      endTurn()
    }
  }

  async embed(texts: readonly string[]): Promise<readonly Float32Array[]> {
    if (texts.length === 0 || texts.length > MAX_EMBED_TEXTS) {
      throw new CountersignError('request/malformed', `texts: 1 to ${MAX_EMBED_TEXTS} of them are possible`)
    }
    const inputs = texts.map((text, i) => {
      const tokens = this.#tokenize(text)
      if (tokens.length === 0) throw new CountersignError('request/malformed', `texts[${i}]: a text is needed`)
      if (tokens.length > this.contextTokens - EMBEDDING_MARGIN_TOKENS - 1) {
        throw this.#tooLong(`texts[${i}] has ${tokens.length} tokens`)
      }
      return tokens
    })
    const endTurn = await this.#turns.take()
    try {
      const vectors: Float32Array[] = []
      for (const tokens of inputs) vectors.push(await this.#vector(tokens))
      return vectors
    } finally {
      endTurn()
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#dispose()
    return this.#closed
  }

  async #dispose(): Promise<void> {
    this.#turns.close()
    await Promise.allSettled(this.#running)
    const { context, model, runtime } = this.#loaded
    for (const each of [this.#embeddings, context, model, runtime]) await each?.dispose()
  }

  /** The tokens of the answer, without end. Each is computed when it is asked for. */
  async *#answer(
    prompt: readonly number[],
    sampling: SamplingOptions,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<number, void, void> {
    const batch = Math.min(this.profile.batchTokens, this.contextTokens)
    // From nothing, always: what is left of an earlier prompt would change how this one is cut, and so its last bits.
    await this.#compute(() => this.#sequence.clearHistory())
    let start = 0
    for (; prompt.length - start > batch; start += batch) {
      signal?.throwIfAborted()
      const part = prompt.slice(start, start + batch)
      await this.#compute(() => this.#sequence.evaluateWithoutGeneratingNewTokens(part))
    }
    const tokens = this.#sequence.evaluate(prompt.slice(start), sampling)
    try {
      for (;;) {
        signal?.throwIfAborted()
        const next = await this.#compute(() => tokens.next())
        signal?.throwIfAborted()
        if (next.done === true) return
        yield next.value
      }
    } finally {
      // After a failure, or once the model is closed, ending it fails too; then there is nothing left to end.
      await tokens.return().catch(() => {})
    }
  }

  async #vector(tokens: readonly number[]): Promise<Float32Array> {
    const { model } = this.#loaded
    const options = contextOptions({ ...this.profile, batchTokens: this.contextTokens }, this.contextTokens)
    this.#embeddings ??= await this.#compute(() => model.createEmbeddingContext(options))
    const embeddings = this.#embeddings
    // The library adds to the list that it is given.
    const { vector } = await this.#compute(() => embeddings.getEmbeddingFor([...tokens]))
    return Float32Array.from(vector)
  }

  #tokenize(text: string): readonly number[] {
    this.#refuseClosed()
    if (text.length > this.contextTokens * MAX_CHARACTERS_PER_TOKEN) throw this.#tooLong(`${text.length} characters`)
    const { model, hasTemplate } = this.#loaded
    const tokens = model.tokenize(text, hasTemplate)
    const { bos, shouldPrependBosToken } = model.tokens
    return shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens
  }

  #tooLong(what: string): CountersignError {
    const message = `${what}; the model sees ${this.contextTokens} tokens, with the answer’s`
    return new CountersignError('request/too-large', message)
  }

  #refuseClosed(): void {
    if (this.#closed !== undefined) throw new CountersignError('execution/failed', 'the model has been closed')
  }

  /** Work of the native library, for which closing waits. */
  async #compute<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseClosed()
    const running = attempt('the engine could not run the model', work)
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }
}

/** A full context ends the answer; tokens are never dropped to make room. */
function refuseShift(): never {
  throw new CountersignError('execution/failed', 'the context is full')
}

/** Engines put paths and texts into their messages: kept as the cause, not repeated. */
async function attempt<T>(failure: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('execution/failed', failure, { cause: thrown })
  }
}
