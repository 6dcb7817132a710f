/** OpenAI's responses, which are stored until they are deleted. */
import type {
  ResponseCreateParams,
  ResponseInputItem,
  ResponseItem,
  ResponseOutputItem,
  ResponseUsage,
} from 'openai/resources/responses/responses'
import { type Answer, type Call, CREATED_SECONDS, inputTokensOf, jsonAnswer, toJson } from './answer.testing.ts'
import { OPENAI } from './provider.testing.ts'
import { streamResponse, type WireResponse } from './response-events.testing.ts'
import type { Schema } from './schema-sample.testing.ts'
import { outputTokensOf, type Prompt, type Utterance, utter } from './utterance.testing.ts'

interface Stored {
  readonly text: string
  readonly input: readonly ResponseItem[]
}

export type ResponseStore = Map<string, Stored>

const MAX_STORED = 1000
const DEFAULT_PAGE = 20

export function answerResponse(call: Call, store: ResponseStore): Answer {
  const request = call.json as ResponseCreateParams
  const previous = request.previous_response_id
  if (typeof previous === 'string' && !store.has(previous)) {
    return OPENAI.error(400, `Previous response with id '${previous}' not found.`, call.digest)
  }
  const utterance = utter(call.scenario, promptOf(request))
  const response = responseOf(call, request, utterance)
  const text = toJson(response, call.scenario)
  if (request.store !== false) {
    if (store.size >= MAX_STORED) for (const oldest of [...store.keys()].slice(0, 1)) store.delete(oldest)
    store.set(response.id, { text, input: inputItems(call, request.input) })
  }
  if (request.stream === true) return streamResponse(call, response, utterance)
  return jsonAnswer(200, OPENAI.headers(call.digest), text)
}

export function answerStoredResponse({ digest, parameters: [id = ''] }: Call, store: ResponseStore): Answer {
  const stored = store.get(id)
  return stored === undefined ? notFound(digest, id) : jsonAnswer(200, OPENAI.headers(digest), stored.text)
}

export function answerDeletedResponse({ digest, parameters: [id = ''] }: Call, store: ResponseStore): Answer {
  if (!store.delete(id)) return notFound(digest, id)
  return jsonAnswer(200, OPENAI.headers(digest), JSON.stringify({ id, object: 'response', deleted: true }))
}

/** The first page of what a response was asked, the last item first. */
export function answerInputItems({ digest, parameters: [id = ''] }: Call, store: ResponseStore): Answer {
  const stored = store.get(id)
  if (stored === undefined) return notFound(digest, id)
  const data = stored.input.toReversed().slice(0, DEFAULT_PAGE)
  const ends = { first_id: data.at(0)?.id, last_id: data.at(-1)?.id, has_more: stored.input.length > data.length }
  return jsonAnswer(200, OPENAI.headers(digest), JSON.stringify({ object: 'list', data, ...ends }))
}

function notFound(digest: string, id: string): Answer {
  return OPENAI.error(404, `Response with id '${id}' not found.`, digest)
}

function promptOf({ input = [], tools, text, max_output_tokens }: ResponseCreateParams): Prompt {
  const items: readonly ResponseInputItem[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input
  const user = items.findLast((item) => 'role' in item && item.role === 'user')
  const functions = (tools ?? []).flatMap((tool) => (tool.type === 'function' ? [tool] : []))
  const format = text?.format
  return {
    lastUserText: user !== undefined && 'content' in user ? textOf(user.content) : '',
    tools: functions.map(({ name, parameters }) => ({ name, schema: parameters ?? {} })),
    hasToolResult: items.at(-1)?.type === 'function_call_output',
    schema: format?.type === 'json_schema' ? (format.schema as Schema) : undefined,
    maxTokens: max_output_tokens ?? undefined,
  }
}

function textOf(content: unknown): string {
  if (!Array.isArray(content)) return String(content ?? '')
  return (content as { readonly text?: string }[]).map(({ text = '' }) => text).join('')
}

function inputItems({ digest }: Call, input: ResponseCreateParams['input'] = []): readonly ResponseItem[] {
  const idOf = (index: number) => `msg_${digest.slice(index % 16, (index % 16) + 32)}${index}`
  if (typeof input === 'string') {
    const content = [{ type: 'input_text', text: input } as const]
    return [{ id: idOf(0), type: 'message', role: 'user', status: 'completed', content }]
  }
  return input.map((item, index) => ({ id: idOf(index), ...item }) as ResponseItem)
}

const STATUSES = { complete: 'completed', length: 'incomplete', failed: 'failed' } as const

function responseOf(call: Call, request: ResponseCreateParams, utterance: Utterance): WireResponse {
  const { digest, scenario } = call
  const { finish } = utterance
  return {
    id: `resp_${digest.slice(0, 48)}`,
    object: 'response',
    created_at: CREATED_SECONDS,
    status: STATUSES[finish],
    background: false,
    ...(request.conversation == null ? {} : { conversation: { id: conversationOf(request.conversation) } }),
    error: finish === 'failed' ? { code: 'server_error', message: 'The server had an error while answering.' } : null,
    incomplete_details: finish === 'length' ? { reason: 'max_output_tokens' } : null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: request.metadata ?? {},
    model: scenario.servedModel,
    output: finish === 'failed' ? [] : outputOf(call, utterance),
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    temperature: request.temperature ?? 1,
    text: request.text ?? { format: { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_p: request.top_p ?? 1,
    truncation: 'disabled',
    ...(finish === 'failed' ? {} : { usage: usageOf(call, utterance) }),
  }
}

function conversationOf(named: string | { readonly id: string }): string {
  return typeof named === 'string' ? named : named.id
}

function outputOf({ digest }: Call, { kind, pieces, calls, finish }: Utterance): ResponseOutputItem[] {
  const status = finish === 'length' ? 'incomplete' : 'completed'
  if (kind === 'tools') {
    return calls.map(({ name, argumentPieces }, i) => ({
      id: `fc_${digest.slice(i, i + 48)}`,
      type: 'function_call',
      status,
      arguments: argumentPieces.join(''),
      call_id: `call_${digest.slice(i, i + 24)}`,
      name,
    }))
  }
  const text = pieces.join('')
  const content =
    kind === 'refusal'
      ? ({ type: 'refusal', refusal: text } as const)
      : ({ type: 'output_text', annotations: [], logprobs: [], text } as const)
  return [
    { id: `msg_${digest.slice(0, 48)}`, type: 'message', status, role: 'assistant', content: [{ ...content }] },
  ] as ResponseOutputItem[]
}

function usageOf(call: Call, utterance: Utterance): ResponseUsage {
  const [input, output] = [inputTokensOf(call), outputTokensOf(utterance)]
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  }
}
