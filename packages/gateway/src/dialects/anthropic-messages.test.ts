import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANTHROPIC_MESSAGES } from './anthropic-messages.ts'
import { NOTHING, readStream, readWhole, sse, typed } from './streams.testing.ts'

const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5',
  content: [],
  stop_reason: null,
  stop_sequence: null,
}
const KNOWN = { ...NOTHING, servedModel: 'claude-sonnet-4-5', responseId: 'msg_1' }
const AT_START = { input_tokens: 10, cache_creation_input_tokens: 200, cache_read_input_tokens: 3000, output_tokens: 1 }

const START = [
  typed({ type: 'message_start', message: { ...MESSAGE, usage: AT_START } }),
  typed({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  typed({ type: 'ping' }),
  typed({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '{"type":"message_stop"}' } }),
  typed({ type: 'content_block_stop', index: 0 }),
]
const delta = (stop_reason: string | null, usage: object) =>
  typed({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage })
const STOP = typed({ type: 'message_stop' })

test('a stream: what was cached is input too, and the last count of the output stands', () => {
  const frames = [...START, delta(null, { output_tokens: 8 }), delta('end_turn', { output_tokens: 15 }), STOP]
  const { facts, terminal } = readStream(ANTHROPIC_MESSAGES, frames)
  assert.deepEqual(facts, {
    ...KNOWN,
    usage: { inputTokens: 3210, outputTokens: 15, cachedInputTokens: 3000 },
    finishReason: 'stop',
  })
  assert.deepEqual(terminal, [STOP])
})

test('counts at the end replace those at the start', () => {
  const usage = { input_tokens: 11, cache_creation_input_tokens: null, cache_read_input_tokens: 5, output_tokens: 2 }
  const { facts } = readStream(ANTHROPIC_MESSAGES, [...START, delta('end_turn', usage), STOP])
  assert.deepEqual(facts.usage, { inputTokens: 216, outputTokens: 2, cachedInputTokens: 5 })
})

test('a stream that breaks off has no count of its output', () => {
  const { facts, terminal } = readStream(ANTHROPIC_MESSAGES, START)
  assert.deepEqual(facts, { ...KNOWN, usage: { inputTokens: 3210, cachedInputTokens: 3000 } })
  assert.deepEqual(terminal, [])
})

test('each word for an ending', () => {
  const endings = {
    end_turn: 'stop',
    stop_sequence: 'stop',
    max_tokens: 'length',
    model_context_window_exceeded: 'length',
    tool_use: 'tool-calls',
    refusal: 'content-filter',
    pause_turn: 'other',
    compaction: 'other',
  }
  for (const [word, reason] of Object.entries(endings)) {
    assert.equal(readStream(ANTHROPIC_MESSAGES, [...START, delta(word, {}), STOP]).facts.finishReason, reason, word)
    const whole = { ...MESSAGE, stop_reason: word, usage: { input_tokens: 1, output_tokens: 2 } }
    const expected = { ...KNOWN, usage: { inputTokens: 1, outputTokens: 2 }, finishReason: reason }
    assert.deepEqual(readWhole(ANTHROPIC_MESSAGES, whole), expected, word)
  }
})

test('an error ends it', () => {
  const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
  for (const frame of [typed(error), sse(error), sse(error.error, 'error'), sse('Overloaded', 'error')]) {
    const { facts, terminal } = readStream(ANTHROPIC_MESSAGES, [...START, frame])
    assert.deepEqual([facts.finishReason, facts.hasError], ['error', true], frame)
    assert.deepEqual(terminal, [frame])
  }
  assert.deepEqual(readWhole(ANTHROPIC_MESSAGES, error), { ...NOTHING, finishReason: 'error', hasError: true })
})
