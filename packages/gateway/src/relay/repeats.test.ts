/** Answers that are given twice: from the cache, and to the same idempotency key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearer, call } from '../gateway.testing.ts'
import {
  chat,
  commitmentWith,
  type Raw,
  type RelayStage,
  send,
  startRelay,
  statementOf,
  withoutPromise,
} from './relay.testing.ts'

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

/** Erases the content of an answer; the status of the reply. */
async function erase({ gateway }: RelayStage, receipt: string): Promise<number> {
  return (await call(gateway, 'DELETE', `/receipts/${receipt}/content`, bearer(gateway.operatorToken))).status
}

for (const stream of [false, true]) {
  test(`cache: an erased ${stream ? 'stream' : 'answer'} is not given again, nor is one of which a repetition was erased`, async (context) => {
    const stage = await startRelay(context, { deployment: { cache: { maxAgeSeconds: 60 } } })
    const asked = () => stage.upstream.requests.length
    const ask = () => send(stage.gateway, PATH, chat('mock-small', { stream }))
    const other = chat('mock-small', { stream, seed: 1 })
    await send(stage.gateway, PATH, other)
    const first = await ask()
    assert.equal((await statementOf(stage, receiptOf(await ask()))).repeats, receiptOf(first))
    assert.equal(asked(), 2)
    assert.equal(await erase(stage, receiptOf(first)), 200)
    const second = await ask()
    assert.equal(asked(), 3, 'it is asked for anew')
    assert.equal((await statementOf(stage, receiptOf(second))).repeats, undefined)
    const repetition = await ask()
    assert.equal(asked(), 3)
    assert.equal(await erase(stage, receiptOf(repetition)), 200)
    const third = await ask()
    assert.equal(asked(), 4)
    assert.equal((await statementOf(stage, receiptOf(third))).repeats, undefined)
    await send(stage.gateway, PATH, other)
    assert.equal(asked(), 4, 'others stay')
  })
}

test('cache: an answer that is erased before it could be kept is not kept', async (context) => {
  const stage = await startRelay(context, { deployment: { cache: { maxAgeSeconds: 60 } } })
  const { log } = stage.gateway
  const append = log.append.bind(log)
  const erasures: number[] = []
  // The erasure is over when the one who asked learns that the statement is durable.
  log.append = async (draft, seal) => {
    const promised = await append(draft, seal)
    if (draft.kind === 'inference') erasures.push(await erase(stage, Buffer.from(draft.receipt).toString('hex')))
    return promised
  }
  await send(stage.gateway, PATH, chat('mock-small'))
  assert.deepEqual(erasures, [200])
  log.append = append
  await send(stage.gateway, PATH, chat('mock-small'))
  assert.equal(stage.upstream.requests.length, 2)
})

test('cache: what the vault keeps nothing of can be let go all the same', async (context) => {
  const stage = await startRelay(context, { deployment: { vault: 'none', cache: { maxAgeSeconds: 60 } } })
  const first = await send(stage.gateway, PATH, chat('mock-small'))
  assert.equal(await erase(stage, receiptOf(first)), 409)
  await send(stage.gateway, PATH, chat('mock-small'))
  assert.equal(stage.upstream.requests.length, 2)
})

test('cache: it has nothing of a data subject that could outlast the subject’s erasure', async (context) => {
  const stage = await startRelay(context, { deployment: { cache: { maxAgeSeconds: 60 } } })
  const subject = { 'countersign-subject': 'anna' }
  const ask = (headers = {}) => send(stage.gateway, PATH, chat('mock-small'), { headers })
  await ask(subject)
  const erased = await call(stage.gateway, 'DELETE', '/subjects', {
    ...bearer(stage.gateway.operatorToken),
    ...subject,
  })
  assert.equal(erased.text, '{"erased":1}')
  await ask(subject)
  await ask()
  assert.equal(stage.upstream.requests.length, 3)
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
