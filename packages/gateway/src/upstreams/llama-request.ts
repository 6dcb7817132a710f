/**
 * Requests in OpenAI's dialects, as a language model of the gateway's own can answer them. What it cannot do is refused,
 * never passed over.
 */
import { type ChatMessage, MAX_EMBED_TEXTS } from '@countersign/engines'
import { Fields, type Json, type JsonLimits, type Path, parseJson, ShapeError } from '@countersign/verify'
import { scanObject } from '../dialects/json-scan.ts'

/** What the model is to write. */
export interface GenerationOrder {
  readonly model: string
  readonly input: { readonly messages: readonly ChatMessage[] } | { readonly prompt: string }
  /** `undefined`: up to the end of the context. */
  readonly maxTokens: number | undefined
  readonly temperature: number
  readonly topP: number
  readonly seed: bigint | undefined
  readonly stop: readonly string[]
  readonly isStream: boolean
  /** Whether a stream ends with what was used. */
  readonly hasStreamUsage: boolean
}

export interface EmbeddingOrder {
  readonly model: string
  readonly texts: readonly string[]
  readonly encoding: 'float' | 'base64'
}

const LIMITS: JsonLimits = { maxBytes: 16 * 1024 * 1024, maxDepth: 16 }
const MAX_MESSAGES = 1024
const MAX_PARTS = 256
const MAX_STOPS = 64
const MAX_MODEL_LENGTH = 256
/** Most UTF-16 units of one text; the model's context is shorter. */
const MAX_TEXT_LENGTH = 4 * 1024 * 1024

/** What completions end after when nobody says how long they may be. */
const COMPLETION_TOKENS = 16
const DEFAULT_TEMPERATURE = 1
const DEFAULT_TOP_P = 1

/** The model knows no developer: what one says is the system's word to it. */
const ROLES = ['system', 'developer', 'user', 'assistant'] as const

const INTEGER = /^-?[0-9]{1,19}$/

/** Fields that say something about the request and nothing about the answer. */
const LABELS = ['user', 'metadata', 'safety_identifier', 'prompt_cache_key']

/**
 * Fields that are taken only where they ask for nothing, with the values that do; nothing, and what is empty, always do.
 */
type Inert = { readonly [name: string]: readonly Json[] }

const INERT: Inert = {
  n: [1],
  presence_penalty: [0],
  frequency_penalty: [0],
  logit_bias: [],
  store: [false],
  service_tier: ['auto', 'default'],
}

const INERT_OF_CHAT: Inert = {
  ...INERT,
  logprobs: [false],
  top_logprobs: [0],
  tools: [],
  tool_choice: ['none'],
  parallel_tool_calls: [],
  functions: [],
  function_call: ['none'],
  audio: [],
  prediction: [],
  reasoning_effort: [],
  verbosity: [],
  web_search_options: [],
}

const INERT_OF_COMPLETIONS: Inert = { ...INERT, logprobs: [], best_of: [1], echo: [false], suffix: [] }

const INERT_OF_EMBEDDINGS: Inert = { dimensions: [] }

/** Of a message that an earlier answer was. */
const INERT_OF_MESSAGES: Inert = { refusal: [], annotations: [], audio: [], tool_calls: [], function_call: [] }

/** Reads a request for a chat completion. @throws {CountersignError} `shape/*`, `json/*`, `bytes/*` */
export function parseChatRequest(bytes: Uint8Array): GenerationOrder {
  const fields = new Fields(parseJson(bytes, LIMITS), 'body')
  const messages = fields.list('messages', MAX_MESSAGES, readMessage)
  if (isGiven(fields, 'response_format')) fields.object('response_format').literal('type', 'text')
  if (isGiven(fields, 'modalities')) fields.list('modalities', 1, readTextModality)
  const isDouble = isGiven(fields, 'max_completion_tokens') && isGiven(fields, 'max_tokens')
  if (isDouble) throw new ShapeError('shape/bad-value', fields.at('max_tokens'), 'expected one limit, not two')
  const maxTokens = readCount(fields, 'max_completion_tokens') ?? readCount(fields, 'max_tokens')
  return endGeneration(fields, bytes, INERT_OF_CHAT, { input: { messages }, maxTokens })
}

/** Reads a request for a completion. @throws {CountersignError} `shape/*`, `json/*`, `bytes/*` */
export function parseCompletionRequest(bytes: Uint8Array): GenerationOrder {
  const fields = new Fields(parseJson(bytes, LIMITS), 'body')
  const prompts = readTexts(fields, 'prompt', 1)
  const maxTokens = readCount(fields, 'max_tokens') ?? COMPLETION_TOKENS
  return endGeneration(fields, bytes, INERT_OF_COMPLETIONS, { input: { prompt: prompts[0] ?? '' }, maxTokens })
}

/** Reads a request for embeddings. @throws {CountersignError} `shape/*`, `json/*`, `bytes/*` */
export function parseEmbeddingRequest(bytes: Uint8Array): EmbeddingOrder {
  const fields = new Fields(parseJson(bytes, LIMITS), 'body')
  const order: EmbeddingOrder = {
    model: fields.text('model', { maxLength: MAX_MODEL_LENGTH }),
    texts: readTexts(fields, 'input', MAX_EMBED_TEXTS),
    encoding: isGiven(fields, 'encoding_format') ? fields.oneOf('encoding_format', ['float', 'base64']) : 'float',
  }
  refuseMore(fields, INERT_OF_EMBEDDINGS)
  return order
}

/** What both ways of generating have in common. */
function endGeneration(
  fields: Fields,
  bytes: Uint8Array,
  inert: Inert,
  rest: Pick<GenerationOrder, 'input' | 'maxTokens'>,
): GenerationOrder {
  const isStream = isGiven(fields, 'stream') && fields.boolean('stream')
  const order: GenerationOrder = {
    model: fields.text('model', { maxLength: MAX_MODEL_LENGTH }),
    ...rest,
    temperature: readNumber(fields, 'temperature') ?? DEFAULT_TEMPERATURE,
    topP: readNumber(fields, 'top_p') ?? DEFAULT_TOP_P,
    seed: readSeed(fields, bytes),
    stop: isGiven(fields, 'stop') ? readTexts(fields, 'stop', MAX_STOPS) : [],
    isStream,
    hasStreamUsage: readStreamOptions(fields, isStream),
  }
  refuseMore(fields, inert)
  return order
}

function readStreamOptions(fields: Fields, isStream: boolean): boolean {
  if (!isGiven(fields, 'stream_options')) return false
  const options = fields.object('stream_options')
  if (!isStream) throw new ShapeError('shape/bad-value', options.path, 'expected it with streams alone')
  const hasUsage = isGiven(options, 'include_usage') && options.boolean('include_usage')
  refuseInert(options, { include_obfuscation: [false] })
  options.end()
  return hasUsage
}

function readMessage(item: Json, path: Path): ChatMessage {
  const fields = new Fields(item, path)
  const role = fields.oneOf('role', ROLES)
  const content = readContent(fields.required('content'), fields.at('content'))
  refuseInert(fields, INERT_OF_MESSAGES)
  fields.end()
  return { role: role === 'developer' ? 'system' : role, content }
}

/** A text, or parts that are texts, with a line feed between any two. */
function readContent(value: Json, path: Path): string {
  if (!Array.isArray(value)) return readPlainText(value, path)
  if (value.length > MAX_PARTS) throw new ShapeError('shape/bad-value', path, `expected at most ${MAX_PARTS} parts`)
  const texts = value.map((part: Json, i) => {
    const fields = new Fields(part, `${path}[${i}]`)
    fields.literal('type', 'text')
    const text = readPlainText(fields.required('text'), fields.at('text'))
    fields.end()
    return text
  })
  return texts.join('\n')
}

/** One text, or a list of 1 to `maxTexts`. Lists of tokens are none. */
function readTexts(fields: Fields, name: string, maxTexts: number): readonly string[] {
  const value = fields.required(name)
  if (!Array.isArray(value)) return [readPlainText(value, fields.at(name))]
  const texts = fields.list(name, maxTexts, readPlainText)
  if (texts.length === 0) throw new ShapeError('shape/bad-value', fields.at(name), 'expected a text')
  return texts
}

/** Any text: what people write to a model has tabs and worse in it. */
function readPlainText(value: Json, path: Path): string {
  if (typeof value !== 'string') throw new ShapeError('shape/wrong-type', path, 'expected a text')
  if (value.length > MAX_TEXT_LENGTH) {
    throw new ShapeError('shape/bad-value', path, `expected at most ${MAX_TEXT_LENGTH} characters`)
  }
  if (/\p{Cs}/u.test(value)) throw new ShapeError('shape/bad-value', path, 'the text has half a character in it')
  return value
}

function readTextModality(item: Json, path: Path): void {
  if (item !== 'text') throw new ShapeError('shape/bad-value', path, 'expected "text"')
}

function readNumber(fields: Fields, name: string): number | undefined {
  if (!isGiven(fields, name)) return undefined
  const value = fields.required(name)
  if (typeof value !== 'number') throw new ShapeError('shape/wrong-type', fields.at(name), 'expected a number')
  return value
}

function readCount(fields: Fields, name: string): number | undefined {
  return isGiven(fields, name) ? fields.integer(name, 1) : undefined
}

/** As it is written: 64 bits are more than a number holds. */
function readSeed(fields: Fields, bytes: Uint8Array): bigint | undefined {
  if (!isGiven(fields, 'seed')) return undefined
  const text = scanObject(bytes).numberTextOf('seed') ?? ''
  if (!INTEGER.test(text)) throw new ShapeError('shape/bad-value', fields.at('seed'), 'expected an integer of 64 bits')
  return BigInt(text)
}

/** Fields may be there with `null`, which is as if they were not. */
function isGiven(fields: Fields, name: string): boolean {
  return (fields.any(name) ?? null) !== null
}

function refuseMore(fields: Fields, inert: Inert): void {
  for (const label of LABELS) fields.any(label)
  refuseInert(fields, inert)
  fields.end()
}

function refuseInert(fields: Fields, inert: Inert): void {
  for (const [name, values] of Object.entries(inert)) {
    const value = fields.any(name) ?? null
    if (value === null || values.includes(value) || isEmpty(value)) continue
    throw new ShapeError('shape/bad-value', fields.at(name), 'this model cannot do that; leave it out')
  }
}

function isEmpty(value: Json): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}
