/** The Vercel AI SDK sees through the gateway what it sees without it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import { embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai'
import { startRelay } from './relay.testing.ts'
import { AS_DIRECT, notingFetch } from './sdk.testing.ts'
import { assertSettled } from './settled.testing.ts'

const prompt = 'Say: grüß dich'

const weather = tool({
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }),
  execute: ({ city }) => `Rain in ${city}.`,
})

const shape = jsonSchema<{ ok: boolean }>({
  type: 'object',
  properties: { ok: { type: 'boolean' } },
  required: ['ok'],
  additionalProperties: false,
})

type Provider = ReturnType<typeof createOpenAI>
type Model = Parameters<typeof generateText>[0]['model']

async function generated(model: Model, more: object = {}) {
  const { text, finishReason, usage, toolCalls } = await generateText({ model, prompt, maxRetries: 0, ...more })
  return { text, finishReason, usage, toolCalls }
}

async function streamed(model: Model, more: object = {}) {
  const errors: string[] = []
  const { fullStream } = streamText({
    model,
    prompt,
    maxRetries: 0,
    onError: ({ error }) => void errors.push(String(error)),
    ...more,
  })
  const parts: object[] = []
  for await (const part of fullStream) {
    if (part.type === 'text-delta' || part.type === 'tool-call' || part.type === 'tool-result') parts.push(part)
    if (part.type === 'finish') parts.push({ finishReason: part.finishReason, totalUsage: part.totalUsage })
  }
  return { parts, errors }
}

const TOOLS = { tools: { weather }, stopWhen: stepCountIs(3) }

/** By name: what is asked, and what must be in the outcome, as JSON. */
const CASES: readonly (readonly [string, (provider: Provider) => Promise<unknown>, RegExp])[] = [
  ['chat', (provider) => generated(provider.chat('mock-small')), /"text":"Hello.*日本語/],
  ['response', (provider) => generated(provider('mock-small')), /"text":"Hello.*日本語/],
  ['chat, streamed', (provider) => streamed(provider.chat('mock-small')), /"text":"日本語, ".*"finishReason":"stop"/],
  ['response, streamed', (provider) => streamed(provider('mock-small')), /"text":"日本語, ".*"finishReason":"stop"/],
  ['tools', (provider) => generated(provider.chat('mock-tools'), TOOLS), /"text":"The tool has answered/],
  [
    'tools, streamed',
    (provider) => streamed(provider.chat('mock-tools'), TOOLS),
    /"toolName":"weather".*Rain in mock.*"text":"answered\. "/,
  ],
  [
    'structured output',
    async (provider) => {
      const output = Output.object({ schema: shape })
      return (await generateText({ model: provider.chat('mock-small'), prompt, output })).output
    },
    /\{"ok":true\}/,
  ],
  [
    'embeddings',
    async (provider) => (await embedMany({ model: provider.embedding('mock-small'), values: ['a', 'b'] })).embeddings,
    /^\[\[-?[0-9.e-]+,/,
  ],
  [
    'an error in the stream',
    (provider) => streamed(provider.chat('mock-error-in-stream')),
    /"text":"Hello ".*"errors":\[".+"\]/,
  ],
]

test('the SDK sees the same as without the gateway', async (context) => {
  const stage = await startRelay(context, AS_DIRECT)
  const receipts: string[] = []
  const apiKey = 'sk-test'
  const direct = createOpenAI({ apiKey, baseURL: `${stage.upstream.url}/v1` })
  const through = createOpenAI({ apiKey, baseURL: `${stage.gateway.url}/v1`, fetch: notingFetch(receipts) })
  for (const [name, ask, says] of CASES) {
    await context.test(name, async () => {
      const before = receipts.length
      const [expected, got] = [await ask(direct), await ask(through)]
      assert.match(JSON.stringify(expected), says)
      assert.deepEqual(plain(got), plain(expected))
      assert.ok(receipts.length > before)
    })
  }
  await context.test('receipts are in the headers of answers', async () => {
    const { response } = await generateText({ model: through.chat('mock-small'), prompt })
    assert.equal(response.headers?.['countersign-receipt'], receipts.at(-1))
    assert.match(response.headers?.['countersign-promise'] ?? '', /^[A-Za-z0-9+/=]+$/)
  })
  await context.test('an error of the gateway is an error of the SDK', async () => {
    await assert.rejects(generated(through.chat('mock-reset-before')), { name: 'AI_APICallError', statusCode: 502 })
  })
  await assertSettled(stage, receipts)
})

/** What JSON keeps: identity of functions and classes is none of the answer's. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
