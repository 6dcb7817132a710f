/** Answers in the dialects that the official clients speak. */
import type { Reply } from './gateway-double.testing.ts'

export const ANSWER = 'Forty-two.'
const PIECES = ['Forty', '-', 'two.']

const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
const event = (value: { readonly type: string }) => `event: ${value.type}\n${data(value)}`

const CHAT = { id: 'chatcmpl-1', created: 1_790_000_000, model: 'chat' }
const USAGE = { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 }

/** The answer to a request to `path`. */
export function sdkReply(path: string, request: Readonly<Record<string, unknown>>): Reply {
  const isStream = request.stream === true
  switch (path) {
    case '/v1/chat/completions':
      return isStream ? chatStream() : [chatWhole(request.response_format === undefined ? ANSWER : '{"answer":42}')]
    case '/v1/responses':
      return isStream ? responsesStream() : [JSON.stringify(finishedResponse())]
    case '/v1/messages':
      return isStream ? messagesStream() : [JSON.stringify(message([{ type: 'text', text: ANSWER }], 'end_turn'))]
    default:
      return ['{}']
  }
}

function chatWhole(content: string): string {
  const choice = { index: 0, message: { role: 'assistant', content, refusal: null }, finish_reason: 'stop' }
  return JSON.stringify({ ...CHAT, object: 'chat.completion', choices: [choice], usage: USAGE })
}

function chatStream(): Reply {
  const chunk = (delta: object, finish_reason: string | null) =>
    data({ ...CHAT, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })
  const pieces = PIECES.map((content) => chunk({ role: 'assistant', content }, null))
  return [`${pieces.join('')}${chunk({}, 'stop')}`, 'data: [DONE]\n\n']
}

const RESPONSE = { id: 'resp_1', object: 'response', created_at: 1_790_000_000, model: 'chat' }
const TEXT_PART = { type: 'output_text', text: ANSWER, annotations: [] }
const OUTPUT_ITEM = { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [TEXT_PART] }

function finishedResponse() {
  const usage = {
    input_tokens: 3,
    output_tokens: 3,
    total_tokens: 6,
    input_tokens_details: {},
    output_tokens_details: {},
  }
  return { ...RESPONSE, status: 'completed', output: [OUTPUT_ITEM], usage }
}

function responsesStream(): Reply {
  const place = { item_id: 'msg_1', output_index: 0, content_index: 0 }
  const begun = { ...RESPONSE, status: 'in_progress', output: [] }
  const item = { ...OUTPUT_ITEM, status: 'in_progress', content: [] }
  const events = [
    { type: 'response.created', response: begun },
    { type: 'response.output_item.added', output_index: 0, item },
    { type: 'response.content_part.added', ...place, part: { ...TEXT_PART, text: '' } },
    ...PIECES.map((delta) => ({ type: 'response.output_text.delta', ...place, delta })),
    { type: 'response.output_text.done', ...place, text: ANSWER },
    { type: 'response.output_item.done', output_index: 0, item: OUTPUT_ITEM },
  ]
  return [events.map(event).join(''), event({ type: 'response.completed', ...{ response: finishedResponse() } })]
}

function message(content: readonly object[], stop_reason: string | null) {
  const usage = { input_tokens: 3, output_tokens: 3 }
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'chat',
    content,
    stop_reason,
    stop_sequence: null,
    usage,
  }
}

function messagesStream(): Reply {
  const events = [
    { type: 'message_start', message: message([], null) },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...PIECES.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } },
  ]
  return [events.map(event).join(''), event({ type: 'message_stop' })]
}
