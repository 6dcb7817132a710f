import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chat, commitmentWith, send, startRelay, statementOf, withoutPromise } from './relay.testing.ts'

test('an answer passes byte for byte, with its record behind it', async (context) => {
  const stage = await startRelay(context)
  const body = `  ${chat('mock-small', { seed: 1, temperature: 0.5 }).replace('"seed":1', '"seed": 9007199254740993')}\n`
  const got = await send(stage.gateway, '/v1/chat/completions', body, { headers: { 'countersign-nonce': 'n-1' } })
  assert.equal(got.status, 200, got.bytes.toString())
  const [request] = stage.upstream.requests
  assert.deepEqual(Buffer.from(request?.body ?? []), Buffer.from(body))
  assert.deepEqual(got.bytes, Buffer.from(request?.answer?.body ?? []))
  const receipt = String(got.headers['countersign-receipt'])
  assert.match(String(got.headers['countersign-promise']), /^[A-Za-z0-9+/=]+$/)
  const statement = await statementOf(stage, receipt)
  assert.equal(statement.commitments['request-received'], commitmentWith(got, 'request', body))
  assert.equal(statement.commitments['request-sent'], commitmentWith(got, 'request', body))
  assert.equal(statement.commitments['response-delivered'], commitmentWith(got, 'response', got.bytes))
  assert.equal(statement.nonce, 'n-1')
  assert.equal(statement.parameters.seed, '9007199254740993')
  assert.equal(statement.finish.reason, 'stop')
  assert.equal(statement.model.digestSource, 'unknown')
  assert.ok(statement.usage !== 'unknown' && (statement.usage.inputTokens ?? 0) > 0)
  assert.equal(statement.attempts.length, 1)
  assert.equal(statement.attempts[0]?.upstream, 'openai')
  assert.ok(statement.attempts[0]?.requestId)
})

test('a stream passes byte for byte, plus one comment before its terminal frame', async (context) => {
  const stage = await startRelay(context)
  const got = await send(stage.gateway, '/v1/chat/completions', chat('mock-small', { stream: true }))
  assert.equal(got.status, 200)
  assert.ok(got.isComplete)
  const { bytes, promises } = withoutPromise(got.bytes)
  assert.equal(promises.length, 1)
  assert.deepEqual(bytes, Buffer.from(stage.upstream.requests[0]?.answer?.body ?? []))
  assert.match(got.bytes.toString(), /: countersign-promise [A-Za-z0-9+/=]+\n\ndata: \[DONE\]\n\n$/)
  const statement = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.equal(statement.commitments['response-delivered'], commitmentWith(got, 'response', bytes))
  assert.equal(statement.commitments['response-received'], commitmentWith(got, 'response', bytes))
  assert.equal(statement.finish.reason, 'stop')
})
