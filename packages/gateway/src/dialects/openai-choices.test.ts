import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPENAI_CHAT } from './openai-chat.ts'
import { OPENAI_COMPLETIONS } from './openai-completions.ts'
import { NOTHING, readStream, readWhole, sse } from './streams.testing.ts'

const HEAD = {
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt-4o-mini-2024-07-18',
  system_fingerprint: 'fp_1',
}
const USAGE = {
  prompt_tokens: 20,
  completion_tokens: 7,
  total_tokens: 27,
  prompt_tokens_details: { cached_tokens: 4, audio_tokens: 0 },
}
const KNOWN = { ...NOTHING, servedModel: 'gpt-4o-mini-2024-07-18', responseId: 'chatcmpl-1', systemFingerprint: 'fp_1' }
const COUNTED = { inputTokens: 20, outputTokens: 7, cachedInputTokens: 4 }

const chunk = (delta: object, finish_reason: string | null = null, index = 0) =>
  sse({ ...HEAD, choices: [{ index, delta, logprobs: null, finish_reason }], usage: null })
const WORDS = [chunk({ role: 'assistant', content: '' }), chunk({ content: 'Hel' }), chunk({ content: 'lo' })]
const DONE = sse('[DONE]')

test('a stream with usage', () => {
  const frames = [...WORDS, chunk({}, 'stop'), sse({ ...HEAD, choices: [], usage: USAGE }), DONE]
  const { facts, terminal } = readStream(OPENAI_CHAT, frames)
  assert.deepEqual(facts, { ...KNOWN, usage: COUNTED, finishReason: 'stop' })
  assert.deepEqual(terminal, [DONE])
})

test('usage that a stream does not carry is unknown', () => {
  const { facts } = readStream(OPENAI_CHAT, [...WORDS, chunk({}, 'length'), DONE])
  assert.deepEqual(facts, { ...KNOWN, finishReason: 'length' })
})

test('the first frame may name no model, and counts may come with every frame', () => {
  const first = sse({ id: '', model: '', choices: [], prompt_filter_results: [] })
  const counted = (completion_tokens: number) =>
    sse({ ...HEAD, choices: [], usage: { prompt_tokens: 5, completion_tokens } })
  assert.deepEqual(readStream(OPENAI_CHAT, [first, ...WORDS]).facts, KNOWN)
  const { facts } = readStream(OPENAI_CHAT, [first, ...WORDS, counted(1), counted(2), DONE])
  assert.deepEqual(facts, { ...KNOWN, usage: { inputTokens: 5, outputTokens: 2 } })
})

test('each word for an ending', () => {
  const endings = {
    stop: 'stop',
    length: 'length',
    tool_calls: 'tool-calls',
    function_call: 'tool-calls',
    content_filter: 'content-filter',
  }
  for (const [word, reason] of Object.entries({ ...endings, eos: 'other', constructor: 'other', '': 'other' })) {
    assert.equal(readStream(OPENAI_CHAT, [...WORDS, chunk({}, word), DONE]).facts.finishReason, reason, word)
    const whole = { ...HEAD, choices: [{ index: 0, message: { content: 'x' }, finish_reason: word }], usage: USAGE }
    assert.deepEqual(readWhole(OPENAI_CHAT, whole), { ...KNOWN, usage: COUNTED, finishReason: reason }, word)
    assert.deepEqual(readWhole(OPENAI_COMPLETIONS, whole).finishReason, reason)
  }
})

test('of several choices the one with index 0 counts', () => {
  const frames = [chunk({}, 'length', 1), chunk({}, 'stop', 0), chunk({}, 'content_filter', 2), DONE]
  assert.equal(readStream(OPENAI_CHAT, frames).facts.finishReason, 'stop')
  const choices = [1, 0, 2].map((index) => ({ index, finish_reason: ['stop', 'length', 'content_filter'][index] }))
  assert.equal(readWhole(OPENAI_CHAT, { ...HEAD, choices }).finishReason, 'stop')
  assert.equal(readStream(OPENAI_CHAT, [chunk({}, 'length', 1), DONE]).facts.finishReason, 'length')
})

test('an error is seen, in a stream and in an answer with status 200, and ends it', () => {
  const error = { message: 'The server had an error', type: 'server_error', param: null, code: null }
  for (const frame of [sse({ error }), sse({ error }, 'error'), sse({ error: 'no' }), sse('it broke', 'error')]) {
    const { facts, terminal } = readStream(OPENAI_CHAT, [...WORDS, frame])
    assert.deepEqual(facts, { ...KNOWN, finishReason: 'error', hasError: true })
    assert.deepEqual(terminal, [frame])
  }
  const late = readStream(OPENAI_CHAT, [...WORDS, sse({ error }), chunk({}, 'stop'), DONE]).facts
  assert.deepEqual([late.finishReason, late.hasError], ['error', true])
  assert.deepEqual(readWhole(OPENAI_CHAT, { error }), { ...NOTHING, finishReason: 'error', hasError: true })
  assert.equal(readWhole(OPENAI_CHAT, { ...HEAD, error: null, choices: [] }).hasError, false)
})

test('what the model writes is not taken for what the upstream says', () => {
  const content =
    '{"usage":{"prompt_tokens":1},"error":{"message":"x"},"finish_reason":"length","model":"other"} [DONE] \n\ndata: [DONE]'
  const { facts, terminal } = readStream(OPENAI_CHAT, [
    ...WORDS,
    chunk({ content }),
    chunk({ content: 'usage' }),
    chunk({}, 'stop'),
  ])
  assert.deepEqual(facts, { ...KNOWN, finishReason: 'stop' })
  assert.deepEqual(terminal, [])
})

test('white space, CR LF and several data lines make no difference', () => {
  const pretty = (frame: string) =>
    `data:${JSON.stringify(JSON.parse(frame.slice(6)), undefined, 1).replaceAll('\n', '\r\ndata: ')}\r\n\r\n`
  const frames = [...WORDS, chunk({}, 'stop'), sse({ ...HEAD, choices: [], usage: USAGE })].map(pretty)
  const { facts, terminal } = readStream(OPENAI_CHAT, ['\ufeff', ...frames, 'data:[DONE]\r\n\r\n'])
  assert.deepEqual(facts, { ...KNOWN, usage: COUNTED, finishReason: 'stop' })
  assert.equal(terminal.length, 1)
})

test('counts that are no counts are left out', () => {
  const usageOf = (usage: unknown) =>
    readWhole(OPENAI_CHAT, JSON.stringify({ usage }).replaceAll('"!', '').replaceAll('!"', '')).usage
  for (const bad of [-1, 1.5, '7', null, '!1e3!', '!9007199254740993!', `!${'9'.repeat(400)}!`, {}, []]) {
    assert.deepEqual(usageOf({ prompt_tokens: bad, completion_tokens: 3 }), { outputTokens: 3 }, JSON.stringify(bad))
    assert.equal(usageOf({ prompt_tokens: bad, completion_tokens: bad }), 'unknown')
  }
  assert.deepEqual(usageOf({ prompt_tokens: 0 }), { inputTokens: 0 })
  for (const bad of [null, {}, [], 7, 'x']) assert.equal(usageOf(bad), 'unknown')
})
