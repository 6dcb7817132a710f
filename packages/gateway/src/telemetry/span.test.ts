import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FINISH_NAME } from './genai-conventions.ts'
import { type Attribute, exportRequest, type Span, spanOf } from './span.ts'
import { answerEvent, overfullEvent, SECRETS } from './telemetry.testing.ts'

const random = (length: number) => new Uint8Array(length).fill(0xab)

function attributes(span: Span): { readonly [key: string]: unknown } {
  const keys = span.attributes.map(({ key }) => key)
  assert.equal(new Set(keys).size, keys.length, 'a key stands twice')
  return Object.fromEntries(span.attributes.map(({ key, value }: Attribute) => [key, Object.values(value)[0]]))
}

test('a streamed answer as a span of the conventions', () => {
  const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentSpanId: '00f067aa0ba902b7', isSampled: true }
  const span = spanOf(answerEvent({ trace }), random)
  assert.equal(span.name, 'chat gpt-example')
  assert.equal(span.kind, 3)
  assert.equal(span.traceId, trace.traceId)
  assert.equal(span.parentSpanId, trace.parentSpanId)
  assert.equal(span.spanId, 'ab'.repeat(8))
  assert.equal(span.startTimeUnixNano, '1800000000123000000')
  assert.equal(span.endTimeUnixNano, '1800000001623500000')
  assert.deepEqual(span.status, {})
  assert.deepEqual(attributes(span), {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-example',
    'gen_ai.request.stream': true,
    'gen_ai.request.seed': '9223372036854775807',
    'gen_ai.request.temperature': 0.25,
    'gen_ai.request.top_p': 1,
    'gen_ai.request.max_tokens': '64',
    'gen_ai.response.id': 'chatcmpl-1',
    'gen_ai.response.model': 'gpt-example-2026-01-01',
    'gen_ai.response.finish_reasons': { values: [{ stringValue: 'stop' }] },
    'gen_ai.response.time_to_first_chunk': 0.25,
    'gen_ai.usage.input_tokens': '12',
    'gen_ai.usage.output_tokens': '34',
    'gen_ai.usage.cache_read.input_tokens': '5',
    'server.address': 'api.example.test',
    'server.port': '8443',
    'countersign.upstream': 'main',
    'countersign.receipt.id': '0123456789abcdef0123456789abcdef',
    'countersign.log.index': '42',
    'countersign.deployment': 'assistant',
    'countersign.attempts': '2',
  })
})

test('what is not known is left out, and a model of the gateway’s own has no address', () => {
  const event = answerEvent({
    operation: 'infer',
    upstream: undefined,
    servedModel: undefined,
    isStream: false,
    parameters: {},
    usage: 'unknown',
    logIndex: undefined,
    responseId: undefined,
    finish: 'other',
  })
  const span = spanOf(event, random)
  assert.equal(span.kind, 1)
  assert.equal(span.traceId, 'ab'.repeat(16))
  assert.equal('parentSpanId' in span, false)
  assert.deepEqual(attributes(span), {
    'gen_ai.operation.name': 'infer',
    'gen_ai.provider.name': 'countersign',
    'gen_ai.request.model': 'gpt-example',
    'countersign.receipt.id': '0123456789abcdef0123456789abcdef',
    'countersign.deployment': 'assistant',
    'countersign.attempts': '2',
  })
})

test('numbers that a double or 64 bits cannot hold are left out, not rounded', () => {
  for (const seed of ['9223372036854775808', '-9223372036854775809', '99999999999999999999999']) {
    const span = spanOf(answerEvent({ parameters: { seed, temperature: '1e999' } }), random)
    assert.equal('gen_ai.request.seed' in attributes(span), false, seed)
    assert.equal('gen_ai.request.temperature' in attributes(span), false)
  }
  const span = spanOf(answerEvent({ parameters: { seed: '-9223372036854775808' } }), random)
  assert.equal(attributes(span)['gen_ai.request.seed'], '-9223372036854775808')
})

test('an error is a word of ours or a status, and nothing that anybody else wrote', () => {
  for (const [changes, expected] of [
    [{ errorCode: 'upstream/timeout', status: 504, finish: 'error' }, 'upstream/timeout'],
    [{ status: 429, finish: 'error' }, '429'],
    [{ finish: 'error' }, '_OTHER'],
    [{ finish: 'interrupted' }, 'interrupted'],
  ] as const) {
    const span = spanOf(answerEvent(changes), random)
    assert.deepEqual(span.status, { code: 2 })
    assert.equal(attributes(span)['error.type'], expected)
    assert.deepEqual(attributes(span)['gen_ai.response.finish_reasons'], { values: [{ stringValue: 'error' }] })
  }
})

test('addresses of upstreams: default ports, IPv6 without brackets, none for an engine', () => {
  for (const [origin, address, port] of [
    ['https://api.example.test', 'api.example.test', '443'],
    ['http://api.example.test', 'api.example.test', '80'],
    ['http://[2001:db8::1]:8000', '2001:db8::1', '8000'],
    ['embedded', undefined, undefined],
  ] as const) {
    const span = spanOf(answerEvent({ upstream: { name: 'main', kind: 'openai', origin } }), random)
    assert.equal(attributes(span)['server.address'], address)
    assert.equal(attributes(span)['server.port'], port)
  }
})

test('every reason has its name or none', () => {
  for (const finish of Object.keys(FINISH_NAME) as (keyof typeof FINISH_NAME)[]) {
    const name = FINISH_NAME[finish]
    const expected = name === undefined ? undefined : { values: [{ stringValue: name }] }
    assert.deepEqual(attributes(spanOf(answerEvent({ finish }), random))['gen_ai.response.finish_reasons'], expected)
  }
})

test('nothing beside what is named here gets into an export', () => {
  const body = exportRequest([spanOf(overfullEvent(), random)], '0.0.0')
  for (const secret of Object.values(SECRETS)) assert.equal(body.includes(secret), false, secret)
  // The detector sees.
  assert.ok(JSON.stringify(overfullEvent()).includes(SECRETS.nonce))
})
