/** Metadata and readiness of models on another server. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DEFAULT_TARGET, DEFAULT_TIMEOUTS } from '../config/config.ts'
import { call, codeIn } from '../gateway.testing.ts'
import { makeKey } from '../relay/money.testing.ts'
import { type RelayChanges, type RelayStage, startRelay } from '../relay/relay.testing.ts'
import { startScripted } from '../relay/scripted-upstream.testing.ts'
import { assertSettled } from '../relay/settled.testing.ts'
import { MAX_MODEL_INFO_BYTES } from './far-model.ts'

/** A gateway whose model `far` is called `mock-small+forges` where it runs. */
function startFar(context: TestContext, changes: RelayChanges = {}): Promise<RelayStage> {
  const target = { ...DEFAULT_TARGET, upstream: 'kserve', model: 'mock-small+forges' }
  const deployment = { route: [target], answersTo: ['far', 'far-*'], ...changes.deployment }
  return startRelay(context, { kserve: true, ...changes, deployment })
}

function entriesOf({ gateway }: RelayStage): unknown {
  return gateway.log.database.prepare('SELECT count(*) FROM entries').pluck().get()
}

test('what is asked of a model goes to the server that runs it, and leaves no statement', async (context) => {
  const stage = await startFar(context)
  const entries = entriesOf(stage)
  for (const rest of ['', '/ready']) {
    const got = await call(stage.gateway, 'GET', `/v2/models/far${rest}?key=x`, {
      'countersign-nonce': 'n',
      'x-mine': '1',
    })
    assert.equal(got.status, 200, got.text)
    const asked = stage.upstream.requests.at(-1)
    assert.deepEqual(Buffer.from(got.bytes), asked?.answer.body)
    assert.equal(asked?.path, `/v2/models/mock-small%2Bforges${rest}`, 'by their name of it, and without the query')
    assert.deepEqual([asked?.header('x-mine'), asked?.header('countersign-nonce')], ['1', undefined])
    const forged = Object.keys(asked?.answer.headers ?? {}).filter((name) => name.startsWith('countersign-'))
    assert.notDeepEqual(forged, [], 'the upstream forges headers of ours')
    assert.deepEqual(
      [...got.headers.keys()].filter((name) => name.startsWith('countersign-')),
      [],
    )
    const head = await call(stage.gateway, 'HEAD', `/v2/models/far${rest}`)
    assert.deepEqual([head.status, head.text], [200, ''])
  }
  assert.equal(entriesOf(stage), entries)
  await assertSettled(stage, [])
})

test('the gateway’s own models are its own to tell of; for others there is nothing', async (context) => {
  const stage = await startFar(context, {
    others: [{ name: 'chat', answersTo: ['chat'], route: [{ ...DEFAULT_TARGET, upstream: 'openai' }] }],
  })
  const own = await call(stage.gateway, 'GET', '/v2/models/sum')
  assert.equal((JSON.parse(own.text) as { platform: string }).platform.slice(0, 5), 'onnx_')
  for (const path of ['/v2/models/chat', '/v2/models/chat/ready', '/v2/models/nobody']) {
    const got = await call(stage.gateway, 'GET', path)
    assert.deepEqual([got.status, codeIn(got)], [404, 'model/not-found'], path)
  }
  assert.equal((await call(stage.gateway, 'GET', '/v2/models/far/versions/1')).status, 404)
  assert.equal((await call(stage.gateway, 'DELETE', '/v2/models/far')).status, 404)
  assert.equal(stage.upstream.requests.length, 0)
})

test('the model’s own name goes on where the route has no other, and leads nowhere else', async (context) => {
  const target = { ...DEFAULT_TARGET, upstream: 'kserve' }
  const stage = await startFar(context, { deployment: { route: [target], answersTo: ['*'] } })
  assert.equal((await call(stage.gateway, 'GET', '/v2/models/mock-small/ready')).status, 200)
  assert.equal(stage.upstream.requests.at(-1)?.path, '/v2/models/mock-small/ready')
  for (const name of ['a%2F..%2Fb', '%2e%2e%2Fx', 'a%3Fb']) {
    await call(stage.gateway, 'GET', `/v2/models/${name}`)
    assert.ok(!(stage.upstream.requests.at(-1)?.path ?? '').includes('/../'), name)
  }
})

test('who needs a key for answers needs it for this', async (context) => {
  const stage = await startFar(context, { config: { access: 'keys' } })
  const holder = makeKey(stage)
  const other = makeKey(stage, { deployments: ['sum'] })
  const bare = await call(stage.gateway, 'GET', '/v2/models/far')
  assert.deepEqual([bare.status, codeIn(bare)], [401, 'auth/missing'])
  assert.equal((await call(stage.gateway, 'GET', '/v2/models/far', other.headers)).status, 403)
  assert.equal(stage.upstream.requests.length, 0)
  assert.equal((await call(stage.gateway, 'GET', '/v2/models/far', holder.headers)).status, 200)
  assert.ok(!JSON.stringify(stage.upstream.requests[0]?.rawHeaders).includes('csk_'))
})

test('where one place fails the next is asked; when all fail, the last says so', async (context) => {
  const dead = { name: 'dead', kind: 'kserve' as const, baseUrl: 'http://127.0.0.1:1' }
  const at = (upstream: string, rank: number, model: string) => ({ ...DEFAULT_TARGET, upstream, rank, model })
  const route = [at('dead', 0, 'm'), at('kserve', 1, 'mock-status-503'), at('kserve', 2, 'mock-small')]
  const stage = await startFar(context, {
    extra: [dead],
    deployment: { route },
    others: [
      { name: 'all-dead', answersTo: ['all-dead'], route: [at('dead', 0, 'm')] },
      { name: 'busy', answersTo: ['busy'], route: [at('dead', 0, 'm'), at('kserve', 1, 'mock-status-503')] },
    ],
  })
  assert.equal((await call(stage.gateway, 'GET', '/v2/models/far/ready')).status, 200)
  const gone = await call(stage.gateway, 'GET', '/v2/models/all-dead/ready')
  assert.deepEqual([gone.status, codeIn(gone)], [502, 'upstream/unreachable'])
  assert.equal((await call(stage.gateway, 'GET', '/v2/models/busy/ready')).status, 503, 'the upstream’s own word')
  await assertSettled(stage, [])
})

test('an answer beyond the limit, or none in time, is an error', async (context) => {
  const upstream = await startScripted(context)
  const timeouts = { ...DEFAULT_TIMEOUTS, firstByteMs: 300 }
  const slow = { name: 'slow', kind: 'kserve' as const, baseUrl: '', timeouts }
  const far = await startFar(context, { url: upstream.url })
  const say = (length: number) =>
    upstream.play({ status: 200, contentType: 'application/json', pieces: [Buffer.alloc(length, 0x20)] })
  say(MAX_MODEL_INFO_BYTES)
  assert.equal((await call(far.gateway, 'GET', '/v2/models/far')).bytes.length, MAX_MODEL_INFO_BYTES)
  say(MAX_MODEL_INFO_BYTES + 1)
  const large = await call(far.gateway, 'GET', '/v2/models/far')
  assert.deepEqual([large.status, codeIn(large)], [502, 'upstream/too-large'])
  await assertSettled(far, [])
  const hanging = await startFar(context, {
    extra: [{ ...slow, baseUrl: far.upstream.url }],
    deployment: { route: [{ ...DEFAULT_TARGET, upstream: 'slow', model: 'mock-hang' }] },
  })
  const late = await call(hanging.gateway, 'GET', '/v2/models/far/ready')
  assert.deepEqual([late.status, codeIn(late)], [504, 'upstream/timeout'])
  await assertSettled(hanging, [])
})
