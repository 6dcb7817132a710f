/** Anthropic's own library sees through the gateway what it sees without it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import Anthropic, { APIConnectionTimeoutError, APIError } from '@anthropic-ai/sdk'
import { jsonSchemaOutputFormat } from '@anthropic-ai/sdk/helpers/json-schema'
import type { MessageParam, Tool } from '@anthropic-ai/sdk/resources/messages'
import { type RelayStage, startRelay, statementOf } from './relay.testing.ts'
import { AS_DIRECT, assertRawStream, collect, notingFetch, outcomeOf, receiptOf } from './sdk.testing.ts'
import { assertSettled } from './settled.testing.ts'

const messages: MessageParam[] = [{ role: 'user', content: 'Say: grüß dich' }]
const base = { max_tokens: 1000, messages }
const tools: Tool[] = [
  { name: 'weather', input_schema: { type: 'object', properties: { city: { enum: ['Graz', 'Linz'] } } } },
  { name: 'now', input_schema: { type: 'object', properties: {} } },
]
const image: MessageParam['content'] = [
  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGVsbG8=' } },
  { type: 'text', text: 'What is this?' },
]
const format = jsonSchemaOutputFormat({
  type: 'object',
  properties: { ok: { type: 'boolean' } },
  required: ['ok'],
  additionalProperties: false,
})

interface Case {
  readonly name: string
  readonly ask: (client: Anthropic) => PromiseLike<unknown>
  /** What the outcome must have in it, as JSON. */
  readonly says: RegExp
}

function stream(client: Anthropic, model: string, more: object = {}) {
  return collect(client.messages.create({ model, ...base, stream: true, ...more }))
}

const CASES: readonly Case[] = [
  {
    name: 'message',
    ask: (client) => client.messages.create({ model: 'mock-small', ...base }),
    says: /"text":"Hello.*日本語, 🙂/,
  },
  {
    name: 'message, with headers of its own',
    ask: (client) =>
      client.messages
        .create({ model: 'mock-renamed', ...base })
        .withResponse()
        .then(({ data, request_id, response }) => [
          data,
          request_id,
          response.headers.get('anthropic-ratelimit-requests-limit'),
        ]),
    says: /"model":"mock-small-2026-01-01".*"req_01[0-9a-f]{22}","4000"/,
  },
  {
    name: 'stream',
    ask: (client) => stream(client, 'mock-small'),
    says: /"message_start".*"text_delta","text":"日本語, ".*"message_stop"/,
  },
  { name: 'stream, byte by byte', ask: (client) => stream(client, 'mock-drip'), says: /"message_stop"/ },
  { name: 'stream, compressed', ask: (client) => stream(client, 'mock-gzip'), says: /"message_stop"/ },
  { name: 'stream without its end', ask: (client) => stream(client, 'mock-no-done'), says: /"message_delta"/ },
  {
    name: 'stream helper',
    ask: (client) => client.messages.stream({ model: 'mock-small', ...base }).finalMessage(),
    says: /"text":"Hello.*日本語, 🙂/,
  },
  {
    name: 'tools',
    ask: (client) => client.messages.create({ model: 'mock-tools', ...base, tools }),
    says: /"type":"tool_use".*"input":\{"city":"Graz"\}/,
  },
  {
    name: 'tools, streamed as deltas',
    ask: (client) => stream(client, 'mock-tools', { tools }),
    says: /"input_json_delta","partial_json":/,
  },
  {
    name: 'tools, stream helper',
    ask: (client) => client.messages.stream({ model: 'mock-tools', ...base, tools }).finalMessage(),
    says: /"stop_reason":"tool_use"/,
  },
  {
    name: 'image',
    ask: (client) =>
      client.messages.create({ ...base, model: 'mock-echo', messages: [{ role: 'user', content: image }] }),
    says: /"text":"What is this\?"/,
  },
  { name: 'refusal', ask: (client) => client.messages.create({ model: 'mock-refusal', ...base }), says: /"refusal"/ },
  { name: 'refusal, streamed', ask: (client) => stream(client, 'mock-refusal'), says: /"stop_reason":"refusal"/ },
  {
    name: 'incomplete',
    ask: (client) => client.messages.create({ model: 'mock-stream-9', ...base, max_tokens: 2 }),
    says: /"text":"word0 word1 ".*"max_tokens"/,
  },
  { name: 'incomplete, streamed', ask: (client) => stream(client, 'mock-incomplete'), says: /"max_tokens"/ },
  {
    name: 'structured output',
    ask: (client) => client.messages.parse({ model: 'mock-small', ...base, output_config: { format } }),
    says: /"parsed_output":\{"ok":true\}/,
  },
  {
    name: 'structured output, streamed',
    ask: (client) => client.messages.stream({ model: 'mock-small', ...base, output_config: { format } }).finalMessage(),
    says: /\{\\"ok\\":true\}/,
  },
  {
    name: 'count of tokens',
    ask: (client) => client.messages.countTokens({ model: 'mock-small', messages }),
    says: /"input_tokens":\d+/,
  },
  ...[400, 401, 403, 404, 413, 429, 500, 504, 529].map((status) => ({
    name: `status ${status}`,
    ask: (client: Anthropic) => client.messages.create({ model: `mock-status-${status}`, ...base }),
    says: new RegExp(`Error","status":${status},.*"type":"error".*"requestID":"req_01`),
  })),
  {
    name: 'status 529 in place of a stream',
    ask: (client) => stream(client, 'mock-status-529'),
    says: /"status":529.*overloaded_error/,
  },
  {
    name: 'status 500 in place of a count',
    ask: (client) => client.messages.countTokens({ model: 'mock-status-500', messages }),
    says: /InternalServerError/,
  },
  {
    name: 'an error with status 200',
    ask: (client) => client.messages.create({ model: 'mock-error-in-200', ...base }),
    says: /"type":"error".*fails inside/,
  },
  {
    name: 'an error in the stream',
    ask: (client) => stream(client, 'mock-error-in-stream'),
    says: /"text_delta".*"error":\{"name":"[A-Za-z]*Error".*overloaded_error/,
  },
]

interface Sdk {
  readonly stage: RelayStage
  readonly through: Anthropic
  readonly direct: Anthropic
  /** All that the gateway gave. */
  readonly receipts: string[]
}

async function start(context: TestContext): Promise<Sdk> {
  const stage = await startRelay(context, {
    ...AS_DIRECT,
    upstream: { timeouts: { connectMs: 500, firstByteMs: 700, idleMs: 700 }, breaker: { failures: 1000, openMs: 100 } },
  })
  const receipts: string[] = []
  const options = { apiKey: 'sk-test', maxRetries: 0, timeout: 30_000 }
  const through = new Anthropic({ ...options, baseURL: stage.gateway.url, fetch: notingFetch(receipts) })
  return { stage, through, direct: new Anthropic({ ...options, baseURL: stage.upstream.url }), receipts }
}

test('the library sees the same as without the gateway', async (context) => {
  const { stage, through, direct, receipts } = await start(context)
  for (const { name, ask, says } of CASES) {
    await context.test(name, async () => {
      const before = receipts.length
      const [expected, got] = [await outcomeOf(() => ask(direct)), await outcomeOf(() => ask(through))]
      assert.match(JSON.stringify(expected), says)
      assert.deepEqual(got, expected)
      assert.equal(receipts.length, before + 1)
    })
  }
  await assertSettled(stage, receipts)
})

test('headers and a comment lead to the receipt, and pings come through', async (context) => {
  const { stage, through, receipts } = await start(context)
  const { response } = await through.messages.create({ model: 'mock-small', ...base }).withResponse()
  assert.match(response.headers.get('countersign-promise') ?? '', /^[A-Za-z0-9+/=]+$/)
  receiptOf(response)
  const raw = await through.messages.create({ model: 'mock-small', ...base, stream: true }).asResponse()
  receiptOf(raw)
  const sent = stage.upstream.requests.at(-1)?.answer.body ?? new Uint8Array()
  assert.match(sent.toString(), /event: ping\n/)
  await assertRawStream(raw, sent)
  await assertSettled(stage, receipts)
})

test('what the gateway says of a broken upstream is an error of the library', async (context) => {
  const { stage, through, receipts } = await start(context)
  for (const [model, status, type, code] of [
    ['mock-reset-before', 502, 'api_error', 'upstream/reset'],
    ['mock-hang', 504, 'timeout_error', 'upstream/timeout'],
  ] as const) {
    const thrown = await through.messages.create({ model, ...base }).catch((each: unknown) => each)
    assert.ok(thrown instanceof APIError)
    assert.equal(thrown.status, status)
    const { error } = thrown.error as { error: { type: string; code: string; receipt: string } }
    assert.deepEqual([error.type, error.code, error.receipt], [type, code, receipts.at(-1)])
  }
  const { items, error } = await stream(through, 'mock-reset-mid-stream')
  assert.ok(items.length > 0)
  assert.match(JSON.stringify(error), /upstream\/reset/)
  const { finish } = await statementOf(stage, receipts.at(-1) ?? '')
  assert.deepEqual([finish.reason, finish.by, finish.code], ['interrupted', 'upstream', 'upstream/reset'])
  await assertSettled(stage, receipts)
})

test('an abort reaches the upstream, and is on record', async (context) => {
  const { stage, through, receipts } = await start(context)
  const opened = await through.messages.create({ model: 'mock-held', ...base, stream: true })
  for await (const _ of opened) opened.controller.abort()
  assert.equal(await stage.upstream.requests.at(-1)?.answer.ended, 'client-left')
  const { finish } = await statementOf(stage, receipts.at(-1) ?? '')
  assert.deepEqual([finish.reason, finish.by], ['interrupted', 'client'])
  const late = through.withOptions({ timeout: 200 }).messages.create({ model: 'mock-hang', ...base })
  await assert.rejects(Promise.resolve(late), APIConnectionTimeoutError)
  await assertSettled(stage, receipts)
})

test('each try of the library is an answer of its own', async (context) => {
  const { stage, through, receipts } = await start(context)
  const patient = through.withOptions({ maxRetries: 2 })
  const { stop_reason } = await patient.messages.create({ model: 'mock-flaky-1', ...base })
  assert.equal(stop_reason, 'end_turn')
  const finishes = await Promise.all(receipts.map(async (each) => (await statementOf(stage, each)).finish.reason))
  assert.deepEqual(finishes, ['error', 'stop'])
  await assertSettled(stage, receipts)
})
