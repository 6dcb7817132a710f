/** What keys may spend holds whatever clients ask and upstreams say. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { dayOf } from '../access/budgets.ts'
import { readSpend } from '../access/usage.ts'
import { dataFolderAt } from '../data/data-folder.ts'
import { infer, startGateway } from '../gateway.testing.ts'
import { arithmeticRequest } from '../model.testing.ts'
import { openDatabase } from '../store/database.ts'
import { answer, balanceOf, makeKey, PRICES, RICH, SILENT_STREAM, startPriced } from './money.testing.ts'
import { chat, type Raw, send, startRelay, statementOf } from './relay.testing.ts'

const PATH = '/v1/chat/completions'
const PER_REQUEST = [{ item: 'request', amountMicros: 1_000_000, currency: 'EUR' }]

function statusesOf(replies: readonly Raw[]): readonly number[] {
  return replies.map(({ status }) => status).sort()
}

test('usage that cannot be true is unknown for money and rates, and keeps no gateway from its next start', async (context) => {
  const { stage, upstream } = await startPriced(context)
  const holder = makeKey(stage, { ...RICH, tokensPerMinute: 100_000 })
  upstream.play(answer({ prompt_tokens: 10, completion_tokens: 900_000_000 }))
  const got = await send(stage.gateway, PATH, chat('m', { max_tokens: 10 }), holder)
  const { price } = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.deepEqual(
    price.map(({ item }) => item),
    ['estimate'],
  )
  assert.ok((balanceOf(stage, holder.key)?.spentMicros ?? 0) < 2000)
  const again = await send(stage.gateway, PATH, chat('m', { max_tokens: 10 }), holder)
  assert.equal(again.status, 200, 'no debt of tokens that nobody made')
  const [row] = readSpend(stage.gateway.log.database)
  assert.deepEqual([row?.inputTokens, row?.outputTokens, row?.unknownUsage], [0, 0, 2])
  const { config } = stage.gateway
  await stage.stop()
  const database = openDatabase(dataFolderAt(stage.gateway.dataRoot).database)
  const insert = database.prepare(`INSERT INTO spend VALUES (?, 'a', ?, 'EUR', 9007199254740991, 1, 0, 0, 0)`)
  insert.run(holder.key.id, dayOf(Date.now()))
  database.close()
  const { gateway: next } = await startGateway(context, config)
  assert.equal((await send(next, PATH, chat('m'), holder)).status, 429, 'nothing is left of the budget')
})

test('own tensor models count in rate, budget and books', async (context) => {
  const stage = await startRelay(context, { config: { access: 'keys', priceMicros: 1000 } })
  const rows = arithmeticRequest([1, 2, 3, 4], [5, 6, 7, 8])
  const poor = makeKey(stage, { monthlyBudget: { amountMicros: 5000, currency: 'EUR' } })
  const replies: number[] = []
  for (let i = 0; i < 4; i++) replies.push((await infer(stage.gateway, rows, poor.headers)).status)
  assert.deepEqual(replies, [200, 200, 429, 429])
  assert.deepEqual(balanceOf(stage, poor.key), { spentMicros: 4000, reservedMicros: 0 })
  const [row] = [...readSpend(stage.gateway.log.database)].filter(({ keyId }) => keyId === poor.key.id)
  assert.deepEqual([row?.deployment, row?.amountMicros, row?.requests, row?.unknownUsage], ['sum', 4000, 2, 0])
  const slow = makeKey(stage, { requestsPerMinute: 1 })
  assert.equal((await infer(stage.gateway, rows, slow.headers)).status, 200)
  const limited = await infer(stage.gateway, rows, slow.headers)
  assert.equal(limited.status, 429)
  assert.match(limited.text, /rate\/limited/)
  assert.ok(Number(limited.headers.get('retry-after')) > 30)
  const foreign = makeKey(stage, { monthlyBudget: { amountMicros: 5000, currency: 'USD' } })
  assert.equal((await infer(stage.gateway, rows, foreign.headers)).status, 403)
})

test('a price per request is set aside, and charged where usage is unknown', async (context) => {
  const { stage, upstream } = await startPriced(context, { deployment: { prices: PER_REQUEST } })
  const holder = makeKey(stage, { monthlyBudget: { amountMicros: 2_000_000, currency: 'EUR' } })
  upstream.play(SILENT_STREAM)
  const body = chat('m', { stream: true })
  const replies = await Promise.all(Array.from({ length: 6 }, () => send(stage.gateway, PATH, body, holder)))
  assert.deepEqual(statusesOf(replies), [200, 200, 429, 429, 429, 429])
  assert.deepEqual(balanceOf(stage, holder.key), { spentMicros: 2_000_000, reservedMicros: 0 })
  const [first] = replies.filter(({ status }) => status === 200)
  const { price } = await statementOf(stage, String(first?.headers['countersign-receipt']))
  assert.deepEqual(
    price.map(({ item, amountMicros }) => [item, amountMicros]),
    [['request', 1_000_000]],
  )
})

test('beside an estimate the price of the request stands apart', async (context) => {
  const { stage, upstream } = await startPriced(context, { deployment: { prices: [...PER_REQUEST, ...PRICES] } })
  upstream.play(answer(undefined))
  const got = await send(stage.gateway, PATH, chat('m'), makeKey(stage, RICH))
  const { price } = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.deepEqual(
    price.map(({ item }) => item),
    ['request', 'estimate'],
  )
})

test('tokens that nobody counted stay counted; what failed for the upstream’s part gives them back', async (context) => {
  const { stage, upstream } = await startPriced(context, {
    deployment: { retries: { attempts: 1, totalMs: 1000 } },
  })
  const body = chat('m', { stream: true })
  const silent = makeKey(stage, { tokensPerMinute: 8000 })
  upstream.play(SILENT_STREAM)
  const replies: Raw[] = []
  for (let i = 0; i < 4; i++) replies.push(await send(stage.gateway, PATH, body, silent))
  assert.deepEqual(statusesOf(replies), [200, 429, 429, 429])
  const unlucky = makeKey(stage, { tokensPerMinute: 8000 })
  upstream.play({ ...answer(undefined), status: 503 })
  for (let i = 0; i < 3; i++) assert.equal((await send(stage.gateway, PATH, chat('m'), unlucky)).status, 503)
  upstream.play(answer({ prompt_tokens: 1, completion_tokens: 1 }))
  const repeated = { headers: { ...unlucky.headers, 'idempotency-key': 'k' } }
  for (let i = 0; i < 4; i++) assert.equal((await send(stage.gateway, PATH, chat('m'), repeated)).status, 200)
  const chosen = makeKey(stage, { tokensPerMinute: 8000 })
  upstream.play(SILENT_STREAM)
  // Half of it is gone, and comes back in half a minute.
  assert.equal((await send(stage.gateway, PATH, chat('m', { stream: true, max_tokens: 4000 }), chosen)).status, 200)
  upstream.play(answer({ prompt_tokens: 1, completion_tokens: 1 }))
  const many = await send(stage.gateway, PATH, chat('m', { max_tokens: 75, n: 100 }), chosen)
  assert.equal(many.status, 429, 'each choice may be as long')
  assert.equal((await send(stage.gateway, PATH, chat('m', { max_tokens: 75 }), chosen)).status, 200)
})

for (const [what, path, body] of [
  ['a list of prompts', '/v1/completions', { prompt: Array(1000).fill('a'), max_tokens: 4000 }],
  ['a list of lists of tokens', '/v1/completions', { prompt: Array(1000).fill([1]), max_tokens: 4000 }],
  ['the larger of two limits', PATH, { max_completion_tokens: 1, max_tokens: 100_000 }],
  ['a limit with an exponent', PATH, { raw: '"max_tokens":1e5' }],
  ['a limit in quotes', PATH, { max_tokens: '100000' }],
  ['choices with a fraction', PATH, { raw: '"max_tokens":100,"n":1000.0' }],
  ['a limit of another name, which the server ignores', PATH, { n_predict: 1, n: 20 }],
] as const) {
  test(`estimated in full: ${what}`, async (context) => {
    const { stage, upstream } = await startPriced(context)
    const holder = makeKey(stage, { monthlyBudget: { amountMicros: 20_000, currency: 'EUR' } })
    const text = 'raw' in body ? `{"model":"m","messages":[],${body.raw}}` : JSON.stringify({ model: 'm', ...body })
    assert.equal((await send(stage.gateway, path, text, holder)).status, 429)
    assert.equal(upstream.bodies.length, 0)
    upstream.play(answer({ prompt_tokens: 1, completion_tokens: 1 }))
    const tokens = JSON.stringify({ model: 'm', prompt: [1, 2, 3], max_tokens: 4000 })
    assert.equal(
      (await send(stage.gateway, '/v1/completions', tokens, holder)).status,
      200,
      'a list of tokens is one prompt',
    )
  })
}

test('estimated by what is sent: the deployment’s own limit counts', async (context) => {
  const { stage, upstream } = await startPriced(context, {
    deployment: { changes: [{ op: 'set', path: '/max_tokens', value: 100_000 }] },
  })
  const holder = makeKey(stage, { monthlyBudget: { amountMicros: 20_000, currency: 'EUR' } })
  assert.equal((await send(stage.gateway, PATH, chat('m', { max_tokens: 1 }), holder)).status, 429)
  assert.equal(upstream.bodies.length, 0)
})

test('an answer that broke off, or that we could not take, is not free; one that says it failed is', async (context) => {
  const url = await startBreaking(context)
  const { stage } = await startPriced(context, { url })
  const holder = makeKey(stage, RICH)
  await send(stage.gateway, PATH, chat('m'), holder)
  const broken = balanceOf(stage, holder.key)?.spentMicros ?? 0
  assert.ok(broken > 8192, 'what was set aside stands')
  const { stage: full, upstream } = await startPriced(context, {
    limits: { bytesInFlight: 1024 * 1024, heldBytes: 4 * 1024 * 1024, bodyBytes: 1024 * 1024 },
  })
  const other = makeKey(full, RICH)
  const pieces = Array.from({ length: 30 }, () => Buffer.alloc(64 * 1024, 0x20))
  upstream.play({ status: 200, contentType: 'application/json', pieces })
  assert.notEqual((await send(full.gateway, PATH, chat('m'), other)).status, 200)
  const spent = balanceOf(full, other.key)?.spentMicros ?? 0
  assert.ok(spent > 8192, String(spent))
  upstream.play(answer(undefined, { error: { message: 'no' } }))
  await send(full.gateway, PATH, chat('m'), other)
  upstream.play({ ...answer(undefined), status: 400 })
  await send(full.gateway, PATH, chat('m'), other)
  assert.deepEqual(balanceOf(full, other.key), { spentMicros: spent, reservedMicros: 0 })
})

/** An upstream whose answers break off. */
async function startBreaking(context: TestContext): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '900' })
    response.write('{"partial":', () => setTimeout(() => response.destroy(), 20))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('no count, however it is written, takes a key out of its rate', async (context) => {
  const stage = await startRelay(context, { config: { access: 'keys' } })
  for (const counts of ['"max_tokens":0,"n":1e999', '"max_tokens":"0","best_of":"Infinity"', '"max_tokens":-1e999']) {
    // One answer takes all of it, and a minute passes before it is there again.
    const { headers } = makeKey(stage, { tokensPerMinute: 20 })
    const ask = async (body: string) => (await send(stage.gateway, PATH, body, { headers })).status
    await ask(`{"model":"mock-small","messages":[{"role":"user","content":"x"}],${counts}}`)
    await ask(chat('mock-small'))
    assert.equal(await ask(chat('mock-small')), 429, counts)
  }
})
