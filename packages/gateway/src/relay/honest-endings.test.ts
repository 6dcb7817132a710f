import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiKeysPath } from '../access/api-key-file.ts'
import { ApiKeyStore } from '../access/api-keys.ts'
import { DEFAULT_TARGET } from '../config/config.ts'
import { Gateway } from '../gateway.ts'
import { chat, commitmentWith, send, startRelay, statementOf } from './relay.testing.ts'
import { eventually } from './settled.testing.ts'

const PATH = '/v1/chat/completions'
const STREAM = { 'content-type': 'text/event-stream' }
const PRICES = [{ item: 'output-tokens', amountMicros: 2_000_000, currency: 'EUR', per: 1_000_000 }]

/** An upstream that answers each request as told; where it listens. */
async function answering(context: TestContext, answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => answer(response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const receiptOf = ({ headers }: { readonly headers: { readonly [name: string]: unknown } }) =>
  String(headers['countersign-receipt'])

test('what the gateway has no room for is its own failure, not the upstream’s', async (context) => {
  const body = Buffer.alloc(2 * 1024 * 1024, 0x20)
  const url = await answering(context, (response) => response.writeHead(200).end(body))
  const limits = { bytesInFlight: 1024 * 1024, bodyBytes: 1024 * 1024, heldBytes: 4 * 1024 * 1024 }
  const stage = await startRelay(context, { url, limits })
  const reply = await send(stage.gateway, PATH, chat('m'))
  assert.equal(reply.status, 503)
  const { finish, attempts, commitments } = await statementOf(stage, receiptOf(reply))
  assert.deepEqual(finish, { reason: 'error', by: 'gateway', code: 'queue/full' })
  assert.deepEqual(
    attempts.map(({ outcome, status, code }) => [outcome, status, code]),
    [['answered', 200, undefined]],
  )
  assert.ok(commitments['response-received'] !== undefined)
})

test('an answer that broke off before anything left is committed to as far as it came', async (context) => {
  const url = await answering(context, (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 900 }).write('{"partial":')
    setTimeout(() => response.socket?.destroy(), 50)
  })
  const stage = await startRelay(context, { url })
  const reply = await send(stage.gateway, PATH, chat('m'))
  const { finish, attempts, commitments } = await statementOf(stage, receiptOf(reply))
  assert.equal(finish.by, 'upstream')
  assert.equal(attempts[0]?.outcome, 'failed')
  assert.equal(commitments['response-received'], commitmentWith(reply, 'response-received', '{"partial":'))
  assert.equal(commitments['response-delivered'], commitmentWith(reply, 'response', reply.bytes))
})

test('a large answer that broke off: all that came, and what was released', async (context) => {
  const pieces = [1, 2, 3, 4].map((fill) => Buffer.alloc(40 * 1024, fill))
  const url = await answering(context, async (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 9_000_000 })
    for (const piece of pieces) {
      response.write(piece)
      await sleep(30)
    }
    response.socket?.destroy()
  })
  const stage = await startRelay(context, { url, limits: { heldBytes: 64 * 1024 } })
  const reply = await send(stage.gateway, PATH, chat('m'))
  const { finish, commitments } = await statementOf(stage, receiptOf(reply))
  assert.deepEqual([finish.reason, finish.by, finish.deliveredBytes], ['interrupted', 'upstream', reply.bytes.length])
  assert.ok(reply.bytes.length < 160 * 1024)
  assert.equal(commitments['response-received'], commitmentWith(reply, 'response-received', Buffer.concat(pieces)))
  assert.equal(commitments['response-delivered'], commitmentWith(reply, 'response', reply.bytes))
})

test('attempts stand in the order in which they began, each with its own end', async (context) => {
  const url = await answering(context, (response) => response.writeHead(503).end('{"error":{"message":"x"}}'))
  const dead = await answering(context, (response) => response.socket?.destroy())
  const stage = await startRelay(context, {
    url,
    extra: [{ name: 'second', kind: 'openai', baseUrl: `${dead}/v1` }],
    deployment: {
      route: [
        { upstream: 'openai', ...DEFAULT_TARGET, rank: 0 },
        { upstream: 'second', ...DEFAULT_TARGET, rank: 1 },
      ],
    },
  })
  const reply = await send(stage.gateway, PATH, chat('m'))
  assert.equal(reply.status, 503)
  const { attempts } = await statementOf(stage, receiptOf(reply))
  const [first, ...others] = attempts
  assert.deepEqual([first?.upstream, first?.status, first?.outcome], ['openai', 503, 'failed'])
  assert.ok(others.length > 0 && others.every(({ upstream }) => upstream === 'second'))
  for (let i = 1; i < attempts.length; i++) {
    assert.ok(Number(attempts[i - 1]?.endedAtMs) <= Number(attempts[i]?.startedAtMs), `attempt ${i} began too early`)
  }
})

test('parameters are those that were sent', async (context) => {
  const changes = [
    { op: 'set' as const, path: '/max_tokens', value: 100 },
    { op: 'set' as const, path: '/temperature', value: 0 },
  ]
  const stage = await startRelay(context, { deployment: { changes } })
  const reply = await send(stage.gateway, PATH, chat('mock-small', { max_tokens: 1, temperature: 2, seed: 7 }))
  const { parameters } = await statementOf(stage, receiptOf(reply))
  assert.deepEqual(parameters, { temperature: '0', seed: '7', maxTokens: 100 })
})

test('an answer that was admitted gets its statement, however far the clock steps back meanwhile', async (context) => {
  let begun = () => {}
  let goOn = () => {}
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const mayGoOn = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const url = await answering(context, async (response) => {
    response.writeHead(200, STREAM).write('data: {"id":"x","model":"m","choices":[]}\n\n')
    begun()
    await mayGoOn
    response.end('data: [DONE]\n\n')
  })
  const stage = await startRelay(context, { url, config: { access: 'keys' }, deployment: { prices: PRICES } })
  const store = new ApiKeyStore(apiKeysPath(stage.gateway.dataRoot))
  const monthlyBudget = { amountMicros: 1e9, currency: 'EUR' }
  const { key, token } = store.create({ name: 'k', deployments: 'all', rights: ['infer'], monthlyBudget }, Date.now())
  store.close()
  await stage.stop()
  let stepMs = 0
  const notices = { info: () => undefined, error: () => undefined }
  const gateway = await Gateway.start({ config: stage.gateway.config, notices, now: () => Date.now() + stepMs })
  try {
    const headers = { authorization: `Bearer ${token}` }
    const underWay = send(gateway, PATH, chat('m', { stream: true }), { headers })
    await isBegun
    stepMs = -10_000
    goOn()
    const reply = await underWay
    assert.match(reply.bytes.toString(), /countersign-promise[\s\S]*\[DONE\]/)
    const { observations, price, startedAtMs, endedAtMs } = await statementOf({ gateway }, receiptOf(reply))
    assert.deepEqual(observations, ['clock-clamped'])
    assert.ok(endedAtMs >= startedAtMs)
    assert.equal(price[0]?.item, 'estimate')
    await eventually(() => gateway.recording.journal.inUse === 0, 'slots of the journal are free')
    // What begins while the clock is wrong is refused.
    assert.equal((await send(gateway, PATH, chat('m'), { headers })).status, 503)
    stepMs = 0
    const balance = gateway.access.budgets.balance(key, Date.now())
    assert.equal(balance?.spentMicros, price[0]?.amountMicros)
  } finally {
    await gateway.close()
  }
})
