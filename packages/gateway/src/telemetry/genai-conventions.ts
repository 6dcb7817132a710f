/**
 * Names of OpenTelemetry's conventions for generative AI. They are still in development and change, so they stand here
 * alone, as read on the day below; a change is a new version, which spans carry.
 *
 * @spec OpenTelemetry GenAI semantic conventions, "Client inference", 2026-11
 */
import type { FinishReason } from '@countersign/verify'
import type { UpstreamKind } from '../upstreams/upstream.ts'
import type { Operation } from './answer-event.ts'

/** Stands in each export, as `countersign.conventions`. */
export const CONVENTIONS_VERSION = 'genai/1'

export const ATTRIBUTE = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestStream: 'gen_ai.request.stream',
  requestSeed: 'gen_ai.request.seed',
  requestTemperature: 'gen_ai.request.temperature',
  requestTopP: 'gen_ai.request.top_p',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cachedInputTokens: 'gen_ai.usage.cache_read.input_tokens',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
  // Ours.
  receipt: 'countersign.receipt.id',
  logIndex: 'countersign.log.index',
  deployment: 'countersign.deployment',
  upstream: 'countersign.upstream',
  attempts: 'countersign.attempts',
  conventions: 'countersign.conventions',
} as const

/** Those from `count_tokens` on have no name in the conventions. */
export const OPERATION_NAME: { readonly [operation in Operation]: string } = {
  chat: 'chat',
  responses: 'chat',
  messages: 'chat',
  completions: 'text_completion',
  embeddings: 'embeddings',
  count_tokens: 'count_tokens',
  transcriptions: 'transcription',
  translations: 'translation',
  infer: 'infer',
}

/** The flavour of an upstream's API, which is not who runs it. */
export const PROVIDER_NAME: { readonly [kind in UpstreamKind]: string } = {
  openai: 'openai',
  anthropic: 'anthropic',
  kserve: 'kserve',
  llama: 'llama.cpp',
}

/** Models that the gateway runs itself, and answers that came from no upstream. */
export const OWN_PROVIDER_NAME = 'countersign'

/** `undefined` where the conventions have no word, and none is made up. */
export const FINISH_NAME: { readonly [reason in FinishReason]: string | undefined } = {
  complete: 'stop',
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_call',
  'content-filter': 'content_filter',
  other: undefined,
  error: 'error',
  interrupted: 'error',
}

/** An error of which nothing more is known. */
export const OTHER_ERROR = '_OTHER'
