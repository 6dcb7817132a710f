/** Anthropic's messages. */
import type {
  ContentBlock,
  Message,
  MessageCreateParams,
  MessageTokensCount,
  RawMessageStreamEvent,
  StopReason,
  TextBlock,
  ToolUseBlock,
  Usage,
} from '@anthropic-ai/sdk/resources/messages'
import { type Answer, type Call, frame, inputTokensOf, jsonAnswer, streamAnswer, toJson } from './answer.testing.ts'
import { ANTHROPIC, anthropicError } from './provider.testing.ts'
import { outputTokensOf, type Prompt, type Utterance, utter } from './utterance.testing.ts'

type Event = RawMessageStreamEvent | { readonly type: 'ping' }

const LEAD_IN = 'I will use a tool.'

export function answerMessage(call: Call): Answer {
  const request = call.json as MessageCreateParams
  const utterance = utter(call.scenario, promptOf(request))
  if (request.stream === true) return streamed(call, utterance)
  const content = blocksOf(call, utterance)
  const message = messageOf(call, content, stopReasonOf(utterance), usageOf(call, outputTokensOf(utterance)))
  return jsonAnswer(200, ANTHROPIC.headers(call.digest), toJson(message, call.scenario))
}

export function answerTokenCount(call: Call): Answer {
  const count: MessageTokensCount = { input_tokens: inputTokensOf(call) }
  return jsonAnswer(200, ANTHROPIC.headers(call.digest), JSON.stringify(count))
}

function promptOf({ messages, tools = [], output_config, max_tokens }: MessageCreateParams): Prompt {
  const last = messages.at(-1)
  const user = messages.findLast(({ role }) => role === 'user')
  return {
    lastUserText: textOf(user?.content),
    tools: tools.flatMap((tool) => ('input_schema' in tool ? [{ name: tool.name, schema: tool.input_schema }] : [])),
    hasToolResult: Array.isArray(last?.content) && last.content.some(({ type }) => type === 'tool_result'),
    schema: output_config?.format?.schema,
    maxTokens: max_tokens,
  }
}

function textOf(content: unknown): string {
  if (!Array.isArray(content)) return String(content ?? '')
  return (content as { readonly text?: string }[]).map(({ text = '' }) => text).join('')
}

function blocksOf(call: Call, { kind, pieces, calls }: Utterance): ContentBlock[] {
  if (kind === 'refusal') return []
  if (kind === 'text') return [textBlock(pieces.join(''))]
  const uses = calls.map(({ name, argumentPieces }, i) => toolBlock(call, i, name, JSON.parse(argumentPieces.join(''))))
  return [textBlock(LEAD_IN), ...uses]
}

function textBlock(text: string): TextBlock {
  return { type: 'text', text, citations: null }
}

function toolBlock({ digest }: Call, index: number, name: string, input: unknown): ToolUseBlock {
  return { type: 'tool_use', id: `toolu_01${digest.slice(index, index + 22)}`, name, input, caller: { type: 'direct' } }
}

function messageOf(call: Call, content: ContentBlock[], stopReason: StopReason | null, usage: Usage): Message {
  return {
    model: call.scenario.servedModel,
    id: `msg_01${call.digest.slice(0, 22)}`,
    type: 'message',
    role: 'assistant',
    content,
    container: null,
    diagnostics: null,
    stop_reason: stopReason,
    stop_sequence: null,
    stop_details: null,
    usage,
  }
}

function streamed(call: Call, utterance: Utterance): Answer {
  const [usage, output] = [usageOf(call, 1), outputTokensOf(utterance)]
  const stopReason = stopReasonOf(utterance)
  const events: readonly Event[] = [
    { type: 'message_start', message: messageOf(call, [], null, usage) },
    ...blockEvents(call, utterance),
    {
      type: 'message_delta',
      delta: { stop_reason: stopReason, stop_sequence: null, stop_details: null, container: null },
      usage: {
        input_tokens: usage.input_tokens,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: output,
        output_tokens_details: null,
        server_tool_use: null,
      },
    },
  ]
  const failure = anthropicError(529, 'Overloaded')
  return streamAnswer(ANTHROPIC.headers(call.digest), {
    frames: events.map((event) => frame(toJson(event, call.scenario), event.type)),
    terminal: frame('{"type":"message_stop"}', 'message_stop'),
    failure: frame(JSON.stringify(failure), 'error'),
  })
}

function blockEvents(call: Call, { kind, pieces, calls }: Utterance): readonly Event[] {
  if (kind === 'refusal') return [{ type: 'ping' }]
  const lead = textEvents(kind === 'text' ? pieces : [LEAD_IN])
  const uses = calls.flatMap(({ name, argumentPieces }, i) => toolEvents(call, i, name, argumentPieces))
  return [...lead, ...uses]
}

function textEvents(pieces: readonly string[]): readonly Event[] {
  return [
    { type: 'content_block_start', index: 0, content_block: textBlock('') },
    { type: 'ping' },
    ...pieces.map((text): Event => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    { type: 'content_block_stop', index: 0 },
  ]
}

function toolEvents(call: Call, callIndex: number, name: string, pieces: readonly string[]): readonly Event[] {
  const index = callIndex + 1
  const delta = (json: string): Event => ({
    type: 'content_block_delta',
    index,
    delta: { type: 'input_json_delta', partial_json: json },
  })
  return [
    { type: 'content_block_start', index, content_block: toolBlock(call, callIndex, name, {}) },
    ...['', ...pieces].map(delta),
    { type: 'content_block_stop', index },
  ]
}

function stopReasonOf({ kind, finish }: Utterance): StopReason {
  if (kind === 'refusal' || finish === 'failed') return 'refusal'
  if (finish === 'length') return 'max_tokens'
  return kind === 'tools' ? 'tool_use' : 'end_turn'
}

function usageOf(call: Call, outputTokens: number): Usage {
  return {
    input_tokens: inputTokensOf(call),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: 'standard',
    inference_geo: 'us',
    speed: 'standard',
  }
}
