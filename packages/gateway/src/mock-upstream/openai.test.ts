import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import OpenAI, { APIError, toFile } from 'openai'
import type { ChatCompletionTool } from 'openai/resources/chat/completions'
import type { ResponseStreamEvent } from 'openai/resources/responses/responses'
import { startMockUpstream } from './mock-upstream.testing.ts'

const upstream = await startMockUpstream()
after(() => upstream.close())

const client = new OpenAI({ apiKey: 'sk-test', baseURL: `${upstream.url}/v1`, maxRetries: 0, timeout: 30_000 })
const messages = [{ role: 'user' as const, content: 'Say: grüß dich' }]
const parameters = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 2 } },
  required: ['city', 'days'],
}
const tools: ChatCompletionTool[] = ['weather', 'tides'].map((name) => ({
  type: 'function',
  function: { name, parameters },
}))
const functionTools = ['weather', 'tides'].map((name) => ({
  type: 'function' as const,
  name,
  parameters,
  strict: true,
}))
const SAMPLE = { city: 'mock', days: 2 }

test('a chat completion; the same request gets the same bytes', async () => {
  const ask = () => client.chat.completions.create({ model: 'mock-small', messages }).withResponse()
  const [{ data, response }, again] = [await ask(), await ask()]
  assert.equal(data.object, 'chat.completion')
  assert.match(data.choices[0]?.message.content ?? '', /日本語, 🙂/)
  assert.equal(data.choices[0]?.finish_reason, 'stop')
  assert.equal(data.usage?.total_tokens, (data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0))
  assert.match(response.headers.get('x-request-id') ?? '', /^req_[0-9a-f]{32}$/)
  assert.equal(response.headers.get('openai-processing-ms'), '12')
  assert.deepEqual([...again.response.headers], [...response.headers])
  const [one, two] = upstream.requests.slice(-2)
  assert.deepEqual(one?.answer.body, two?.answer.body)
  assert.deepEqual(JSON.parse(one?.answer.body.toString() ?? ''), data)
  const other = await client.chat.completions.create({ model: 'mock-small', messages, seed: 1 })
  assert.notEqual(other.id, data.id)
})

test('a streamed chat completion says what the other says', async () => {
  const whole = await client.chat.completions.create({ model: 'mock-small', messages })
  const runner = client.chat.completions.stream({
    model: 'mock-small',
    messages,
    stream_options: { include_usage: true },
  })
  let deltas = ''
  runner.on('content', (delta) => {
    deltas += delta
  })
  const final = await runner.finalChatCompletion()
  assert.equal(deltas, whole.choices[0]?.message.content)
  assert.equal(final.choices[0]?.message.content, deltas)
  assert.equal(final.usage?.completion_tokens, whole.usage?.completion_tokens)
  assert.ok(upstream.requests.at(-1)?.answer.body.toString().endsWith('data: [DONE]\n\n'))
})

test('as many deltas as the name says; usage only for those who ask', async () => {
  const stream = await client.chat.completions.create({ model: 'mock-stream-200', messages, stream: true })
  const texts: string[] = []
  for await (const chunk of stream) {
    assert.equal(chunk.usage, undefined)
    const text = chunk.choices[0]?.delta.content
    if (text) texts.push(text)
  }
  assert.equal(texts.length, 200)
  const asked = { model: 'mock-no-usage', messages, stream: true, stream_options: { include_usage: true } } as const
  for await (const chunk of await client.chat.completions.create(asked)) assert.equal(chunk.usage, undefined)
  assert.equal((await client.chat.completions.create({ model: 'mock-no-usage', messages })).usage, undefined)
})

test('tools are called, streamed and not, and a text follows their results', async () => {
  const whole = await client.chat.completions.create({ model: 'mock-tools', messages, tools })
  const runner = client.chat.completions.stream({ model: 'mock-tools', messages, tools })
  const streamed = await runner.finalChatCompletion()
  for (const completion of [whole, streamed]) {
    const [choice] = completion.choices
    assert.equal(choice?.finish_reason, 'tool_calls')
    const calls = choice?.message.tool_calls?.flatMap((each) => (each.type === 'function' ? [each] : [])) ?? []
    assert.deepEqual(
      calls.map((each) => [each.function.name, JSON.parse(each.function.arguments)]),
      [
        ['weather', SAMPLE],
        ['tides', SAMPLE],
      ],
    )
    assert.equal(new Set(calls.map(({ id }) => id)).size, 2)
    const results = calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: '42' }))
    const history = [...messages, { role: 'assistant' as const, tool_calls: calls }, ...results]
    const after = await client.chat.completions.create({ model: 'mock-tools', messages: history, tools })
    assert.equal(after.choices[0]?.finish_reason, 'stop')
  }
})

test('a refusal, an echo, a shape, a cut at the limit, another served model', async () => {
  const ask = async (model: string, more: object = {}) => {
    const { choices, model: served } = await client.chat.completions.create({ model, messages, ...more })
    return { ...choices[0]?.message, finish: choices[0]?.finish_reason, served }
  }
  const refused = await ask('mock-refusal')
  assert.equal(refused.content, null)
  assert.match(refused.refusal ?? '', /^I'm sorry/)
  const streamed = await client.chat.completions.stream({ model: 'mock-refusal', messages }).finalChatCompletion()
  assert.equal(streamed.choices[0]?.message.refusal, refused.refusal)
  assert.equal((await ask('mock-echo')).content, 'Say: grüß dich')
  const format = { type: 'json_schema', json_schema: { name: 'trip', strict: true, schema: parameters } }
  assert.deepEqual(JSON.parse((await ask('mock-small', { response_format: format })).content ?? ''), SAMPLE)
  const cut = await ask('mock-stream-9', { max_completion_tokens: 3 })
  assert.deepEqual([cut.content, cut.finish], ['word0 word1 word2 ', 'length'])
  assert.equal((await ask('mock-incomplete')).finish, 'length')
  assert.equal((await ask('mock-renamed')).served, 'mock-small-2026-01-01')
})

test('a streamed response has all its events in order, and is what the other is', async () => {
  const request = { model: 'mock-small', input: 'Hello', metadata: { a: 'b' } }
  const events: ResponseStreamEvent[] = []
  const runner = client.responses.stream(request)
  for await (const event of runner) events.push(event)
  const final = await runner.finalResponse()
  const types = events.map(({ type }) => type)
  const deltas = types.filter((type) => type === 'response.output_text.delta').length
  assert.ok(deltas > 5)
  assert.deepEqual(types, [
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    ...Array(deltas).fill('response.output_text.delta'),
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  assert.deepEqual(
    events.map(({ sequence_number }) => sequence_number),
    events.map((_, i) => i),
  )
  const whole = await client.responses.create(request)
  assert.equal(final.output_text, whole.output_text)
  assert.equal(whole.usage?.output_tokens, deltas)
  assert.deepEqual(whole.metadata, { a: 'b' })
})

test('responses: function calls, refusals, and the other two ends', async () => {
  const finalOf = (model: string, more: object = {}) =>
    client.responses.stream({ model, input: 'Hello', ...more }).finalResponse()
  const called = await finalOf('mock-tools', { tools: functionTools })
  const calls = called.output.flatMap((item) => (item.type === 'function_call' ? [item] : []))
  assert.deepEqual(
    calls.map(({ name, arguments: text }) => [name, JSON.parse(text)]),
    [
      ['weather', SAMPLE],
      ['tides', SAMPLE],
    ],
  )
  const whole = await client.responses.create({ model: 'mock-tools', input: 'Hello', tools: functionTools })
  assert.deepEqual(
    whole.output.map(({ type }) => type),
    ['function_call', 'function_call'],
  )
  const refused = (await finalOf('mock-refusal')).output[0]
  assert.equal(refused?.type === 'message' && refused.content[0]?.type, 'refusal')
  const incomplete = await finalOf('mock-incomplete')
  assert.deepEqual([incomplete.status, incomplete.incomplete_details?.reason], ['incomplete', 'max_output_tokens'])
  const failed = await client.responses.create({ model: 'mock-failed', input: 'Hello' })
  assert.deepEqual([failed.status, failed.error?.code], ['failed', 'server_error'])
  const types: string[] = []
  const stream = await client.responses.create({ model: 'mock-failed', input: 'Hello', stream: true })
  for await (const { type } of stream) types.push(type)
  assert.equal(types.at(-1), 'response.failed')
})

test('responses are kept until they are deleted, but not when told not to', async () => {
  const created = await client.responses.create({ model: 'mock-small', input: 'Keep this' })
  assert.deepEqual(withoutRequestId(await client.responses.retrieve(created.id)), withoutRequestId(created))
  const items = await client.responses.inputItems.list(created.id)
  const [item] = items.data
  assert.deepEqual(item?.type === 'message' && item.content, [{ type: 'input_text', text: 'Keep this' }])
  await client.responses.delete(created.id)
  await assert.rejects(client.responses.retrieve(created.id), hasStatus(404))
  await assert.rejects(client.responses.inputItems.list(created.id), hasStatus(404))
  const passing = await client.responses.create({ model: 'mock-small', input: 'Do not keep this', store: false })
  await assert.rejects(client.responses.retrieve(passing.id), hasStatus(404))
})

test('completions, streamed and not', async () => {
  const request = { model: 'mock-small', prompt: 'Once' }
  const whole = await client.completions.create(request)
  let text = ''
  for await (const chunk of await client.completions.create({ ...request, stream: true })) {
    text += chunk.choices[0]?.text ?? ''
  }
  assert.ok(text.length > 20)
  assert.equal(text, whole.choices[0]?.text)
})

test('embeddings are unit vectors; base64 and numbers are the same ones', async () => {
  const request = { model: 'mock-small', input: ['one', 'two', 'one'], dimensions: 32 }
  const decoded = await client.embeddings.create(request)
  const plain = await client.embeddings.create({ ...request, encoding_format: 'float' })
  const [one = [], two, again] = plain.data.map(({ embedding }) => embedding)
  assert.equal(one.length, 32)
  assert.ok(Math.abs(one.reduce((sum, each) => sum + each * each, 0) - 1) < 1e-6)
  assert.deepEqual(one, again)
  assert.notDeepEqual(one, two)
  assert.deepEqual(
    decoded.data.map(({ embedding }) => [...embedding]),
    plain.data.map(({ embedding }) => embedding),
  )
  const raw = await fetch(`${upstream.url}/v1/embeddings`, {
    method: 'POST',
    body: JSON.stringify({ ...request, encoding_format: 'base64' }),
  })
  const body = (await raw.json()) as { data: { embedding: unknown }[] }
  assert.equal(typeof body.data[0]?.embedding, 'string')
  await assert.rejects(client.embeddings.create({ ...request, dimensions: 99_999 }), hasStatus(400))
})

test('models, a file, a transcription', async () => {
  const names: string[] = []
  for await (const { id } of client.models.list()) names.push(id)
  assert.ok(names.includes('mock-small') && names.includes('mock-status-503'))
  for (const name of names) assert.equal((await client.models.retrieve(name)).id, name)
  await assert.rejects(client.models.retrieve('gpt-none'), hasStatus(404))
  const bytes = Buffer.from([0, 1, 2, 255, 13, 10])
  const file = await client.files.create({ file: await toFile(bytes, 'a.bin'), purpose: 'user_data' })
  assert.deepEqual([file.filename, file.bytes, file.purpose], ['a.bin', 6, 'user_data'])
  const audio = { file: await toFile(bytes, 'a.wav'), model: 'mock-small' }
  assert.equal((await client.audio.transcriptions.create(audio)).text, 'A recording of 6 bytes.')
  const text = await client.audio.transcriptions.create({ ...audio, response_format: 'text' })
  assert.equal(text, 'A recording of 6 bytes.\n')
  await assert.rejects(
    client.audio.transcriptions.create({ ...audio, model: 'mock-status-500' }),
    hasStatus(500),
    'scenarios apply to uploads',
  )
})

test("errors are the provider's", async () => {
  for (const [model, status, code, type] of [
    ['mock-status-401', 401, 'invalid_api_key', 'invalid_request_error'],
    ['mock-status-429', 429, 'rate_limit_exceeded', 'requests'],
    ['mock-status-500', 500, null, 'server_error'],
    ['mock-status-503', 503, null, 'server_error'],
    ['gpt-none', 404, 'model_not_found', 'invalid_request_error'],
  ] as const) {
    const thrown = await client.chat.completions.create({ model, messages }).catch((error: unknown) => error)
    assert.ok(thrown instanceof APIError)
    assert.deepEqual([thrown.status, thrown.code, thrown.type], [status, code, type])
    assert.equal(thrown.headers?.get('retry-after'), [429, 503].includes(status) ? '1' : null)
    assert.match(thrown.requestID ?? '', /^req_/)
  }
  for (const body of ['{"model":"mock-small"}', '{"model":"mock-small","messages":3}', '{', '3']) {
    const { status } = await fetch(`${upstream.url}/v1/chat/completions`, { method: 'POST', body })
    assert.equal(status, 400, body)
  }
  assert.equal((await fetch(`${upstream.url}/v1/nothing`)).status, 404)
})

function hasStatus(status: number) {
  return (thrown: unknown) => thrown instanceof APIError && thrown.status === status
}

function withoutRequestId<T extends { _request_id?: string | null }>({ _request_id: _, ...rest }: T) {
  return rest
}
