/** Answers of a language model of the gateway's own, in the shapes of OpenAI's API. */
import type { GenerationEnd, LlamaModel } from '@countersign/engines'

/** What stands in every part of one answer. */
export interface AnswerHead {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  /** As it was asked for. */
  readonly model: string
  /** Which way of running which weights. */
  readonly systemFingerprint: string
}

export type Finish = GenerationEnd['finish']

/** How a dialect shapes one text, whole and in pieces. */
export interface TextShape {
  readonly idPrefix: string
  readonly whole: string
  readonly chunk: string
  readonly choice: (text: string, finish: Finish) => object
  /** What a stream begins with, before any text. */
  readonly opening: object | undefined
  readonly delta: (text: string) => object
  readonly ending: (finish: Finish) => object
}

export const CHAT_SHAPE: TextShape = {
  idPrefix: 'chatcmpl-',
  whole: 'chat.completion',
  chunk: 'chat.completion.chunk',
  choice: (content, finish) => ({
    index: 0,
    message: { role: 'assistant', content, refusal: null },
    logprobs: null,
    finish_reason: finish,
  }),
  opening: { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
  delta: (content) => ({ index: 0, delta: { content }, logprobs: null, finish_reason: null }),
  ending: (finish) => ({ index: 0, delta: {}, logprobs: null, finish_reason: finish }),
}

export const COMPLETION_SHAPE: TextShape = {
  idPrefix: 'cmpl-',
  whole: 'text_completion',
  chunk: 'text_completion',
  choice: (text, finish) => ({ index: 0, text, logprobs: null, finish_reason: finish }),
  opening: undefined,
  delta: (text) => ({ index: 0, text, logprobs: null, finish_reason: null }),
  ending: (finish) => ({ index: 0, text: '', logprobs: null, finish_reason: finish }),
}

export const DONE_FRAME = 'data: [DONE]\n\n'

/** Names the way in which the model is run, and its weights by the start of their digest. */
export function systemFingerprint({ profile, digest }: Pick<LlamaModel, 'profile' | 'digest'>): string {
  return `${profile.id}-${digest.slice(0, 16)}`
}

/** The whole answer, JSON. */
export function wholeAnswer(shape: TextShape, head: AnswerHead, text: string, end: GenerationEnd): string {
  const { id, created, model, systemFingerprint: system_fingerprint } = head
  const choices = [shape.choice(text, end.finish)]
  return JSON.stringify({ id, object: shape.whole, created, model, choices, usage: usageOf(end), system_fingerprint })
}

/** The frames of one stream. */
export interface TextFrames {
  readonly opening: string
  delta(text: string): string
  /** The ending, what was used where that was asked for, and the frame after which nothing comes. */
  ending(end: GenerationEnd): string
}

/** @param hasUsage Whether the stream ends with what was used; all frames before that then say that it is to come. */
export function textFrames(shape: TextShape, head: AnswerHead, hasUsage: boolean): TextFrames {
  const { id, created, model, systemFingerprint: system_fingerprint } = head
  const frame = (choices: readonly object[], usage: object | null) => {
    const chunk = { id, object: shape.chunk, created, model, system_fingerprint, choices }
    return `data: ${JSON.stringify(hasUsage ? { ...chunk, usage } : chunk)}\n\n`
  }
  return {
    opening: shape.opening === undefined ? '' : frame([shape.opening], null),
    delta: (text) => frame([shape.delta(text)], null),
    ending: (end) => {
      const last = frame([shape.ending(end.finish)], null)
      return last + (hasUsage ? frame([], usageOf(end)) : '') + DONE_FRAME
    },
  }
}

/** The list of vectors, JSON. `base64` is of their numbers in 32 bits each, little-endian. */
export function embeddingAnswer(
  model: string,
  vectors: readonly Float32Array[],
  promptTokens: number,
  encoding: 'float' | 'base64',
): string {
  const data = vectors.map((vector, index) => {
    const embedding = encoding === 'float' ? Array.from(vector) : littleEndian(vector).toString('base64')
    return { object: 'embedding', index, embedding }
  })
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens }
  return JSON.stringify({ object: 'list', data, model, usage })
}

function usageOf({ promptTokens, completionTokens }: GenerationEnd): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  }
}

function littleEndian(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(vector.length * Float32Array.BYTES_PER_ELEMENT)
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * Float32Array.BYTES_PER_ELEMENT)
  return bytes
}
