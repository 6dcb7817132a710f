/** OpenAI's chat completions. */
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionContentPart,
  ChatCompletionCreateParams,
  ChatCompletionMessage,
} from 'openai/resources/chat/completions'
import type { CompletionUsage } from 'openai/resources/completions'
import {
  type Answer,
  type Call,
  CREATED_SECONDS,
  frame,
  inputTokensOf,
  jsonAnswer,
  streamAnswer,
  toJson,
} from './answer.testing.ts'
import { OPENAI, openaiError } from './provider.testing.ts'
import type { Schema } from './schema-sample.testing.ts'
import { outputTokensOf, type Prompt, type Utterance, utter } from './utterance.testing.ts'

type Delta = ChatCompletionChunk.Choice.Delta
type FinishReason = ChatCompletion.Choice['finish_reason']

export function answerChat(call: Call): Answer {
  const request = call.json as ChatCompletionCreateParams
  const utterance = utter(call.scenario, promptOf(request))
  return request.stream === true ? streamed(call, request, utterance) : whole(call, utterance)
}

function promptOf(request: ChatCompletionCreateParams): Prompt {
  const last = request.messages.at(-1)
  const user = request.messages.findLast(({ role }) => role === 'user')
  const format = request.response_format
  const functions = (request.tools ?? []).flatMap((tool) => (tool.type === 'function' ? [tool.function] : []))
  return {
    lastUserText: textOf(user?.content),
    tools: functions.map(({ name, parameters = {} }) => ({ name, schema: parameters })),
    hasToolResult: last?.role === 'tool',
    schema: format?.type === 'json_schema' ? ((format.json_schema.schema ?? {}) as Schema) : undefined,
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
  }
}

function textOf(content: unknown): string {
  if (!Array.isArray(content)) return String(content ?? '')
  return (content as ChatCompletionContentPart[]).map((part) => (part.type === 'text' ? part.text : '')).join('')
}

function whole(call: Call, utterance: Utterance): Answer {
  const { kind, pieces, calls } = utterance
  const text = pieces.join('')
  const message: ChatCompletionMessage = {
    role: 'assistant',
    content: kind === 'text' ? text : null,
    refusal: kind === 'refusal' ? text : null,
    annotations: [],
  }
  if (kind === 'tools') {
    message.tool_calls = calls.map(({ name, argumentPieces }, i) => ({
      id: callId(call, i),
      type: 'function',
      function: { name, arguments: argumentPieces.join('') },
    }))
  }
  const completion: ChatCompletion = {
    id: completionId(call),
    object: 'chat.completion',
    created: CREATED_SECONDS,
    model: call.scenario.servedModel,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishOf(utterance) }],
    usage: usageOf(call, utterance),
    service_tier: 'default',
    system_fingerprint: 'fp_mock',
  }
  return jsonAnswer(200, OPENAI.headers(call.digest), toJson(completion, call.scenario))
}

function streamed(call: Call, request: ChatCompletionCreateParams, utterance: Utterance): Answer {
  const wantsUsage = request.stream_options?.include_usage === true
  const chunk = (choices: ChatCompletionChunk.Choice[], usage: CompletionUsage | null = null): Uint8Array => {
    const value: ChatCompletionChunk = {
      id: completionId(call),
      object: 'chat.completion.chunk',
      created: CREATED_SECONDS,
      model: call.scenario.servedModel,
      service_tier: 'default',
      system_fingerprint: 'fp_mock',
      choices,
      ...(wantsUsage ? { usage } : {}),
    }
    return frame(toJson(value, call.scenario))
  }
  const say = (delta: Delta, finish: FinishReason | null = null) =>
    chunk([{ index: 0, delta, logprobs: null, finish_reason: finish }])
  const frames = [...deltasOf(call, utterance).map((delta) => say(delta)), say({}, finishOf(utterance))]
  if (wantsUsage && call.scenario.hasUsage) frames.push(chunk([], usageOf(call, utterance)))
  const failure = frame(JSON.stringify({ error: openaiError(500, 'The server had an error while answering.') }))
  return streamAnswer(OPENAI.headers(call.digest), { frames, terminal: frame('[DONE]'), failure })
}

function deltasOf(call: Call, { kind, pieces, calls }: Utterance): readonly Delta[] {
  const start = { role: 'assistant', refusal: null } as const
  if (kind === 'text') return [{ ...start, content: '' }, ...pieces.map((content) => ({ content }))]
  if (kind === 'refusal') return [{ ...start, content: null }, ...pieces.map((refusal) => ({ refusal }))]
  const argued = calls.flatMap(({ name, argumentPieces }, index): Delta[] => [
    { tool_calls: [{ index, id: callId(call, index), type: 'function', function: { name, arguments: '' } }] },
    ...argumentPieces.map((piece) => ({ tool_calls: [{ index, function: { arguments: piece } }] })),
  ])
  return [{ ...start, content: null }, ...argued]
}

function finishOf({ kind, finish }: Utterance): FinishReason {
  if (finish === 'length') return 'length'
  if (finish === 'failed') return 'content_filter'
  return kind === 'tools' ? 'tool_calls' : 'stop'
}

function completionId({ digest }: Call): string {
  return `chatcmpl-${digest.slice(0, 29)}`
}

function callId({ digest }: Call, index: number): string {
  return `call_${digest.slice(index, index + 24)}`
}

/** The usage object of chat completions and of completions. */
export function usageOf(call: Call, utterance: Utterance): CompletionUsage {
  const [input, output] = [inputTokensOf(call), outputTokensOf(utterance)]
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}
