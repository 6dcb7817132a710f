/** Tries of one request: again at the same place, at another, and what is delivered when none is any good. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { chat, type RelayChanges, send, startRelay, statementOf } from './relay.testing.ts'

const PATH = '/v1/chat/completions'

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A first place where nobody is, then the mock. */
async function withFallback(): Promise<RelayChanges> {
  const route = [
    { upstream: 'dead', model: 'mock-echo', weight: 1, rank: 0 },
    { upstream: 'openai', weight: 1, rank: 1 },
  ]
  return {
    extra: [{ name: 'dead', kind: 'openai', baseUrl: `http://127.0.0.1:${await deadPort()}/v1` }],
    deployment: { route },
  }
}

test('where the first place cannot be reached the next one answers, and the statement says both', async (context) => {
  const stage = await startRelay(context, await withFallback())
  const got = await send(stage.gateway, PATH, chat('mock-small'))
  assert.equal(got.status, 200, got.bytes.toString())
  const statement = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.deepEqual(
    statement.attempts.map(({ upstream, outcome, code, model }) => [upstream, outcome, code, model]),
    [
      ['dead', 'failed', 'upstream/unreachable', 'mock-echo'],
      ['openai', 'answered', undefined, 'mock-small'],
    ],
  )
  assert.equal(statement.commitments['request-patch'], undefined, 'what was delivered came of the client’s own bytes')
})

test('a place that recovers is tried again', async (context) => {
  const stage = await startRelay(context)
  const got = await send(stage.gateway, PATH, chat('mock-flaky-2'))
  assert.equal(got.status, 200, got.bytes.toString())
  const { attempts } = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.deepEqual(
    attempts.map(({ status }) => status),
    [503, 503, 200],
  )
})

test('when every try fails, what the upstream really said is delivered', async (context) => {
  const stage = await startRelay(context, await withFallback())
  const got = await send(stage.gateway, PATH, chat('mock-status-503'))
  assert.equal(got.status, 503)
  assert.deepEqual(got.bytes, Buffer.from(stage.upstream.requests.at(-1)?.answer?.body ?? []))
  const { attempts, finish } = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.equal(finish.reason, 'error')
  assert.ok(attempts.length >= 2 && attempts.length <= 3)
})

test('a deployment’s changes reach the upstream, are committed to, and show', async (context) => {
  const changes = [
    { op: 'set-default' as const, path: '/temperature', value: 0.25 },
    { op: 'set' as const, path: '/user', value: 'somebody' },
  ]
  const route = [{ upstream: 'openai', model: 'mock-echo', weight: 1, rank: 0 }]
  const stage = await startRelay(context, { deployment: { changes, route, answersTo: ['assistant'] } })
  const body = chat('assistant', { temperature: 1, seed: 5 })
  const got = await send(stage.gateway, PATH, body)
  assert.equal(got.status, 200, got.bytes.toString())
  const sent = JSON.parse(Buffer.from(stage.upstream.requests[0]?.body ?? []).toString())
  assert.deepEqual([sent.model, sent.temperature, sent.user, sent.seed], ['mock-echo', 1, 'somebody', 5])
  const statement = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.ok(statement.commitments['request-patch'] !== undefined)
  assert.notEqual(statement.commitments['request-sent'], statement.commitments['request-received'])
  assert.deepEqual(statement.observations, ['request-changed'])
})
