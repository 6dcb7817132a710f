/** Answers that are given twice: from the cache, and to the same idempotency key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chat, commitmentWith, type Raw, send, startRelay, statementOf, withoutPromise } from './relay.testing.ts'

const PATH = '/v1/chat/completions'

function receiptOf({ headers }: Raw): string {
  return String(headers['countersign-receipt'])
}

function withKey(key: string) {
  return { headers: { 'idempotency-key': key } }
}

for (const stream of [false, true]) {
  const how = stream ? 'a stream' : 'an answer'
  test(`cache: ${how} to the same request is given again, under a receipt of its own that says so`, async (context) => {
    const stage = await startRelay(context, { deployment: { cache: { maxAgeSeconds: 60 } } })
    const body = chat('mock-small', { stream })
    const first = await send(stage.gateway, PATH, body)
    const again = await send(stage.gateway, PATH, body)
    const other = await send(stage.gateway, PATH, `${body} `)
    assert.equal(stage.upstream.requests.length, 2, 'other bytes are another request')
    assert.deepEqual(withoutPromise(again.bytes).bytes, withoutPromise(first.bytes).bytes)
    assert.notEqual(receiptOf(again), receiptOf(first))
    const statement = await statementOf(stage, receiptOf(again))
    assert.deepEqual(statement.observations, ['cache-hit'])
    assert.equal(statement.repeats, receiptOf(first))
    assert.deepEqual(statement.attempts, [])
    assert.deepEqual(statement.price, [])
    assert.equal(statement.commitments['request-sent'], undefined)
    assert.equal(
      statement.commitments['response-delivered'],
      commitmentWith(again, 'response', withoutPromise(again.bytes).bytes),
    )
    assert.equal((await statementOf(stage, receiptOf(other))).repeats, undefined)
  })
}

test('cache: errors and old answers are not given again; without the setting nothing is', async (context) => {
  const stage = await startRelay(context, { deployment: { cache: { maxAgeSeconds: 0 } } })
  for (const model of ['mock-status-401', 'mock-error-in-200']) {
    await send(stage.gateway, PATH, chat(model))
    await send(stage.gateway, PATH, chat(model))
  }
  await send(stage.gateway, PATH, chat('mock-small'))
  await new Promise((resolve) => setTimeout(resolve, 20))
  await send(stage.gateway, PATH, chat('mock-small'))
  assert.equal(stage.upstream.requests.length, 6)
  const plain = await startRelay(context)
  await send(plain.gateway, PATH, chat('mock-small'))
  await send(plain.gateway, PATH, chat('mock-small'))
  assert.equal(plain.upstream.requests.length, 2)
})

test('Idempotency-Key: the same request gets the same answer and receipt, also after a restart', async (context) => {
  const stage = await startRelay(context)
  const first = await send(stage.gateway, PATH, chat('mock-small'), withKey('order-1'))
  const again = await send(stage.gateway, PATH, chat('mock-small'), withKey('order-1'))
  assert.equal(stage.upstream.requests.length, 1)
  assert.deepEqual(again.bytes, first.bytes)
  for (const name of ['receipt', 'secret', 'salts', 'promise']) {
    assert.equal(again.headers[`countersign-${name}`], first.headers[`countersign-${name}`], name)
  }
  assert.equal(again.headers['content-type'], first.headers['content-type'])
  assert.equal(again.headers['countersign-repeated'], 'true')
  const another = await send(stage.gateway, PATH, chat('mock-small'), withKey('order-2'))
  assert.notEqual(receiptOf(another), receiptOf(first))
})

test('Idempotency-Key: another body is refused with the receipt of the first', async (context) => {
  const stage = await startRelay(context)
  const first = await send(stage.gateway, PATH, chat('mock-small'), withKey('k'))
  const refused = await send(stage.gateway, PATH, chat('mock-echo'), withKey('k'))
  assert.equal(refused.status, 422)
  assert.match(refused.bytes.toString(), new RegExp(`request/key-reused|${receiptOf(first)}`))
  assert.equal(stage.upstream.requests.length, 1)
})

test('Idempotency-Key: where the vault keeps no content, 409 names the receipt', async (context) => {
  const stage = await startRelay(context, { deployment: { vault: 'salts' } })
  const first = await send(stage.gateway, PATH, chat('mock-small'), withKey('k'))
  const refused = await send(stage.gateway, PATH, chat('mock-small'), withKey('k'))
  assert.equal(refused.status, 409)
  assert.ok(refused.bytes.toString().includes(receiptOf(first)))
  assert.ok(refused.bytes.toString().includes('vault/no-content'))
})

test('Idempotency-Key: of two at once one waits; a failure may be tried again', async (context) => {
  const stage = await startRelay(context, { deployment: { retries: { attempts: 1, totalMs: 1000 } } })
  const [a, b] = await Promise.all([
    send(stage.gateway, PATH, chat('mock-slow-start-300ms'), withKey('k')),
    send(stage.gateway, PATH, chat('mock-slow-start-300ms'), withKey('k')),
  ])
  assert.deepEqual([a.status, b.status].sort(), [200, 409])
  const failed = await send(stage.gateway, PATH, chat('mock-status-503'), withKey('f'))
  const retried = await send(stage.gateway, PATH, chat('mock-status-503'), withKey('f'))
  assert.equal(failed.status, 503)
  assert.notEqual(receiptOf(retried), receiptOf(failed))
})
