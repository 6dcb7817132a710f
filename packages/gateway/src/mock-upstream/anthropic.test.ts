import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import Anthropic, { APIError } from '@anthropic-ai/sdk'
import type { MessageParam, Tool } from '@anthropic-ai/sdk/resources/messages'
import { startMockUpstream } from './mock-upstream.testing.ts'

const upstream = await startMockUpstream()
after(() => upstream.close())

const client = new Anthropic({ apiKey: 'sk-test', baseURL: upstream.url, maxRetries: 0, timeout: 30_000 })
const messages: MessageParam[] = [{ role: 'user', content: 'Say: grüß dich' }]
const base = { max_tokens: 1000, messages }
const tools: Tool[] = [
  { name: 'weather', input_schema: { type: 'object', properties: { city: { enum: ['Graz', 'Linz'] } } } },
  { name: 'now', input_schema: { type: 'object', properties: {} } },
]

test('a message, streamed and not, and the same bytes for the same request', async () => {
  const { data, response } = await client.messages.create({ model: 'mock-small', ...base }).withResponse()
  const [block] = data.content
  assert.match(block?.type === 'text' ? block.text : '', /日本語, 🙂/)
  assert.equal(data.stop_reason, 'end_turn')
  assert.match(response.headers.get('request-id') ?? '', /^req_01/)
  assert.equal(response.headers.get('anthropic-ratelimit-requests-limit'), '4000')
  const final = await client.messages.stream({ model: 'mock-small', ...base }).finalMessage()
  assert.deepEqual(final.content, data.content)
  assert.equal(final.stop_reason, 'end_turn')
  assert.equal(final.usage.output_tokens, data.usage.output_tokens)
  await client.messages.create({ model: 'mock-small', ...base })
  const [first, , third] = upstream.requests
  assert.deepEqual(first?.answer.body, third?.answer.body)
})

test('a stream has all its events in order, a ping among them', async () => {
  const stream = await client.messages.create({ model: 'mock-stream-3', ...base, stream: true })
  const types: string[] = []
  for await (const { type } of stream) types.push(type)
  const sent = upstream.requests.at(-1)?.answer.body.toString() ?? ''
  const onWire = [...sent.matchAll(/^event: (.+)\ndata: (.+)\n\n/gm)].map(([, event, data]) => {
    assert.equal(JSON.parse(data ?? '').type, event)
    return event
  })
  assert.deepEqual(onWire, [
    'message_start',
    'content_block_start',
    'ping',
    'content_block_delta',
    'content_block_delta',
    'content_block_delta',
    'content_block_stop',
    'message_delta',
    'message_stop',
  ])
  assert.deepEqual(
    types,
    onWire.filter((type) => type !== 'ping'),
  )
})

test('tools are called, streamed and not, and a text follows their results', async () => {
  const whole = await client.messages.create({ model: 'mock-tools', ...base, tools })
  const streamed = await client.messages.stream({ model: 'mock-tools', ...base, tools }).finalMessage()
  // Ids follow from the request, which says whether it is to be streamed.
  const withoutId = (block: object) => ({ ...block, id: '' })
  assert.deepEqual(streamed.content.map(plain).map(withoutId), whole.content.map(plain).map(withoutId))
  assert.equal(whole.stop_reason, 'tool_use')
  assert.equal(streamed.stop_reason, 'tool_use')
  const uses = whole.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []))
  assert.deepEqual(
    uses.map(({ name, input }) => [name, input]),
    [
      ['weather', { city: 'Graz' }],
      ['now', {}],
    ],
  )
  const results = uses.map(({ id }) => ({ type: 'tool_result' as const, tool_use_id: id, content: '42' }))
  const history: MessageParam[] = [
    ...messages,
    { role: 'assistant', content: uses.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })) },
    { role: 'user', content: results },
  ]
  const after = await client.messages.create({ ...base, model: 'mock-tools', messages: history, tools })
  assert.equal(after.stop_reason, 'end_turn')
})

test('an image is accepted, a shape is kept, a refusal and a limit are told', async () => {
  const content: MessageParam['content'] = [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGVsbG8=' } },
    { type: 'text', text: 'What is this?' },
  ]
  const seen = await client.messages.create({ ...base, model: 'mock-echo', messages: [{ role: 'user', content }] })
  assert.deepEqual(seen.content.map(plain), [{ type: 'text', text: 'What is this?', citations: null }])
  const schema = { type: 'object', properties: { ok: { type: 'boolean' } } }
  const format = { type: 'json_schema' as const, schema }
  const shaped = await client.messages.create({ ...base, model: 'mock-small', output_config: { format } })
  assert.deepEqual(shaped.content.map(plain), [{ type: 'text', text: '{"ok":true}', citations: null }])
  assert.equal((await client.messages.create({ ...base, model: 'mock-refusal' })).stop_reason, 'refusal')
  const refused = await client.messages.stream({ ...base, model: 'mock-refusal' }).finalMessage()
  assert.equal(refused.stop_reason, 'refusal')
  const cut = await client.messages.create({ ...base, model: 'mock-stream-9', max_tokens: 2 })
  assert.equal(cut.stop_reason, 'max_tokens')
})

test('tokens are counted', async () => {
  const { input_tokens: one } = await client.messages.countTokens({ model: 'mock-small', messages })
  const more = [...messages, ...messages, ...messages]
  const { input_tokens: three } = await client.messages.countTokens({ model: 'mock-small', messages: more })
  assert.ok(one > 0 && three > one)
})

test("errors are the provider's, in a stream too", async () => {
  for (const [status, type] of [
    [401, 'authentication_error'],
    [429, 'rate_limit_error'],
    [500, 'api_error'],
    [529, 'overloaded_error'],
  ] as const) {
    const thrown = await client.messages.create({ model: `mock-status-${status}`, ...base }).catch((e: unknown) => e)
    assert.ok(thrown instanceof APIError)
    assert.equal(thrown.status, status)
    assert.equal((thrown.error as { error: { type: string } }).error.type, type)
    assert.match(thrown.requestID ?? '', /^req_01/)
  }
  await assert.rejects(
    client.messages.stream({ model: 'mock-error-in-stream', ...base }).finalMessage(),
    (thrown) => thrown instanceof APIError && JSON.stringify(thrown.error).includes('overloaded_error'),
  )
})

/** As sent: the client adds fields of its own that JSON leaves out. */
function plain(block: object): object {
  return JSON.parse(JSON.stringify(block))
}
