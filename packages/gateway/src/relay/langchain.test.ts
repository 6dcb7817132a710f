/** LangChain's models of OpenAI see through the gateway what they see without it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { startRelay } from './relay.testing.ts'
import { AS_DIRECT, notingFetch } from './sdk.testing.ts'
import { assertSettled } from './settled.testing.ts'

const prompt = 'Say: grüß dich'
const tools = [
  {
    type: 'function' as const,
    function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  },
]

/** Where a model is asked, and by what way. */
interface Place {
  readonly baseURL: string
  readonly fetch?: typeof fetch
}

function chat(configuration: Place, model: string, useResponsesApi = false): ChatOpenAI {
  return new ChatOpenAI({ model, apiKey: 'sk-test', maxRetries: 0, useResponsesApi, configuration })
}

async function streamed(model: { stream(input: string): Promise<AsyncIterable<unknown>> }): Promise<unknown[]> {
  const chunks: unknown[] = []
  for await (const chunk of await model.stream(prompt)) chunks.push(chunk)
  return chunks
}

/** By name: what is asked, and what must be in the outcome, as JSON. */
const CASES: readonly (readonly [string, (place: Place) => Promise<unknown>, RegExp])[] = [
  ['chat', (place) => chat(place, 'mock-small').invoke(prompt), /"content":"Hello.*日本語/],
  ['chat, streamed', (place) => streamed(chat(place, 'mock-small')), /"content":"日本語, "/],
  ['response', (place) => chat(place, 'mock-small', true).invoke(prompt), /"text":"Hello.*日本語/],
  ['response, streamed', (place) => streamed(chat(place, 'mock-small', true)), /"日本語, "/],
  ['tools', (place) => chat(place, 'mock-tools').bindTools(tools).invoke(prompt), /"name":"weather"/],
  ['tools, streamed', (place) => streamed(chat(place, 'mock-tools').bindTools(tools)), /"tool_call_chunks":\[\{/],
  [
    'embeddings',
    (configuration) =>
      new OpenAIEmbeddings({ model: 'mock-small', apiKey: 'sk-test', maxRetries: 0, configuration }).embedDocuments([
        'eins',
        'zwei',
      ]),
    /^\[\[-?[0-9.e-]+,/,
  ],
  [
    'an error',
    (place) =>
      chat(place, 'mock-status-401')
        .invoke(prompt)
        .catch(({ name, status, message }) => [name, status, message]),
    /401/,
  ],
]

test('LangChain sees the same as without the gateway', async (context) => {
  const stage = await startRelay(context, AS_DIRECT)
  const receipts: string[] = []
  const direct: Place = { baseURL: `${stage.upstream.url}/v1` }
  const through: Place = { baseURL: `${stage.gateway.url}/v1`, fetch: notingFetch(receipts) }
  for (const [name, ask, says] of CASES) {
    await context.test(name, async () => {
      const before = receipts.length
      const [expected, got] = [JSON.stringify(await ask(direct)), JSON.stringify(await ask(through))]
      assert.match(expected, says)
      assert.deepEqual(withoutRunIds(got), withoutRunIds(expected))
      assert.equal(receipts.length, before + 1)
    })
  }
  await assertSettled(stage, receipts)
})

/** Ids that LangChain makes up for each call. */
function withoutRunIds(text: string): unknown {
  return JSON.parse(text.replaceAll(/"run-[0-9a-f-]+"|"lc_run--[0-9a-f-]+"/g, '"run"'))
}
