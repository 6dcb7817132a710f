import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { CountersignError } from '@countersign/verify'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText, wrapLanguageModel } from 'ai'
import OpenAI from 'openai'
import { type Behaviour, type GatewayDouble, startGatewayDouble } from './gateway-double.testing.ts'
import { receiptsFetch, receiptsMiddleware, withReceipts } from './index.ts'
import type { Outcome } from './outcome.ts'
import type { ReceiptsFetch, ReceiptsMode } from './receipts-fetch.ts'
import { ANSWER, sdkReply } from './sdk-replies.testing.ts'

const MESSAGES = [{ role: 'user' as const, content: 'What is six times seven?' }]

interface Setting {
  readonly double: GatewayDouble
  readonly mode: ReceiptsMode
  /** A `fetch` as an application makes it. */
  readonly fetch: ReceiptsFetch
}

/** One way to ask by a stock client; gives the text. */
type Ask = (setting: Setting) => Promise<string>

const openai = ({ double, fetch }: Setting) => new OpenAI({ apiKey: 'none', baseURL: `${double.url}/v1`, fetch })
const anthropic = ({ double, fetch }: Setting) => new Anthropic({ apiKey: 'none', baseURL: double.url, fetch })
const vercel = ({ double, fetch }: Setting) => createOpenAI({ apiKey: 'none', baseURL: `${double.url}/v1`, fetch })
const langchain = ({ double, fetch }: Setting) =>
  new ChatOpenAI({
    apiKey: 'none',
    model: 'chat',
    maxRetries: 0,
    configuration: { baseURL: `${double.url}/v1`, fetch },
  })

const WAYS: Readonly<Record<string, Ask>> = {
  async 'openai, chat'(setting) {
    const completion = await openai(setting).chat.completions.create({ model: 'chat', messages: MESSAGES })
    return completion.choices[0]?.message.content ?? ''
  },
  async 'openai, chat, streamed'(setting) {
    const stream = await openai(setting).chat.completions.create({ model: 'chat', messages: MESSAGES, stream: true })
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    return text
  },
  async 'openai, chat, the streaming helper'(setting) {
    const runner = openai(setting).chat.completions.stream({ model: 'chat', messages: MESSAGES })
    return (await runner.finalContent()) ?? ''
  },
  async 'openai, responses'(setting) {
    return (await openai(setting).responses.create({ model: 'chat', input: 'six times seven' })).output_text
  },
  async 'openai, responses, streamed'(setting) {
    const stream = await openai(setting).responses.create({ model: 'chat', input: 'six times seven', stream: true })
    let text = ''
    for await (const each of stream) if (each.type === 'response.output_text.delta') text += each.delta
    return text
  },
  async 'anthropic, messages'(setting) {
    const answer = await anthropic(setting).messages.create({ model: 'chat', max_tokens: 9, messages: MESSAGES })
    return answer.content[0]?.type === 'text' ? answer.content[0].text : ''
  },
  async 'anthropic, messages, streamed'(setting) {
    const options = { model: 'chat', max_tokens: 9, messages: MESSAGES, stream: true } as const
    let text = ''
    for await (const each of await anthropic(setting).messages.create(options)) {
      if (each.type === 'content_block_delta' && each.delta.type === 'text_delta') text += each.delta.text
    }
    return text
  },
  async 'anthropic, the streaming helper'(setting) {
    const stream = anthropic(setting).messages.stream({ model: 'chat', max_tokens: 9, messages: MESSAGES })
    return stream.finalText()
  },
  async 'vercel, generateText'(setting) {
    const model = vercel(setting).chat('chat')
    return (await generateText({ model, messages: MESSAGES, maxRetries: 0 })).text
  },
  async 'vercel, streamText'(setting) {
    let failure: unknown
    const onError = ({ error }: { error: unknown }) => {
      failure = error
    }
    const result = streamText({ model: vercel(setting)('chat'), messages: MESSAGES, maxRetries: 0, onError })
    let text = ''
    for await (const piece of result.textStream) text += piece
    if (failure !== undefined) throw failure
    return text
  },
  async 'langchain, invoke'(setting) {
    return String((await langchain(setting).invoke('six times seven')).content)
  },
  async 'langchain, stream'(setting) {
    let text = ''
    for await (const chunk of await langchain(setting).stream('six times seven')) text += String(chunk.content)
    return text
  },
}

async function inSetting<T>(
  behaviour: Behaviour,
  mode: ReceiptsMode,
  play: (setting: Setting, outcomes: Outcome[]) => Promise<T>,
): Promise<T> {
  const double = await startGatewayDouble(sdkReply, { chunkBytes: 23, ...behaviour })
  try {
    const outcomes: Outcome[] = []
    const onVerdict = (outcome: Outcome) => outcomes.push(outcome)
    const fetch = receiptsFetch({ trust: double.log.verifierKey, mode, onVerdict, when: 'receipt' })
    return await play({ double, mode, fetch }, outcomes)
  } finally {
    await double[Symbol.asyncDispose]()
  }
}

/** The CountersignError in a chain of causes. */
function ourError(thrown: unknown): CountersignError | undefined {
  for (let each = thrown; each instanceof Error; each = each.cause) if (each instanceof CountersignError) return each
  return undefined
}

const flip = (body: Uint8Array) => {
  const text = Buffer.from(body).toString('latin1')
  // Another model's name: every client still reads the answer.
  return new Uint8Array(Buffer.from(text.replace('"model":"chat"', '"model":"cHat"'), 'latin1'))
}

for (const [name, ask] of Object.entries(WAYS)) {
  test(`${name}: the answer is what it was, and holds`, () =>
    inSetting({}, 'throw', async (setting, outcomes) => {
      assert.equal(await ask(setting), ANSWER)
      await setting.fetch.idle()
      assert.deepEqual(
        outcomes.map(({ status, checks }) => [status, checks.length]),
        [['holds', 7]],
      )
    }))

  test(`${name}: a changed answer is reported`, () =>
    inSetting({ onTheWay: flip }, 'report', async (setting, outcomes) => {
      assert.equal(await ask(setting), ANSWER)
      await setting.fetch.idle()
      const refuted = outcomes.flatMap(({ checks }) => checks.filter(({ status }) => status === 'refuted'))
      assert.deepEqual(
        refuted.map((check) => check.name),
        ['response'],
      )
    }))

  test(`${name}: a changed answer is an error, asked for once`, () =>
    inSetting({ onTheWay: flip }, 'throw', async (setting) => {
      await assert.rejects(ask(setting), (thrown) => {
        assert.equal(ourError(thrown)?.code, 'opening/commitment-mismatch', String(thrown))
        return true
      })
      assert.equal(setting.double.asked.filter((path) => path.startsWith('POST')).length, 1)
    }))
}

test('withReceipts gives a client of the same class, whose own fetch goes on sending', () =>
  inSetting({}, 'throw', async ({ double }) => {
    const sent: string[] = []
    const own: typeof fetch = (input, init) => {
      sent.push(`${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`)
      return fetch(input, init)
    }
    const outcomes: Outcome[] = []
    const options = {
      trust: double.log.verifierKey,
      mode: 'throw',
      onVerdict: (each: Outcome) => outcomes.push(each),
    } as const
    const client: OpenAI = withReceipts(
      new OpenAI({ apiKey: 'none', baseURL: `${double.url}/v1`, fetch: own }),
      options,
    )
    assert.ok(client instanceof OpenAI)
    const format = { type: 'json_schema', json_schema: { name: 'answer', schema: {} } } as const
    const parsed = await client.chat.completions.parse({ model: 'chat', messages: MESSAGES, response_format: format })
    assert.deepEqual(parsed.choices[0]?.message.parsed, { answer: 42 })
    const other: Anthropic = withReceipts(new Anthropic({ apiKey: 'none', baseURL: double.url, fetch: own }), options)
    assert.ok(other instanceof Anthropic)
    await other.messages.create({ model: 'chat', max_tokens: 9, messages: MESSAGES })
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['holds', 'holds'],
    )
    assert.deepEqual(
      sent.map((each) => each.replace(/[0-9a-f]{64}$/, '…')),
      ['POST /v1/chat/completions', 'GET /statements/…', 'POST /v1/messages', 'GET /statements/…'],
    )
  }))

test('the middleware puts receipt, promise and verdict into the metadata', () =>
  inSetting({}, 'report', async (setting, outcomes) => {
    const { double, fetch } = setting
    const model = wrapLanguageModel({ model: vercel(setting).chat('chat'), middleware: receiptsMiddleware(fetch) })
    const whole = await generateText({ model, messages: MESSAGES, maxRetries: 0 })
    const streamed = streamText({ model, messages: MESSAGES, maxRetries: 0 })
    await streamed.consumeStream()
    for (const [i, metadata] of [whole.providerMetadata, await streamed.providerMetadata].entries()) {
      const { receipt, promise } = double.exchanges[i] ?? {}
      const checks = outcomes[i]?.checks.map((check) => ({ ...check }))
      assert.deepEqual(metadata?.countersign, { receipt, promise, verdict: { status: 'holds', checks } })
      assert.ok(metadata?.openai, 'the provider’s own is still there')
    }
  }))

test('the middleware leaves answers alone that it knows nothing of', () =>
  inSetting({ headers: { 'countersign-receipt': undefined } }, 'report', async (setting) => {
    const model = wrapLanguageModel({
      model: vercel(setting).chat('chat'),
      middleware: receiptsMiddleware(setting.fetch),
    })
    const { text, providerMetadata } = await generateText({ model, messages: MESSAGES, maxRetries: 0 })
    assert.equal(text, ANSWER)
    assert.equal(providerMetadata?.countersign, undefined)
  }))
