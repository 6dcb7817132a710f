/** OpenAI's own library sees through the gateway what it sees without it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai'
import type { ChatCompletionTool } from 'openai/resources/chat/completions'
import type { ResponseFormatTextConfig } from 'openai/resources/responses/responses'
import { type RelayStage, startRelay, statementOf } from './relay.testing.ts'
import { AS_DIRECT, assertRawStream, collect, notingFetch, outcomeOf, receiptOf } from './sdk.testing.ts'
import { assertSettled } from './settled.testing.ts'

const messages = [{ role: 'user' as const, content: 'Say: grüß dich' }]
const input = 'Say: grüß dich'
const schema = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 2 } },
  required: ['city', 'days'],
  additionalProperties: false,
}
const tools: ChatCompletionTool[] = [{ type: 'function', function: { name: 'weather', parameters: schema } }]
const functionTools = [{ type: 'function' as const, name: 'weather', parameters: schema, strict: true }]
const responseFormat = { type: 'json_schema' as const, json_schema: { name: 'trip', strict: true, schema } }
const textFormat: ResponseFormatTextConfig = { type: 'json_schema', name: 'trip', strict: true, schema }
const usage = { include_usage: true }

interface Case {
  readonly name: string
  readonly ask: (client: OpenAI) => PromiseLike<unknown>
  /** What the outcome must have in it, as JSON. */
  readonly says: RegExp
}

function chatStream(client: OpenAI, model: string, more: object = {}) {
  return collect(client.chat.completions.create({ model, messages, stream: true, ...more }))
}

function responseStream(client: OpenAI, model: string, more: object = {}) {
  return collect(client.responses.create({ model, input, stream: true, ...more }))
}

const CHAT: readonly Case[] = [
  {
    name: 'chat',
    ask: ({ chat }) => chat.completions.create({ model: 'mock-small', messages }),
    says: /"content":"Hello.*日本語, 🙂/,
  },
  {
    name: 'chat, with headers of its own',
    ask: ({ chat }) =>
      chat.completions
        .create({ model: 'mock-renamed', messages })
        .withResponse()
        .then(({ data, response, request_id }) => [data, request_id, response.headers.get('x-ratelimit-limit-tokens')]),
    says: /"model":"mock-small-2026-01-01".*"req_[0-9a-f]{32}","2000000"/,
  },
  {
    name: 'stream',
    ask: (client) => chatStream(client, 'mock-small', { stream_options: usage }),
    says: /"delta":\{"content":"日本語, "\}.*"total_tokens":/,
  },
  {
    name: 'stream without usage',
    ask: (client) => chatStream(client, 'mock-no-usage'),
    says: /"finish_reason":"stop"/,
  },
  { name: 'stream of 500 deltas', ask: (client) => chatStream(client, 'mock-long'), says: /"content":"word499 "/ },
  { name: 'stream, byte by byte', ask: (client) => chatStream(client, 'mock-drip'), says: /"content":"Hello "/ },
  { name: 'stream, compressed', ask: (client) => chatStream(client, 'mock-gzip'), says: /"content":"Hello "/ },
  { name: 'stream with trailers', ask: (client) => chatStream(client, 'mock-trailers'), says: /"content":"Hello "/ },
  {
    name: 'stream without its end',
    ask: (client) => chatStream(client, 'mock-no-done'),
    says: /"finish_reason":"stop"/,
  },
  {
    name: 'stream helper',
    ask: ({ chat }) => chat.completions.stream({ model: 'mock-small', messages }).finalChatCompletion(),
    says: /"content":"Hello.*日本語, 🙂/,
  },
  {
    name: 'tools',
    ask: ({ chat }) => chat.completions.create({ model: 'mock-tools', messages, tools }),
    says: /"finish_reason":"tool_calls"/,
  },
  {
    name: 'tools, streamed as deltas',
    ask: (client) => chatStream(client, 'mock-tools', { tools }),
    says: /"tool_calls":\[\{"index":0,"function":\{"arguments":/,
  },
  {
    name: 'tools, stream helper',
    ask: ({ chat }) => chat.completions.stream({ model: 'mock-tools', messages, tools }).finalChatCompletion(),
    says: /"name":"weather"/,
  },
  {
    name: 'refusal',
    ask: ({ chat }) => chat.completions.create({ model: 'mock-refusal', messages }),
    says: /"refusal":"I'm sorry/,
  },
  { name: 'refusal, streamed', ask: (client) => chatStream(client, 'mock-refusal'), says: /"refusal":"I'm "/ },
  {
    name: 'incomplete',
    ask: ({ chat }) => chat.completions.create({ model: 'mock-stream-9', messages, max_completion_tokens: 3 }),
    says: /"finish_reason":"length"/,
  },
  { name: 'incomplete, streamed', ask: (client) => chatStream(client, 'mock-incomplete'), says: /"length"/ },
  {
    name: 'content filter',
    ask: ({ chat }) => chat.completions.create({ model: 'mock-failed', messages }),
    says: /"finish_reason":"content_filter"/,
  },
  {
    name: 'structured output',
    ask: ({ chat }) => chat.completions.parse({ model: 'mock-small', messages, response_format: responseFormat }),
    says: /"parsed":\{"city":"mock","days":2\}/,
  },
  {
    name: 'structured output, streamed',
    ask: ({ chat }) =>
      chat.completions.stream({ model: 'mock-small', messages, response_format: responseFormat }).finalChatCompletion(),
    says: /"content":"\{\\"city\\":\\"mock\\",\\"days\\":2\}"/,
  },
  {
    name: 'structured output that is cut off',
    ask: ({ chat }) =>
      chat.completions.parse({ model: 'mock-small', messages, response_format: responseFormat, max_tokens: 1 }),
    says: /LengthFinishReasonError/,
  },
  {
    name: 'completion',
    ask: ({ completions }) => completions.create({ model: 'mock-small', prompt: 'Hello' }),
    says: /"text":"Hello/,
  },
  {
    name: 'completion, streamed',
    ask: ({ completions }) => collect(completions.create({ model: 'mock-small', prompt: 'Hello', stream: true })),
    says: /"text":"Hello "/,
  },
]

const EMBEDDINGS: readonly Case[] = [undefined, 'float' as const, 'base64' as const].map((format) => ({
  name: `embeddings, ${format ?? 'as the library asks for them'}`,
  ask: ({ embeddings }) =>
    embeddings.create({
      model: 'mock-small',
      input: ['eins', 'zwei'],
      dimensions: 8,
      ...(format === undefined ? {} : { encoding_format: format }),
    }),
  says: format === 'base64' ? /"embedding":"[\w+/]{40,}=*"/ : /"embedding":\[-?[0-9.e-]+,/,
}))

const RESPONSES: readonly Case[] = [
  {
    name: 'response',
    ask: ({ responses }) => responses.create({ model: 'mock-small', input }),
    says: /"output_text":"Hello/,
  },
  {
    name: 'response, streamed',
    ask: (client) => responseStream(client, 'mock-small'),
    says: /"response.created".*"response.output_text.delta".*"response.completed"/,
  },
  {
    name: 'response, stream helper',
    ask: ({ responses }) => responses.stream({ model: 'mock-small', input }).finalResponse(),
    says: /"output_text":"Hello/,
  },
  {
    name: 'response with tools',
    ask: ({ responses }) => responses.create({ model: 'mock-tools', input, tools: functionTools }),
    says: /"type":"function_call"/,
  },
  {
    name: 'response with tools, streamed',
    ask: (client) => responseStream(client, 'mock-tools', { tools: functionTools }),
    says: /"response.function_call_arguments.delta"/,
  },
  {
    name: 'response that refuses, streamed',
    ask: (client) => responseStream(client, 'mock-refusal'),
    says: /"response.refusal.delta"/,
  },
  {
    name: 'response, structured',
    ask: ({ responses }) => responses.parse({ model: 'mock-small', input, text: { format: textFormat } }),
    says: /"output_parsed":\{"city":"mock","days":2\}/,
  },
  {
    name: 'response that is incomplete',
    ask: ({ responses }) => responses.create({ model: 'mock-incomplete', input }),
    says: /"incomplete_details":\{"reason":"max_output_tokens"\}/,
  },
  {
    name: 'response that is incomplete, streamed',
    ask: (client) => responseStream(client, 'mock-incomplete'),
    says: /"type":"response.incomplete"/,
  },
  {
    name: 'response that fails',
    ask: ({ responses }) => responses.create({ model: 'mock-failed', input }),
    says: /"failed"/,
  },
  {
    name: 'response that fails, streamed',
    ask: (client) => responseStream(client, 'mock-failed'),
    says: /"type":"response.failed"/,
  },
  {
    name: 'response with an error in the stream',
    ask: (client) => responseStream(client, 'mock-error-in-stream'),
    says: /"response.created".*"type":"error".*"code":"server_error"/,
  },
]

const ERRORS: readonly Case[] = [
  ...[400, 401, 403, 404, 409, 413, 422, 429, 500, 503].map((status) => ({
    name: `status ${status}`,
    ask: ({ chat }: OpenAI) => chat.completions.create({ model: `mock-status-${status}`, messages }),
    says: new RegExp(`Error","status":${status},.*"requestID":"req_`),
  })),
  {
    name: 'status 500 in place of a stream',
    ask: (client) => chatStream(client, 'mock-status-500'),
    says: /InternalServerError/,
  },
  {
    name: 'an error with status 200',
    ask: ({ chat }) => chat.completions.create({ model: 'mock-error-in-200', messages }),
    says: /"error":\{"message":"The model mock-error-in-200 fails inside/,
  },
  {
    name: 'an error in the stream',
    ask: (client) => chatStream(client, 'mock-error-in-stream'),
    says: /"content":"Hello ".*"error":\{"name":"APIError"/,
  },
  {
    name: 'a model that the upstream does not know',
    ask: ({ chat }) => chat.completions.create({ model: 'unheard-of', messages }),
    says: /NotFoundError.*model_not_found/,
  },
  {
    name: 'a request that the upstream refuses',
    ask: ({ responses }) => responses.create({ model: 'mock-small' }),
    says: /BadRequestError.*Missing required parameter/,
  },
]

interface Sdk {
  readonly stage: RelayStage
  readonly through: OpenAI
  readonly direct: OpenAI
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
  const through = new OpenAI({ ...options, baseURL: `${stage.gateway.url}/v1`, fetch: notingFetch(receipts) })
  const direct = new OpenAI({ ...options, baseURL: `${stage.upstream.url}/v1` })
  return { stage, through, direct, receipts }
}

test('the library sees the same as without the gateway', async (context) => {
  const { stage, through, direct, receipts } = await start(context)
  for (const { name, ask, says } of [...CHAT, ...EMBEDDINGS, ...RESPONSES, ...ERRORS]) {
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

test('headers and comments lead to the receipt', async (context) => {
  const { stage, through, receipts } = await start(context)
  const { response } = await through.chat.completions.create({ model: 'mock-small', messages }).withResponse()
  assert.match(response.headers.get('countersign-promise') ?? '', /^[A-Za-z0-9+/=]+$/)
  const { receipt, secret } = receiptOf(response)
  const found = await fetch(`${stage.gateway.url}/receipts/${receipt}`, {
    headers: { authorization: `Bearer ${secret}`, prefer: 'wait=10' },
  })
  assert.equal(found.status, 200)
  assert.match(await found.text(), /"mediaType":\s*"application\/vnd\.dev\.sigstore\.bundle/)
  for (const ask of [
    () => through.chat.completions.create({ model: 'mock-tools', messages, tools, stream: true }).asResponse(),
    () => through.responses.create({ model: 'mock-small', input, stream: true }).asResponse(),
  ]) {
    const raw = await ask()
    receiptOf(raw)
    await assertRawStream(raw, stage.upstream.requests.at(-1)?.answer.body ?? new Uint8Array())
  }
  await assertSettled(stage, receipts)
})

test('what the gateway says of a broken upstream is an error of the library', async (context) => {
  const { stage, through, receipts } = await start(context)
  for (const [model, status, code] of [
    ['mock-reset-before', 502, 'upstream/reset'],
    ['mock-garbage-http', 502, 'upstream/malformed'],
    ['mock-hang', 504, 'upstream/timeout'],
  ] as const) {
    const thrown = await through.chat.completions.create({ model, messages }).catch((each: unknown) => each)
    assert.ok(thrown instanceof APIError)
    assert.deepEqual([thrown.status, thrown.code], [status, code])
    assert.equal((thrown.error as { receipt?: unknown }).receipt, receipts.at(-1))
  }
  for (const stream of [chatStream, responseStream]) {
    for (const [model, code] of [
      ['mock-reset-mid-stream', 'upstream/reset'],
      ['mock-hang-mid-stream', 'upstream/timeout'],
    ] as const) {
      const { items, error } = await stream(through, model)
      assert.ok(items.length > 0)
      assert.match(JSON.stringify(error), new RegExp(`"name":"APIError".*"code":"${code}"`), stream.name)
      const { finish } = await statementOf(stage, receipts.at(-1) ?? '')
      assert.deepEqual([finish.reason, finish.by, finish.code], ['interrupted', 'upstream', code])
    }
  }
  await assertSettled(stage, receipts)
})

test('an abort reaches the upstream, and is on record', async (context) => {
  const { stage, through, receipts } = await start(context)
  const stream = await through.chat.completions.create({ model: 'mock-held', messages, stream: true })
  for await (const _ of stream) stream.controller.abort()
  assert.equal(await stage.upstream.requests.at(-1)?.answer.ended, 'client-left')
  const { finish } = await statementOf(stage, receipts.at(-1) ?? '')
  assert.deepEqual([finish.reason, finish.by], ['interrupted', 'client'])
  assert.ok((finish.deliveredBytes ?? 0) > 0)

  const abort = new AbortController()
  const waiting = through.chat.completions.create({ model: 'mock-hang', messages }, { signal: abort.signal })
  setTimeout(() => abort.abort(), 100)
  await assert.rejects(Promise.resolve(waiting), APIUserAbortError)
  assert.equal(await stage.upstream.requests.at(-1)?.answer.ended, 'client-left')

  const impatient = through.withOptions({ timeout: 200 })
  const late = impatient.chat.completions.create({ model: 'mock-hang', messages })
  await assert.rejects(Promise.resolve(late), APIConnectionTimeoutError)
  await assertSettled(stage, receipts)
})

test('each try of the library is an answer of its own', async (context) => {
  const { stage, through, receipts } = await start(context)
  const patient = through.withOptions({ maxRetries: 2 })
  const { choices } = await patient.chat.completions.create({ model: 'mock-flaky-1', messages })
  assert.match(choices[0]?.message.content ?? '', /^Hello/)
  assert.equal(receipts.length, 2)
  const finishes = await Promise.all(receipts.map(async (each) => (await statementOf(stage, each)).finish.reason))
  assert.deepEqual(finishes, ['error', 'stop'])
  await assertSettled(stage, receipts)
})

test('the gateway tries again in its place, where it is told to', async (context) => {
  const stage = await startRelay(context)
  const client = new OpenAI({ apiKey: 'sk-test', maxRetries: 0, baseURL: `${stage.gateway.url}/v1` })
  const { data, response } = await client.chat.completions.create({ model: 'mock-flaky-1', messages }).withResponse()
  assert.equal(data.choices[0]?.finish_reason, 'stop')
  const { attempts } = await statementOf(stage, receiptOf(response).receipt)
  assert.deepEqual(
    attempts.map(({ outcome, status }) => [outcome, status]),
    [
      ['failed', 503],
      ['answered', 200],
    ],
  )
})
