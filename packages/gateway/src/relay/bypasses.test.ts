/** Ways around receipts, rates and budgets that are closed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call } from '../gateway.testing.ts'
import { balanceOf, makeKey, PRICES, RICH } from './money.testing.ts'
import { chat, type RelayStage, send, startRelay } from './relay.testing.ts'
import { startScripted } from './scripted-upstream.testing.ts'

const PATH = '/v1/chat/completions'
const RESPONSES = '/v1/responses'

function respond(more: object): string {
  return JSON.stringify({ model: 'mock-small', input: 'Say something.', ...more })
}

function askedOf({ upstream }: RelayStage, path: string): number {
  return upstream.requests.filter((request) => request.path === path).length
}

test('what passes through counts in the rate; a key with a budget may stop batches, and start none', async (context) => {
  const stage = await startRelay(context, { config: { access: 'keys' } })
  const poor = makeKey(stage, { monthlyBudget: { amountMicros: 0, currency: 'EUR' } })
  for (const path of ['/v1/batches', '/v1/files', '/v1/uploads', '/v1/batches?x=/cancel']) {
    const got = await send(stage.gateway, path, '{}', poor)
    assert.equal(got.status, 403, path)
    assert.match(got.bytes.toString(), /auth\/not-allowed/)
  }
  assert.equal(stage.upstream.requests.length, 0)
  assert.notEqual((await send(stage.gateway, '/v1/batches/b/cancel', '{}', poor)).status, 403)
  assert.notEqual((await call(stage.gateway, 'GET', '/v1/batches', poor.headers)).status, 403)
  const slow = makeKey(stage, { requestsPerMinute: 1 })
  const replies = []
  for (let i = 0; i < 3; i++) replies.push((await send(stage.gateway, '/v1/batches', '{}', slow)).status)
  assert.deepEqual(replies.slice(1), [429, 429])
  assert.notEqual(replies[0], 429)
})

test('no answer is made in the background, where it would have no receipt', async (context) => {
  const stage = await startRelay(context)
  for (const background of [true, 'true', 1]) {
    const got = await send(stage.gateway, RESPONSES, respond({ background }))
    assert.equal(got.status, 400)
    assert.match(got.bytes.toString(), /background/)
  }
  assert.equal(stage.upstream.requests.length, 0)
  for (const background of [false, null]) {
    assert.equal((await send(stage.gateway, RESPONSES, respond({ background }))).status, 200)
  }
})

test('an earlier response is gone on from by the key that it was given to, and by no other', async (context) => {
  const stage = await startRelay(context, { config: { access: 'keys' } })
  const [anna, bob] = [makeKey(stage), makeKey(stage)]
  const first = await send(stage.gateway, RESPONSES, respond({}), anna)
  const { id } = JSON.parse(first.bytes.toString()) as { id: string }
  const asked = askedOf(stage, RESPONSES)
  const stolen = await send(stage.gateway, RESPONSES, respond({ previous_response_id: id }), bob)
  assert.equal(stolen.status, 404)
  const odd = await send(stage.gateway, RESPONSES, respond({ previous_response_id: [id] }), bob)
  assert.equal(odd.status, 400)
  assert.equal(askedOf(stage, RESPONSES), asked)
  assert.equal((await send(stage.gateway, RESPONSES, respond({ previous_response_id: id }), anna)).status, 200)
  assert.equal((await send(stage.gateway, RESPONSES, respond({ previous_response_id: null }), bob)).status, 200)
})

test('counting tokens costs nothing', async (context) => {
  const prices = [...PRICES, { item: 'request', amountMicros: 1000, currency: 'EUR' }]
  const stage = await startRelay(context, { config: { access: 'keys' }, deployment: { prices } })
  const holder = makeKey(stage, { monthlyBudget: { amountMicros: 1, currency: 'EUR' }, tokensPerMinute: 1 })
  for (let i = 0; i < 2; i++) {
    const got = await send(stage.gateway, '/v1/messages/count_tokens', chat('mock-small'), holder)
    assert.equal(got.status, 200, got.bytes.toString())
  }
  assert.equal(balanceOf(stage, holder.key)?.spentMicros ?? 0, 0)
  assert.equal((await send(stage.gateway, PATH, chat('mock-small'), holder)).status, 429)
  const rich = makeKey(stage, RICH)
  assert.equal((await send(stage.gateway, PATH, chat('mock-small'), rich)).status, 200)
})

test('Idempotency-Key: a request about another subject is another request', async (context) => {
  const stage = await startRelay(context)
  const about = (subject?: string) => {
    const headers = { 'idempotency-key': 'k', ...(subject === undefined ? {} : { 'countersign-subject': subject }) }
    return send(stage.gateway, PATH, chat('mock-small'), { headers })
  }
  assert.equal((await about('anna')).status, 200)
  assert.equal((await about('anna')).headers['countersign-repeated'], 'true')
  for (const subject of ['bob', undefined]) assert.equal((await about(subject)).status, 422)
})

const ERROR_EVENT = 'event: error\ndata: {"error":{"type":"overloaded_error","message":"try later"}}\n\n'

for (const [what, status, contentType, body] of [
  ['an error inside a stream', 200, 'text/event-stream', ERROR_EVENT],
  ['an error inside a 200', 200, 'application/json', '{"error":{"message":"try later"}}'],
  ['408', 408, 'application/json', '{}'],
  ['409', 409, 'application/json', '{}'],
  ['429', 429, 'application/json', '{}'],
] as const) {
  test(`Idempotency-Key: ${what} is not given again`, async (context) => {
    const upstream = await startScripted(context)
    const retries = { attempts: 1, totalMs: 1000 }
    const stage = await startRelay(context, { url: upstream.url, deployment: { retries } })
    upstream.play({ status, contentType, pieces: [Buffer.from(body)] })
    const isStream = contentType !== 'application/json'
    for (let i = 0; i < 2; i++) {
      const headers = { 'idempotency-key': 'k' }
      const got = await send(stage.gateway, PATH, chat('m', { stream: isStream }), { headers })
      assert.equal(got.headers['countersign-repeated'], undefined)
    }
    assert.equal(upstream.bodies.length, 2)
  })
}
