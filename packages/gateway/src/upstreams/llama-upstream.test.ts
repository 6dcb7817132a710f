import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findLlama, LLAMA_PROFILE, loadLlamaModel } from '@countersign/engines'
import { CountersignError } from '@countersign/verify'
import { dialectAt } from '../dialects/dialects.ts'
import { type Script, type ScriptedModel, scriptedModel } from './llama.testing.ts'
import { createLlamaUpstream } from './llama-upstream.ts'
import type { UpstreamRequest } from './upstream.ts'
import { assertFails, headerOf, textOf } from './upstreams.testing.ts'

const CHAT = '/v1/chat/completions'
const COMPLETIONS = '/v1/completions'
const EMBEDDINGS = '/v1/embeddings'
const MESSAGES = [{ role: 'user', content: 'hi' }]
const HEAD = { created: 1_790_000_000, model: 'tiny', system_fingerprint: `${LLAMA_PROFILE.id}-0123456789abcdef` }

function start(script?: Script) {
  const model = scriptedModel(script)
  const now = () => 1_790_000_000_999
  return { model, upstream: createLlamaUpstream({ name: 'tiny', model, served: undefined, now, randomId: () => 'ID' }) }
}

function requestTo(path: string, body: object | string, signal = new AbortController().signal): UpstreamRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const dialect = dialectAt(path)
  return { method: 'POST', path, headers: [], body: Buffer.from(text), dialect, facts: undefined, signal }
}

async function ask(path: string, body: object | string, script?: Script) {
  const { upstream, model } = start(script)
  const answer = await upstream.send(requestTo(path, body))
  const text = await textOf(answer)
  return { status: answer.status, headers: answer.headers, text, model }
}

test('a whole chat completion', async () => {
  const { status, headers, text } = await ask(CHAT, { model: 'tiny', messages: MESSAGES }, { finish: 'length' })
  assert.equal(status, 200)
  assert.equal(headerOf(headers, 'content-type'), 'application/json')
  assert.equal(headerOf(headers, 'content-length'), String(Buffer.byteLength(text)))
  assert.deepEqual(JSON.parse(text), {
    id: 'chatcmpl-ID',
    object: 'chat.completion',
    ...HEAD,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello', refusal: null },
        logprobs: null,
        finish_reason: 'length',
      },
    ],
    usage: { prompt_tokens: 8, completion_tokens: 2, total_tokens: 10 },
  })
})

/** The chunks of a stream, after it has been seen to be one. */
function chunksOf(text: string): readonly { readonly [name: string]: unknown }[] {
  const frames = text.split('\n\n')
  assert.deepEqual(frames.splice(-2), ['data: [DONE]', ''])
  return frames.map((frame) => {
    assert.ok(frame.startsWith('data: '))
    return JSON.parse(frame.slice('data: '.length))
  })
}

test('a streamed chat completion', async () => {
  const { headers, text } = await ask(CHAT, { model: 'tiny', messages: MESSAGES, stream: true })
  assert.match(headerOf(headers, 'content-type') ?? '', /^text\/event-stream/)
  const choice = (delta: object, finish_reason: string | null = null) => ({
    id: 'chatcmpl-ID',
    object: 'chat.completion.chunk',
    ...HEAD,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  })
  assert.deepEqual(chunksOf(text), [
    choice({ role: 'assistant', content: '' }),
    choice({ content: 'Hel' }),
    choice({ content: 'lo' }),
    choice({}, 'stop'),
  ])
})

test('a stream says what was used where that is asked for', async () => {
  for (const [path, input] of [
    [CHAT, { messages: MESSAGES }],
    [COMPLETIONS, { prompt: 'hi' }],
  ] as const) {
    const body = { model: 'tiny', ...input, stream: true, stream_options: { include_usage: true } }
    const chunks = chunksOf((await ask(path, body)).text)
    const last = chunks.at(-1)
    assert.deepEqual(last?.choices, [])
    const prompt = path === CHAT ? 8 : 2
    assert.deepEqual(last?.usage, { prompt_tokens: prompt, completion_tokens: 2, total_tokens: prompt + 2 })
    assert.ok(chunks.slice(0, -1).every(({ usage }) => usage === null))
  }
})

test('completions, whole and streamed', async () => {
  const whole = JSON.parse((await ask(COMPLETIONS, { model: 'tiny', prompt: ['hi'] })).text)
  const head = { id: 'cmpl-ID', object: 'text_completion', ...HEAD }
  const choice = (text: string, finish_reason: string | null) => ({ index: 0, text, logprobs: null, finish_reason })
  const usage = { prompt_tokens: 2, completion_tokens: 2, total_tokens: 4 }
  assert.deepEqual(whole, { ...head, choices: [choice('Hello', 'stop')], usage })
  const { text, model } = await ask(COMPLETIONS, { model: 'tiny', prompt: 'hi', stream: true })
  const choices = [choice('Hel', null), choice('lo', null), choice('', 'stop')]
  assert.deepEqual(
    chunksOf(text),
    choices.map((each) => ({ ...head, choices: [each] })),
  )
  assert.equal(model.asked[0]?.maxTokens, 16)
})

test('what dialects read out of these answers is what stands in them', async () => {
  const dialect = dialectAt(CHAT)
  const { text } = await ask(CHAT, { model: 'tiny', messages: MESSAGES })
  const facts = dialect?.readAnswer(Buffer.from(text))
  assert.equal(facts?.finishReason, 'stop')
  assert.deepEqual(facts?.usage, { inputTokens: 8, outputTokens: 2 })
  assert.equal(facts?.servedModel, 'tiny')
})

test('parameters reach the model as they were meant', async () => {
  const body = `{"model":"tiny","messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b\\t"}]},
    {"role":"assistant","content":"c","refusal":null,"tool_calls":[]}],"max_completion_tokens":7,"temperature":0.25,
    "top_p":0.5,"seed":9223372036854775807,"stop":["x","y"],"n":1,"tools":[],"tool_choice":"none","logprobs":false,
    "response_format":{"type":"text"},"modalities":["text"],"presence_penalty":0,"logit_bias":{},"user":"someone",
    "metadata":{"a":"b"},"service_tier":"auto","stream":null}`
  const { model } = await ask(CHAT, body)
  const [{ signal, ...asked } = { signal: undefined }] = model.asked
  assert.ok(signal !== undefined)
  assert.deepEqual(asked, {
    prompt: '<system>a\nb\t<assistant>c',
    maxTokens: 7,
    temperature: 0.25,
    topP: 0.5,
    seed: 9223372036854775807n,
    stop: ['x', 'y'],
  })
  const plain = (await ask(CHAT, { model: 'tiny', messages: MESSAGES })).model.asked[0]
  assert.deepEqual([plain?.maxTokens, plain?.temperature, plain?.topP, plain?.seed], [128, 1, 1, undefined])
})

test('embeddings, as numbers and in base64', async () => {
  const body = { model: 'tiny', input: ['a', 'bcd'] }
  const usage = { prompt_tokens: 4, total_tokens: 4 }
  const data = (embeddings: readonly unknown[]) =>
    embeddings.map((embedding, index) => ({ object: 'embedding', index, embedding }))
  const floats = JSON.parse((await ask(EMBEDDINGS, body)).text)
  assert.deepEqual(floats, {
    object: 'list',
    data: data([
      [1, 0.5, 0],
      [3, 0.5, 1],
    ]),
    model: 'tiny',
    usage,
  })
  const base64 = JSON.parse((await ask(EMBEDDINGS, { ...body, input: 'a', encoding_format: 'base64' })).text)
  assert.equal(base64.data[0].embedding, Buffer.from('0000803f0000003f00000000', 'hex').toString('base64'))
})

test('what it cannot do is refused, in the API’s own words', async () => {
  const image = [{ type: 'image_url', image_url: { url: 'data:' } }]
  const chat = { model: 'tiny', messages: MESSAGES }
  const refused: readonly [string, object | string][] = [
    [CHAT, 'no JSON'],
    [CHAT, '{"model":"a","model":"b","messages":[]}'],
    [CHAT, '[]'],
    [CHAT, { messages: MESSAGES }],
    [CHAT, { model: 'tiny' }],
    [CHAT, { ...chat, messages: [{ role: 'user', content: image }] }],
    [CHAT, { ...chat, messages: [{ role: 'tool', content: 'x', tool_call_id: 'y' }] }],
    [CHAT, { ...chat, messages: [{ role: 'user' }] }],
    [CHAT, { ...chat, messages: [{ role: 'user', content: 'x', name: 'y' }] }],
    [CHAT, { ...chat, messages: [{ role: 'assistant', content: 'x', tool_calls: [{ id: 'y' }] }] }],
    [CHAT, '{"model":"tiny","messages":[{"role":"user","content":"\\ud800"}]}'],
    [CHAT, { ...chat, tools: [{ type: 'function' }] }],
    [CHAT, { ...chat, tool_choice: 'auto' }],
    [CHAT, { ...chat, n: 2 }],
    [CHAT, { ...chat, logprobs: true }],
    [CHAT, { ...chat, top_logprobs: 3 }],
    [CHAT, { ...chat, logit_bias: { 5: 1 } }],
    [CHAT, { ...chat, presence_penalty: 0.5 }],
    [CHAT, { ...chat, response_format: { type: 'json_object' } }],
    [CHAT, { ...chat, modalities: ['audio'] }],
    [CHAT, { ...chat, reasoning_effort: 'low' }],
    [CHAT, { ...chat, store: true }],
    [CHAT, { ...chat, max_tokens: 1, max_completion_tokens: 1 }],
    [CHAT, { ...chat, max_tokens: 0 }],
    [CHAT, { ...chat, temperature: '1' }],
    [CHAT, { ...chat, seed: 1.5 }],
    [CHAT, { ...chat, stream: 'yes' }],
    [CHAT, { ...chat, stream_options: { include_usage: true } }],
    [CHAT, { ...chat, something_new: 1 }],
    [COMPLETIONS, { model: 'tiny', prompt: [1, 2, 3] }],
    [COMPLETIONS, { model: 'tiny', prompt: ['a', 'b'] }],
    [COMPLETIONS, { model: 'tiny', prompt: 'a', echo: true }],
    [COMPLETIONS, { model: 'tiny', prompt: 'a', suffix: 'b' }],
    [COMPLETIONS, { model: 'tiny', prompt: 'a', best_of: 2 }],
    [COMPLETIONS, { model: 'tiny', prompt: 'a', logprobs: 0 }],
    [EMBEDDINGS, { model: 'tiny', input: [] }],
    [EMBEDDINGS, { model: 'tiny', input: '' }],
    [EMBEDDINGS, { model: 'tiny', input: [[1, 2]] }],
    [EMBEDDINGS, { model: 'tiny', input: 'a', dimensions: 2 }],
  ]
  for (const [path, body] of refused) {
    const { status, text, model } = await ask(path, body)
    const what = JSON.stringify(body)
    assert.equal(status, 400, what)
    const { error } = JSON.parse(text)
    assert.deepEqual([error.type, error.param], ['invalid_request_error', null], what)
    assert.match(error.code, /^(shape|json|request|bytes)\//)
    assert.ok(error.message.length > 5)
    assert.equal(model.asked.length, 0, what)
  }
})

test('what the model refuses is said with a status, even where a stream was asked for', async () => {
  const failure = { at: 0, error: new CountersignError('request/too-large', 'the prompt has 200 tokens') }
  const body = { model: 'tiny', messages: MESSAGES, stream: true }
  const { status, text } = await ask(CHAT, body, { failure })
  assert.equal(status, 400)
  assert.equal(JSON.parse(text).error.code, 'request/too-large')
})

test('a path that it does not have is not found', async () => {
  const { status } = await ask('/v1/responses', { model: 'tiny', input: 'x' })
  assert.equal(status, 404)
})

test('faults of the engine are thrown; a full queue sends the request elsewhere', async () => {
  const fails = async (error: Error, code: string) => {
    const { upstream } = start({ failure: { at: 0, error } })
    await assertFails(upstream.send(requestTo(CHAT, { model: 'tiny', messages: MESSAGES })), code)
  }
  await fails(new CountersignError('execution/failed', 'the engine could not run the model'), 'execution/failed')
  await fails(new CountersignError('queue/full', '64 requests wait for the model'), 'upstream/busy')
})

test('a stream that fails midway has no end', async () => {
  const failure = { at: 1, error: new CountersignError('execution/failed', 'broken') }
  const { upstream } = start({ failure })
  const answer = await upstream.send(requestTo(CHAT, { model: 'tiny', messages: MESSAGES, stream: true }))
  let text = ''
  const reading = (async () => {
    for await (const piece of answer.body) text += piece
  })()
  await assertFails(reading, 'execution/failed')
  assert.equal(text.includes('[DONE]'), false)
})

const LONG: Script = { pieces: Array.from({ length: 400 }, () => 'x'), isSlow: true }

async function assertStops(model: ScriptedModel): Promise<void> {
  for (let i = 0; i < 3000 && model.underWay > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(model.underWay, 0)
}

test('an abort stops the model: before the answer, during it, and when nobody reads it', async () => {
  const reason = new Error('the client left')
  const body = { model: 'tiny', messages: MESSAGES }
  const whole = start(LONG)
  const first = new AbortController()
  setTimeout(() => first.abort(reason), 30)
  await assert.rejects(whole.upstream.send(requestTo(CHAT, body, first.signal)), reason)
  await assert.rejects(whole.upstream.send(requestTo(CHAT, body, first.signal)), reason)
  await assertStops(whole.model)
  for (const way of ['signal', 'destroy']) {
    const { model, upstream } = start(LONG)
    const abort = new AbortController()
    const answer = await upstream.send(requestTo(CHAT, { ...body, stream: true }, abort.signal))
    assert.equal(model.underWay, 1)
    if (way === 'destroy') answer.body.destroy()
    else {
      abort.abort(reason)
      await assert.rejects(textOf(answer), reason)
    }
    await assertStops(model)
  }
})

test('a reader who does not read keeps nobody waiting', async () => {
  const { model, upstream } = start({ pieces: Array.from({ length: 128 }, () => 'y'.repeat(1024)) })
  const answer = await upstream.send(requestTo(CHAT, { model: 'tiny', messages: MESSAGES, stream: true }))
  await assertStops(model)
  assert.equal(chunksOf(await textOf(answer)).length, 130)
})

test('closes its model', async () => {
  const { model, upstream } = start()
  assert.deepEqual([upstream.kind, upstream.origin, upstream.served], ['llama', 'embedded', undefined])
  await upstream.close()
  assert.equal(model.isClosed, true)
})

const WEIGHTS = fileURLToPath(new URL('../../../../models/tiny-english/tiny-english-f16.gguf', import.meta.url))
const ENGINES = fileURLToPath(new URL('../../../../node_modules/.engines/', import.meta.url))

test('a real model: the same seed gives the same text, whole and streamed', async (context) => {
  const isThere = await findLlama(ENGINES).then(
    () => true,
    () => false,
  )
  if (!isThere) return context.skip('llama.cpp is not installed beside the development tools')
  const digest = createHash('sha256').update(readFileSync(WEIGHTS)).digest('hex')
  const model = await loadLlamaModel(LLAMA_PROFILE, WEIGHTS, digest, ENGINES)
  const upstream = createLlamaUpstream({ name: 'tiny', model, served: undefined, now: Date.now })
  try {
    const body = { model: 'tiny', prompt: 'The house', max_tokens: 12, seed: 7, temperature: 0.8 }
    const whole = JSON.parse(await textOf(await upstream.send(requestTo(COMPLETIONS, body))))
    const streamed = await textOf(await upstream.send(requestTo(COMPLETIONS, { ...body, stream: true })))
    const texts = chunksOf(streamed).map(({ choices }) => (choices as readonly { text: string }[])[0]?.text)
    assert.ok(whole.choices[0].text.length > 0)
    assert.equal(texts.join(''), whole.choices[0].text)
    assert.ok(whole.usage.completion_tokens <= 12)
  } finally {
    await upstream.close()
  }
})
