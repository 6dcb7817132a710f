/** What a request goes on from is asked for where it is kept, and by those alone that it is kept for. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DEFAULT_TARGET } from '../config/config.ts'
import { call } from '../gateway.testing.ts'
import { type MockUpstream, startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { makeKey } from './money.testing.ts'
import { type Raw, type RelayChanges, type RelayStage, send, startRelay, statementOf } from './relay.testing.ts'
import { startScripted } from './scripted-upstream.testing.ts'
import { eventually } from './settled.testing.ts'

const PATH = '/v1/responses'
const NOBODY = { headers: {} }

interface Pair extends RelayStage {
  /** By name of the upstream. */
  readonly mocks: { readonly [name: string]: MockUpstream }
}

/** A deployment that goes to either of two upstreams, as it comes. */
async function startPair(context: TestContext, changes: RelayChanges = {}): Promise<Pair> {
  const second = await startMockUpstream()
  context.after(() => second.close())
  const stage = await startRelay(context, {
    extra: [{ name: 'second', kind: 'openai', baseUrl: `${second.url}/v1` }],
    ...changes,
    deployment: {
      route: ['openai', 'second'].map((upstream) => ({ upstream, ...DEFAULT_TARGET })),
      ...changes.deployment,
    },
    others: [
      { name: 'far', answersTo: ['mock-far'], route: [{ upstream: 'second', ...DEFAULT_TARGET, model: 'mock-small' }] },
    ],
  })
  return { ...stage, mocks: { openai: stage.upstream, second } }
}

function respond(more: object): string {
  return JSON.stringify({ model: 'mock-small', input: 'Say something.', ...more })
}

function idIn({ bytes }: Raw): string {
  return (JSON.parse(bytes.toString()) as { id: string }).id
}

function codeIn({ bytes }: Raw): string {
  return (JSON.parse(bytes.toString()) as { error: { code: string } }).error.code
}

function counts({ mocks }: Pair): { readonly [name: string]: number } {
  return Object.fromEntries(Object.entries(mocks).map(([name, { requests }]) => [name, requests.length]))
}

async function attemptsOf(stage: RelayStage, { headers }: Raw): Promise<readonly string[]> {
  return (await statementOf(stage, String(headers['countersign-receipt']))).attempts.map(({ upstream }) => upstream)
}

for (const access of ['open', 'keys'] as const) {
  test(`access ${access}: an earlier answer is gone on from at the upstream that keeps it`, async (context) => {
    const pair = await startPair(context, { config: { access } })
    const holder = access === 'keys' ? makeKey(pair) : NOBODY
    const keepers = new Set<string>()
    for (let i = 0; i < 4 || (keepers.size < 2 && i < 64); i++) {
      const first = await send(pair.gateway, PATH, respond({ input: `Number ${i}.` }), holder)
      const [keeper = ''] = await attemptsOf(pair, first)
      keepers.add(keeper)
      let previous = idIn(first)
      for (const stream of [false, true]) {
        const next = await send(
          pair.gateway,
          PATH,
          respond({ previous_response_id: previous, stream, input: `${i}` }),
          holder,
        )
        assert.equal(next.status, 200, next.bytes.toString())
        assert.deepEqual(await attemptsOf(pair, next), [keeper])
        if (!stream) previous = idIn(next)
      }
    }
    assert.deepEqual([...keepers].sort(), ['openai', 'second'], 'first requests go to both')
  })
}

test('where the upstream that keeps an answer fails, no other is asked', async (context) => {
  const pair = await startPair(context, { deployment: { retries: { attempts: 2, totalMs: 5000 } } })
  const first = await send(pair.gateway, PATH, respond({}))
  const [keeper = ''] = await attemptsOf(pair, first)
  const before = counts(pair)
  const failed = await send(
    pair.gateway,
    PATH,
    respond({ model: 'mock-status-503', previous_response_id: idIn(first) }),
  )
  assert.equal(failed.status, 503)
  assert.deepEqual(await attemptsOf(pair, failed), [keeper, keeper])
  assert.deepEqual(counts(pair), { ...before, [keeper]: (before[keeper] ?? 0) + 2 })
})

test('a model that does not answer where an earlier answer is kept is refused in the caller’s dialect', async (context) => {
  const pair = await startPair(context, {
    config: { access: 'keys' },
    deployment: { route: [{ upstream: 'openai', ...DEFAULT_TARGET }] },
  })
  const holder = makeKey(pair)
  const first = await send(pair.gateway, PATH, respond({}), holder)
  const before = counts(pair)
  const refused = await send(
    pair.gateway,
    PATH,
    respond({ model: 'mock-far', previous_response_id: idIn(first) }),
    holder,
  )
  assert.deepEqual([refused.status, codeIn(refused)], [404, 'request/not-found'])
  assert.match(refused.bytes.toString(), /does not answer/)
  assert.equal(refused.headers['countersign-receipt'], undefined)
  assert.deepEqual(counts(pair), before)
  assert.equal((await send(pair.gateway, PATH, respond({ model: 'mock-far' }), holder)).status, 200)
})

test('an answer that nobody here knows is for holders of keys no answer; without keys it goes on', async (context) => {
  const pair = await startPair(context)
  const holder = makeKey(pair)
  const unknown = respond({ previous_response_id: 'resp_from_before' })
  const refused = await send(pair.gateway, PATH, unknown, holder)
  assert.deepEqual([refused.status, codeIn(refused)], [404, 'request/not-found'])
  assert.deepEqual(counts(pair), { openai: 0, second: 0 })
  const passed = await send(pair.gateway, PATH, unknown, NOBODY)
  assert.equal(passed.status, 400, 'the upstream’s own word')
  assert.match(passed.bytes.toString(), /Previous response with id/)
  assert.equal((await attemptsOf(pair, passed)).length, 1)
})

test('without a key nobody goes on from an answer that was given to the holder of one', async (context) => {
  const pair = await startPair(context)
  const first = await send(pair.gateway, PATH, respond({}), makeKey(pair))
  const before = counts(pair)
  const refused = await send(pair.gateway, PATH, respond({ previous_response_id: idIn(first) }), NOBODY)
  assert.deepEqual([refused.status, codeIn(refused)], [404, 'request/not-found'])
  assert.deepEqual(counts(pair), before)
})

test('however the name of an earlier answer is spelled, it is read, or refused', async (context) => {
  const pair = await startPair(context, { config: { access: 'keys' } })
  const [anna, bob] = [makeKey(pair), makeKey(pair)]
  const id = idIn(await send(pair.gateway, PATH, respond({}), anna))
  const before = counts(pair)
  const spellings: readonly (readonly [string, number, string])[] = [
    [`"\\u0070revious_response_id":"${id}"`, 404, 'request/not-found'],
    [`"previous_response_id":"${id.replace('r', '\\u0072')}"`, 404, 'request/not-found'],
    [`"Previous_Response_Id":"${id}"`, 400, 'json/duplicate-key'],
    [`"previous_re\u017fponse_id":"${id}"`, 400, 'json/duplicate-key'],
    [`"previous_response_id":null,"previous_response_\\u0069d":"${id}"`, 400, 'json/duplicate-key'],
    [`"previous_response_id":{"id":"${id}"}`, 400, 'shape/wrong-type'],
    [`"previous_response_id":"${'x'.repeat(2000)}"`, 400, 'shape/bad-value'],
    [`"Background":true`, 400, 'json/duplicate-key'],
  ]
  for (const [member, status, code] of spellings) {
    const got = await send(pair.gateway, PATH, `{"model":"mock-small","input":"x",${member}}`, bob)
    assert.deepEqual([got.status, codeIn(got)], [status, code], member)
  }
  assert.deepEqual(counts(pair), before)
})

const CONVERSATION = 'conv_0123456789abcdef'

test('a conversation is its first holder’s, at the upstream that has it', async (context) => {
  const pair = await startPair(context, { config: { access: 'keys' } })
  const [anna, bob] = [makeKey(pair), makeKey(pair)]
  const first = await send(pair.gateway, PATH, respond({ conversation: CONVERSATION }), anna)
  const [keeper = ''] = await attemptsOf(pair, first)
  for (let i = 0; i < 6; i++) {
    const conversation = i % 2 === 0 ? CONVERSATION : { id: CONVERSATION }
    const next = await send(pair.gateway, PATH, respond({ conversation, stream: i > 3, input: `${i}` }), anna)
    assert.equal(next.status, 200, next.bytes.toString())
    assert.deepEqual(await attemptsOf(pair, next), [keeper])
  }
  const before = counts(pair)
  const spellings: readonly (readonly [string, number, string])[] = [
    [`"conversation":"${CONVERSATION}"`, 404, 'request/not-found'],
    [`"conversation":{"id":"${CONVERSATION}"}`, 404, 'request/not-found'],
    [`"\\u0063onversation":{"\\u0069d":"${CONVERSATION}"}`, 404, 'request/not-found'],
    [`"conversation":{"id":"mine","\\u0069d":"${CONVERSATION}"}`, 400, 'json/duplicate-key'],
    [`"conversation":{"ID":"${CONVERSATION}"}`, 400, 'json/duplicate-key'],
    [`"Conversation":"${CONVERSATION}"`, 400, 'json/duplicate-key'],
    [`"conversation":["${CONVERSATION}"]`, 400, 'shape/wrong-type'],
    [`"conversation":{"id":["${CONVERSATION}"]}`, 400, 'shape/wrong-type'],
    [`"conversation":{"id":"${'x'.repeat(2000)}"}`, 400, 'shape/bad-value'],
  ]
  for (const [member, status, code] of spellings) {
    const got = await send(pair.gateway, PATH, `{"model":"mock-small","input":"x",${member}}`, bob)
    assert.deepEqual([got.status, codeIn(got)], [status, code], member)
  }
  assert.deepEqual(counts(pair), before)
  for (const conversation of [null, {}, { id: null }, 'conv_of_bob']) {
    assert.equal((await send(pair.gateway, PATH, respond({ conversation }), bob)).status, 200)
  }
})

test('a conversation that an answer names is its holder’s, though the request named none', async (context) => {
  const upstream = await startScripted(context)
  const stage = await startRelay(context, { url: upstream.url, config: { access: 'keys' } })
  const [anna, bob] = [makeKey(stage), makeKey(stage)]
  const response = {
    id: 'resp_1',
    object: 'response',
    status: 'completed',
    conversation: { id: CONVERSATION },
    output: [],
  }
  upstream.play({ status: 200, contentType: 'application/json', pieces: [Buffer.from(JSON.stringify(response))] })
  assert.equal((await send(stage.gateway, PATH, respond({}), anna)).status, 200)
  assert.equal((await send(stage.gateway, PATH, respond({ conversation: CONVERSATION }), bob)).status, 404)
  // What an upstream calls an answer makes nobody the holder of a conversation.
  const forged = { ...response, id: `conversation\u0020${CONVERSATION}`, conversation: null }
  upstream.play({ status: 200, contentType: 'application/json', pieces: [Buffer.from(JSON.stringify(forged))] })
  assert.equal((await send(stage.gateway, PATH, respond({}), bob)).status, 200)
  assert.equal((await send(stage.gateway, PATH, respond({ conversation: CONVERSATION }), bob)).status, 404)
  assert.equal((await send(stage.gateway, PATH, respond({ conversation: CONVERSATION }), anna)).status, 200)
})

test('while the first request in a conversation is under way, nobody else gets into it', async (context) => {
  const pair = await startPair(context, { config: { access: 'keys' } })
  const [anna, bob] = [makeKey(pair), makeKey(pair)]
  const held = send(pair.gateway, PATH, respond({ model: 'mock-held', stream: true, conversation: CONVERSATION }), anna)
  await eventually(() => pair.gateway.health().inFlight === 1, 'it is under way')
  assert.equal((await send(pair.gateway, PATH, respond({ conversation: CONVERSATION }), bob)).status, 404)
  assert.equal((await send(pair.gateway, PATH, respond({ conversation: CONVERSATION }), anna)).status, 200)
  const releasing = setInterval(() => Object.values(pair.mocks).forEach((mock) => void mock.release()), 20)
  assert.equal((await held).status, 200)
  clearInterval(releasing)
  assert.equal((await send(pair.gateway, PATH, respond({ conversation: CONVERSATION }), bob)).status, 404)
})

test('a conversation is its holder’s also after an answer that broke off; not after one that was refused', async (context) => {
  const pair = await startPair(context, { config: { access: 'keys' } })
  const [anna, bob] = [makeKey(pair), makeKey(pair)]
  const broken = respond({ model: 'mock-reset-mid-stream', stream: true, conversation: CONVERSATION })
  await send(pair.gateway, PATH, broken, anna)
  assert.equal((await send(pair.gateway, PATH, respond({ conversation: CONVERSATION }), bob)).status, 404)
  const refused = respond({ model: 'mock-status-404', conversation: 'conv_2' })
  assert.equal((await send(pair.gateway, PATH, refused, anna)).status, 404)
  assert.equal((await send(pair.gateway, PATH, respond({ conversation: 'conv_2' }), bob)).status, 200)
  assert.equal((await send(pair.gateway, PATH, respond({ conversation: 'conv_2' }), anna)).status, 404)
})

test('without keys all share their conversations; those of a key’s holder are not among them', async (context) => {
  const pair = await startPair(context)
  const holder = makeKey(pair)
  const ask = (conversation: string, options: typeof NOBODY) =>
    send(pair.gateway, PATH, respond({ conversation }), options)
  assert.equal((await ask('conv_1', holder)).status, 200)
  assert.equal((await ask('conv_1', NOBODY)).status, 404)
  assert.equal((await ask('conv_2', NOBODY)).status, 200)
  assert.equal((await ask('conv_2', NOBODY)).status, 200)
  assert.equal((await ask('conv_2', holder)).status, 404)
})

test('in a conversation no answer comes from the cache', async (context) => {
  const stage = await startRelay(context, { deployment: { cache: { maxAgeSeconds: 60 } } })
  for (let i = 0; i < 2; i++) await send(stage.gateway, PATH, respond({ conversation: CONVERSATION }))
  assert.equal(stage.upstream.requests.length, 2)
})

test('conversations themselves are not passed on', async (context) => {
  const stage = await startRelay(context)
  for (const [method, path] of [
    ['POST', '/v1/conversations'],
    ['GET', `/v1/conversations/${CONVERSATION}`],
    ['POST', `/v1/conversations/${CONVERSATION}`],
    ['DELETE', `/v1/conversations/${CONVERSATION}`],
    ['GET', `/v1/conversations/${CONVERSATION}/items`],
    ['POST', `/v1/conversations/${CONVERSATION}/items`],
  ] as const) {
    const got = await call(stage.gateway, method, path, {}, method === 'POST' ? '{}' : undefined)
    assert.equal(got.status, 404, `${method} ${path}`)
  }
  assert.equal(stage.upstream.requests.length, 0)
})
