import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanObject } from './json-scan.ts'
import { MAX_REFERENCE_BYTES, OPENAI_RESPONSES, readReferences } from './openai-responses.ts'
import { changed, checkProperty, expectTyped, textChanges, windowOn } from './properties.testing.ts'
import { NOTHING, readStream, readWhole, sse, typed } from './streams.testing.ts'

const USAGE = {
  input_tokens: 30,
  input_tokens_details: { cached_tokens: 10 },
  output_tokens: 5,
  output_tokens_details: {},
  total_tokens: 35,
}
const RESPONSE = {
  id: 'resp_1',
  object: 'response',
  status: 'in_progress',
  error: null,
  incomplete_details: null,
  model: 'gpt-4.1',
  output: [],
  usage: null,
}
const KNOWN = { ...NOTHING, servedModel: 'gpt-4.1', responseId: 'resp_1' }
const COUNTED = { inputTokens: 30, outputTokens: 5, cachedInputTokens: 10 }
const MESSAGE = { type: 'message', content: [{ type: 'output_text', text: 'Hi {"type":"function_call"}' }] }

const START = [
  typed({ type: 'response.created', sequence_number: 0, response: RESPONSE }),
  typed({ type: 'response.in_progress', sequence_number: 1, response: RESPONSE }),
  typed({ type: 'response.output_text.delta', sequence_number: 2, delta: '{"type":"response.completed"}' }),
]
const last = (type: string, response: object) =>
  typed({ type, sequence_number: 3, response: { ...RESPONSE, usage: USAGE, ...response } })

test('each way to end', () => {
  const ends: readonly (readonly [string, object, string])[] = [
    ['response.completed', { status: 'completed', output: [MESSAGE] }, 'stop'],
    [
      'response.completed',
      { status: 'completed', output: [MESSAGE, { type: 'function_call', name: 'f' }] },
      'tool-calls',
    ],
    ['response.incomplete', { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }, 'length'],
    [
      'response.incomplete',
      { status: 'incomplete', incomplete_details: { reason: 'content_filter' } },
      'content-filter',
    ],
    ['response.incomplete', { status: 'incomplete', incomplete_details: { reason: 'steered' } }, 'other'],
    ['response.incomplete', { status: 'incomplete' }, 'other'],
    ['response.failed', { status: 'failed', error: { code: 'server_error', message: 'x' } }, 'error'],
  ]
  for (const [type, response, finishReason] of ends) {
    const frame = last(type, response)
    const expected = { ...KNOWN, usage: COUNTED, finishReason, hasError: finishReason === 'error' }
    const { facts, terminal } = readStream(OPENAI_RESPONSES, [...START, frame])
    assert.deepEqual(facts, expected, type)
    assert.deepEqual(terminal, [frame])
    assert.deepEqual(readWhole(OPENAI_RESPONSES, { ...RESPONSE, usage: USAGE, ...response }), expected, type)
  }
})

test('a stream that breaks off has what came before', () => {
  assert.deepEqual(readStream(OPENAI_RESPONSES, START), { facts: KNOWN, terminal: [] })
  assert.deepEqual(readWhole(OPENAI_RESPONSES, RESPONSE), KNOWN)
})

test('an error event ends it, in each of its shapes', () => {
  const flat = { type: 'error', code: 'server_error', message: 'x', param: null, sequence_number: 3 }
  const nested = { type: 'error', sequence_number: 3, error: { type: 'server_error', code: null, message: 'x' } }
  for (const frame of [
    typed(flat),
    typed(nested),
    sse(flat),
    sse({ ...nested, type: undefined }, 'error'),
    sse('x', 'error'),
  ]) {
    const { facts, terminal } = readStream(OPENAI_RESPONSES, [...START, frame])
    assert.deepEqual(facts, { ...KNOWN, finishReason: 'error', hasError: true }, frame)
    assert.deepEqual(terminal, [frame])
  }
  assert.equal(readWhole(OPENAI_RESPONSES, { error: { message: 'x' } }).hasError, true)
})

test('the type counts from the event or from the data, wherever it stands there', () => {
  const response = { ...RESPONSE, status: 'completed', usage: USAGE }
  const frames = [
    sse({ type: 'response.completed', response }),
    sse({ response, type: 'response.completed' }),
    sse({ response }, 'response.completed'),
    sse({ response, type: 'response.completed' }, 'response.output_text.delta'),
    sse('{"type":"response.\\u0063ompleted","response":{"status":"completed","id":"resp_1"}}'),
  ]
  for (const frame of frames) {
    const { facts, terminal } = readStream(OPENAI_RESPONSES, [...START, frame])
    assert.equal(facts.finishReason, 'stop', frame)
    assert.deepEqual(terminal, [frame])
  }
})

test('the conversation that an answer is in is taken over, whole and streamed', () => {
  const response = { ...RESPONSE, conversation: { id: 'conv_1' } }
  assert.equal(readWhole(OPENAI_RESPONSES, response).conversationId, 'conv_1')
  const { facts } = readStream(OPENAI_RESPONSES, [typed({ type: 'response.created', response })])
  assert.equal(facts.conversationId, 'conv_1')
  for (const conversation of [null, {}, { id: 7 }, { id: 'a b' }, { id: 'x'.repeat(129) }, 'conv_1', []]) {
    assert.equal(readWhole(OPENAI_RESPONSES, { ...RESPONSE, conversation }).conversationId, undefined)
  }
})

test('what a request goes on from is what JSON says, in whatever spelling, or refused', (context) => {
  const id = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constant(null))
  const conversation = fc.oneof(id, fc.record({ id }, { requiredKeys: [] }))
  checkProperty(context, [id, conversation], 300, (previous, named) => {
    const request = { model: 'm', previous_response_id: previous, conversation: named, input: [{ conversation: 'x' }] }
    const read = readReferences(scanObject(windowOn(JSON.stringify(request))))
    const expected = typeof named === 'object' && named !== null ? named.id : named
    assert.deepEqual(read, { previous: previous ?? undefined, conversation: expected ?? undefined })
  })
  const text = JSON.stringify({ previous_response_id: 'resp_1', conversation: { id: 'conv_1' }, input: 'x' })
  checkProperty(context, [textChanges], 1000, (changes) => {
    expectTyped(() => readReferences(scanObject(windowOn(changed(text, changes)))))
  })
})

test('an id in a request has a longest length, as it is spelled', () => {
  const read = (length: number) => {
    const previous_response_id = 'x'.repeat(length - 2)
    return expectTyped(() => readReferences(scanObject(windowOn(JSON.stringify({ previous_response_id })))))
  }
  assert.ok('value' in read(MAX_REFERENCE_BYTES))
  assert.deepEqual(read(MAX_REFERENCE_BYTES + 1), { code: 'shape/bad-value' })
})
