/** A dialect: one path of an API that clients speak, as a table of how to read its requests, answers and streams. */
import { type InferencePredicate, readText, ShapeError } from '@countersign/verify'
import type { AnswerFacts, GrowingFacts } from './answer-facts.ts'
import type { ScannedObject } from './json-scan.ts'
import type { SseFrame } from './sse-frames.ts'

export type Family = 'openai' | 'anthropic' | 'open-inference'

export type DialectName =
  | 'openai-chat'
  | 'openai-responses'
  | 'openai-completions'
  | 'openai-embeddings'
  | 'openai-transcriptions'
  | 'openai-translations'
  | 'open-inference'
  | 'anthropic-messages'
  | 'anthropic-count-tokens'

type Parameters = InferencePredicate['parameters']

/** For each parameter that may stand in clear its names in a request; the first that is there and fits counts. */
export type ParameterNames = { readonly [parameter in keyof Parameters]?: readonly string[] }

export interface Dialect {
  readonly name: DialectName
  /** Path of its requests. */
  readonly path: string
  /** The path for a model, where its name stands there and not in the body. */
  readonly pathOf?: (model: string) => string
  readonly family: Family
  /** How requests come; as JSON unless it says otherwise. */
  readonly body?: 'multipart'
  /** Whether its answers cost nothing anywhere. */
  readonly isFree?: true
  /** Tokens that its answers are made of; those of the request and of the answer unless it says otherwise. */
  readonly tokens?: 'of-request' | 'none'
  readonly canStream: boolean
  /** How an error is said in its streams: as data alone, or as an event of the family's shape. */
  readonly streamError: 'data' | 'responses-event' | 'anthropic-event'
  readonly parameters: ParameterNames
  /** Facts of a whole answer that is not streamed. Never throws. */
  readonly readAnswer: (bytes: Uint8Array) => AnswerFacts
  /** Adds what a frame says. Never throws. Frames come in the order of the stream, each once. */
  readonly readFrameFacts: (frame: SseFrame, facts: GrowingFacts) => void
  /**
   * Whether all clients find the same in the frame's data; yes for every frame where this is missing. A frame of which
   * that is not certain must not pass: to some client it may be the last. Never throws.
   */
  readonly isClearFrame?: (frame: SseFrame) => boolean
  /** Whether clients take the answer to be over, well or badly, once they have this frame. Never throws. */
  readonly isTerminalFrame: (frame: SseFrame) => boolean
}

/** What the gateway needs to know of a request. */
export interface RequestFacts {
  readonly model: string
  readonly isStream: boolean
  readonly parameters: Parameters
}

/** Longest name of a model, in UTF-16 units. A statement takes no longer one. */
export const MAX_MODEL_LENGTH = 256

const MAX_NUMBER_LENGTH = 32
const INTEGER = /^-?(0|[1-9][0-9]*)$/

/**
 * Reads model, stream flag and parameters. A parameter that does not fit a statement is left out: to judge it is the
 * upstream's business.
 *
 * @throws {CountersignError} `shape/missing-field`, `shape/wrong-type`, `shape/bad-value` or `bytes/bad-utf8` for the
 *   model; `shape/wrong-type` for the stream flag
 */
export function readRequest(dialect: Dialect, body: ScannedObject): RequestFacts {
  const model = body.textOf('model')
  if (model === undefined) throw new ShapeError('shape/missing-field', 'model', 'this field is required')
  return {
    model: readText(model, 'model', { maxLength: MAX_MODEL_LENGTH }),
    isStream: dialect.canStream && body.kindOf('stream') !== 'null' && body.booleanOf('stream') === true,
    parameters: readParameters(dialect.parameters, body),
  }
}

/** Reads the parameters that may stand in clear. One that does not fit a statement is left out. */
export function readParameters(names: ParameterNames, body: ScannedObject): Parameters {
  const temperature = firstNumber(body, names.temperature, isDecimal)
  const topP = firstNumber(body, names.topP, isDecimal)
  const seed = firstNumber(body, names.seed, isInteger)
  const maxTokens = firstNumber(body, names.maxTokens, isCount)
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
    ...(maxTokens === undefined ? {} : { maxTokens: Number(maxTokens) }),
  }
}

function firstNumber(
  body: ScannedObject,
  names: readonly string[] | undefined,
  fits: (text: string) => boolean,
): string | undefined {
  for (const name of names ?? []) {
    const text = body.kindOf(name) === 'number' ? body.numberTextOf(name) : undefined
    if (text !== undefined && fits(text)) return text
  }
  return undefined
}

/** Every number of JSON is a decimal of the statement's form; only the length may not be. */
function isDecimal(text: string): boolean {
  return text.length <= MAX_NUMBER_LENGTH
}

function isInteger(text: string): boolean {
  return isDecimal(text) && INTEGER.test(text)
}

function isCount(text: string): boolean {
  return isInteger(text) && !text.startsWith('-') && Number.isSafeInteger(Number(text))
}
