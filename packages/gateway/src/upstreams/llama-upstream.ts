/** A language model that the gateway runs itself, as an upstream that speaks OpenAI's dialects. */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { GeneratedPiece, GenerationEnd, LlamaModel } from '@countersign/engines'
import { CountersignError, codeOf, type ServedModel } from '@countersign/verify'
import type { DialectName } from '../dialects/dialect.ts'
import { errorBody } from '../dialects/error-body.ts'
import { KIND_DIALECTS } from './kinds.ts'
import {
  type AnswerHead,
  CHAT_SHAPE,
  COMPLETION_SHAPE,
  embeddingAnswer,
  systemFingerprint,
  type TextFrames,
  type TextShape,
  textFrames,
  wholeAnswer,
} from './llama-answer.ts'
import {
  type GenerationOrder,
  parseChatRequest,
  parseCompletionRequest,
  parseEmbeddingRequest,
} from './llama-request.ts'
import type { Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts'

export interface LlamaUpstreamOptions {
  readonly name: string
  /** Closed with the upstream. */
  readonly model: LlamaModel
  readonly served: ServedModel | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Ids of answers, without prefix. */
  readonly randomId?: () => string
}

const ID_BYTES = 16

/** Errors by these beginnings are the request's own fault, which an API says in an answer. */
const CLIENT_FAULTS = ['request/', 'shape/', 'json/', 'bytes/']

const STREAM_HEADERS: UpstreamAnswer['headers'] = [
  ['content-type', 'text/event-stream; charset=utf-8'],
  ['cache-control', 'no-cache'],
]

type Pieces = AsyncGenerator<GeneratedPiece, GenerationEnd, void>

/**
 * Answers chat completions, completions and embeddings with the bytes that an API of this kind would send; streams too.
 * A request that the model cannot do as asked gets status 400, and says why.
 */
export function createLlamaUpstream(options: LlamaUpstreamOptions): Upstream {
  const { name, model, served } = options
  return {
    name,
    kind: 'llama',
    origin: 'embedded',
    served,
    async send(request) {
      request.signal.throwIfAborted()
      try {
        return await answerTo(request, options)
      } catch (thrown) {
        if (request.signal.aborted) throw request.signal.reason
        return refusalOf(thrown, name)
      }
    },
    close: () => model.close(),
  }
}

function answerTo({ dialect, body = new Uint8Array(0), signal }: UpstreamRequest, options: LlamaUpstreamOptions) {
  switch (dialectOf(dialect?.name)) {
    case 'openai-chat':
      return generate(parseChatRequest(body), CHAT_SHAPE, signal, options)
    case 'openai-completions':
      return generate(parseCompletionRequest(body), COMPLETION_SHAPE, signal, options)
    case 'openai-embeddings':
      return embed(body, signal, options)
    default:
      throw new CountersignError('request/not-found', 'this model answers chat completions, completions and embeddings')
  }
}

function dialectOf(name: DialectName | undefined): DialectName | undefined {
  return KIND_DIALECTS.llama.find((each) => each === name)
}

async function generate(
  order: GenerationOrder,
  shape: TextShape,
  signal: AbortSignal,
  { model, now, randomId = newId }: LlamaUpstreamOptions,
): Promise<UpstreamAnswer> {
  const { input, maxTokens = model.contextTokens, temperature, topP, seed, stop } = order
  const prompt = 'prompt' in input ? input.prompt : model.chatPrompt(input.messages)
  const sampling = { temperature, topP, stop, ...(seed === undefined ? {} : { seed }) }
  const ending = linkedAbort(signal)
  const pieces = model.generate({ prompt, maxTokens, ...sampling, signal: ending.signal })
  const head: AnswerHead = {
    id: `${shape.idPrefix}${randomId()}`,
    created: Math.floor(now() / 1000),
    model: order.model,
    systemFingerprint: systemFingerprint(model),
  }
  try {
    // What the model refuses it refuses at the first piece, when there still is a status to say it with.
    const first = await pieces.next()
    if (order.isStream) return streamed(pieces, first, textFrames(shape, head, order.hasStreamUsage), ending)
    const { text, end } = await gather(pieces, first)
    ending.release()
    return whole(200, Buffer.from(wholeAnswer(shape, head, text, end)))
  } catch (thrown) {
    ending.release()
    throw thrown
  }
}

async function embed(body: Uint8Array, signal: AbortSignal, { model }: LlamaUpstreamOptions): Promise<UpstreamAnswer> {
  const { model: name, texts, encoding } = parseEmbeddingRequest(body)
  const vectors = await model.embed(texts)
  signal.throwIfAborted()
  const tokens = texts.reduce((sum, text) => sum + model.countTokens(text), 0)
  return whole(200, Buffer.from(embeddingAnswer(name, vectors, tokens, encoding)))
}

async function gather(pieces: Pieces, first: IteratorResult<GeneratedPiece, GenerationEnd>) {
  let text = ''
  let each = first
  for (; each.done !== true; each = await pieces.next()) text += each.value.text
  return { text, end: each.value }
}

/**
 * The model writes on even while nobody reads: it has one answer at a time, and a slow reader is not to keep the others
 * waiting. What waits to be read is bounded by the model's context.
 */
function streamed(
  pieces: Pieces,
  first: IteratorResult<GeneratedPiece, GenerationEnd>,
  frames: TextFrames,
  ending: LinkedAbort,
): UpstreamAnswer {
  const body = new Readable({
    read: () => {},
    destroy(error, done) {
      ending.abort()
      done(error)
    },
  })
  // It may fail before its reader has had a chance to listen, who is told nevertheless.
  body.on('error', () => {})
  const write = async () => {
    body.push(frames.opening)
    let each = first
    for (; each.done !== true; each = await pieces.next()) body.push(frames.delta(each.value.text))
    body.push(frames.ending(each.value))
    body.push(null)
  }
  write()
    .catch((thrown: unknown) => body.destroy(asError(thrown)))
    .finally(() => ending.release())
  return { ...NOTHING_KNOWN, status: 200, headers: STREAM_HEADERS, body }
}

/** Nobody carries the request, and there is nothing to observe. */
const NOTHING_KNOWN: Pick<UpstreamAnswer, 'observations' | 'requestId' | 'shown' | 'covering'> = {
  observations: [],
  requestId: undefined,
  shown: undefined,
  covering: undefined,
}

function whole(status: number, bytes: Uint8Array): UpstreamAnswer {
  const headers: UpstreamAnswer['headers'] = [
    ['content-type', 'application/json'],
    ['content-length', String(bytes.length)],
  ]
  return { ...NOTHING_KNOWN, status, headers, body: Readable.from([bytes], { objectMode: false }) }
}

/** @throws {CountersignError} what is not the request's fault */
function refusalOf(thrown: unknown, upstream: string): UpstreamAnswer {
  const code = codeOf(thrown)
  if (thrown instanceof CountersignError && code !== undefined) {
    if (code === 'queue/full') throw new CountersignError('upstream/busy', `upstream ${upstream}: ${thrown.message}`)
    if (CLIENT_FAULTS.some((start) => code.startsWith(start))) {
      const status = code === 'request/not-found' ? 404 : 400
      return whole(status, errorBody('openai', { status, code, message: thrown.message }))
    }
  }
  throw thrown
}

interface LinkedAbort {
  readonly signal: AbortSignal
  abort(): void
  /** Forgets the request's signal. */
  release(): void
}

/** Ends the model's work when the request is aborted, or when its answer is no longer read. */
function linkedAbort(outer: AbortSignal): LinkedAbort {
  const controller = new AbortController()
  const follow = () => controller.abort(outer.reason)
  outer.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    release: () => outer.removeEventListener('abort', follow),
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('the request was aborted', { cause: thrown })
}

function newId(): string {
  return randomBytes(ID_BYTES).toString('hex')
}
