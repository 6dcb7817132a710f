/** What goes in comes out: requests, answers and streams pass byte for byte, and the statement commits to those bytes. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_LIMITS } from '../config/config.ts'
import { cut } from '../dialects/properties.testing.ts'
import {
  commitmentWith,
  type Raw,
  type RelayStage,
  send,
  startRelay,
  statementOf,
  withoutPromise,
} from './relay.testing.ts'
import { startScripted } from './scripted-upstream.testing.ts'
import { assertSettled } from './settled.testing.ts'
import { objectText, streamText } from './wire-texts.testing.ts'

/** `COUNTERSIGN_SEED` overrides it, to look further. */
const SEED = Number(process.env.COUNTERSIGN_SEED ?? 20_261_121)
/** Longest time for one property; what is left of its runs is dropped. */
const MAX_PROPERTY_MS = 8000

async function check<T>(context: TestContext, runs: number, what: fc.Arbitrary<T>, holds: (each: T) => Promise<void>) {
  context.diagnostic(`seed ${SEED}, ${runs} runs`)
  const limits = { interruptAfterTimeLimit: MAX_PROPERTY_MS, markInterruptAsFailure: false }
  await fc.assert(fc.asyncProperty(what, holds), { seed: SEED, numRuns: runs, ...limits })
}

const MODELS = [
  'small',
  'echo',
  'drip',
  'stream-40',
  'refusal',
  'incomplete',
  'no-usage',
  'renamed',
  'trailers',
  'close',
]

/** A request of one of the APIs: its path, its model, whether it asks for a stream, and its body. */
const requests = fc
  .tuple(
    fc.constantFrom(...MODELS.map((name) => `mock-${name}`)),
    fc.boolean(),
    fc.constantFrom('/v1/chat/completions', '/v1/messages', '/v1/responses', '/v1/embeddings'),
  )
  .chain(([model, isStream, path]) => {
    const question = '"Was hei\\u00dft das? 🙂"'
    const body = objectText({
      model: JSON.stringify(model),
      ...(isStream ? { stream: 'true' } : {}),
      ...(path === '/v1/chat/completions' || path === '/v1/messages'
        ? { messages: `[{"content":${question}, "role":"user"}]`, max_tokens: '1000' }
        : { input: question }),
    })
    return fc.record({ path: fc.constant(path), isStream: fc.constant(isStream && path !== '/v1/embeddings'), body })
  })

test('any request of any API, answered by the mock', async (context) => {
  const stage = await startRelay(context)
  const receipts: string[] = []
  await check(context, 120, requests, async ({ path, isStream, body }) => {
    const got = await send(stage.gateway, path, body)
    assert.equal(got.status, 200, got.bytes.toString())
    const request = stage.upstream.requests.at(-1)
    assert.deepEqual(request?.body, Buffer.from(body))
    const delivered = delivery(got, isStream)
    assert.deepEqual(delivered, request?.answer.body)
    await assertCommitted(stage, got, body, delivered)
    receipts.push(String(got.headers['countersign-receipt']))
  })
  await assertSettled(stage, receipts)
})

test('any stream in any pieces', async (context) => {
  const upstream = await startScripted(context)
  const stage = await startRelay(context, { url: upstream.url })
  const cases = fc.tuple(streamText, fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }))
  const body = '{"model":"any","stream":true}'
  await check(context, 150, cases, async ([{ bytes, terminalAt }, sizes]) => {
    upstream.play({ status: 200, contentType: 'text/event-stream', pieces: cut(bytes, sizes) })
    const got = await send(stage.gateway, '/v1/chat/completions', body)
    assert.ok(got.isComplete)
    assert.deepEqual(delivery(got, true), bytes)
    assert.equal(got.bytes.indexOf(': countersign-promise'), terminalAt)
    await assertCommitted(stage, got, body, bytes)
  })
  await assertSettled(stage, [])
})

test('any bytes of any status, with the headers that came', async (context) => {
  const upstream = await startScripted(context)
  const stage = await startRelay(context, {
    url: upstream.url,
    deployment: { retries: { attempts: 1, totalMs: 1000 } },
  })
  const cases = fc.record({
    status: fc.constantFrom(200, 201, 400, 404, 418, 422, 429, 500, 503),
    contentType: fc.constantFrom('application/json', 'text/plain; charset=utf-8', 'application/octet-stream'),
    bytes: fc.uint8Array({ maxLength: 3000 }),
    sizes: fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 4 }),
    header: fc.stringMatching(/^[!-~]{1,40}$/),
  })
  const body = '{"model":"any"}'
  await check(context, 100, cases, async ({ status, contentType, bytes, sizes, header }) => {
    upstream.play({ status, contentType, pieces: cut(bytes, sizes), headers: { 'x-any': header } })
    const got = await send(stage.gateway, '/v1/chat/completions', body)
    assert.deepEqual([got.status, got.headers['content-type'], got.headers['x-any']], [status, contentType, header])
    assert.deepEqual(delivery(got, false), Buffer.from(bytes))
    await assertCommitted(stage, got, body, bytes)
  })
  await assertSettled(stage, [])
})

test('an answer that is too large to be held passes too, to the byte at the limit', async (context) => {
  const upstream = await startScripted(context)
  const heldBytes = 64 * 1024
  const stage = await startRelay(context, { url: upstream.url, config: { limits: { ...DEFAULT_LIMITS, heldBytes } } })
  const body = '{"model":"any"}'
  for (const length of [heldBytes - 1, heldBytes, heldBytes + 1, 5 * heldBytes + 7]) {
    const bytes = Buffer.alloc(length, 'abcdefg')
    upstream.play({ status: 200, contentType: 'application/json', pieces: cut(bytes, [10_000]) })
    const got = await send(stage.gateway, '/v1/chat/completions', body)
    assert.ok(got.isComplete)
    assert.equal(got.bytes.equals(bytes), true)
    assert.equal(got.headers['countersign-promise'] === undefined, length > heldBytes)
    await assertCommitted(stage, got, body, bytes)
  }
  await assertSettled(stage, [])
})

test('what a deployment changes is all that is changed, and is committed to', async (context) => {
  const upstream = await startScripted(context)
  const deployment = { changes: [{ op: 'set', path: '/store', value: false } as const] }
  const stage = await startRelay(context, { url: upstream.url, deployment })
  upstream.play({ status: 200, contentType: 'application/json', pieces: [Buffer.from('{}')] })
  await check(context, 40, objectText({ model: '"any"', store: 'true' }), async (body) => {
    const got = await send(stage.gateway, '/v1/responses', body)
    const sent = upstream.bodies.at(-1) ?? Buffer.of()
    assert.equal(sent.toString(), body.replace(/("(?:s|\\u0073)(?:t)(?:o)(?:r|\\u0072)(?:e)"\s*:\s*)true/, '$1false'))
    const { commitments, observations } = await statementOf(stage, String(got.headers['countersign-receipt']))
    assert.equal(commitments['request-received'], commitmentWith(got, 'request', body))
    assert.equal(commitments['request-sent'], commitmentWith(got, 'request-sent', sent))
    assert.ok(observations.includes('request-changed'))
  })
})

test('the checks see a byte that is not as it was', async (context) => {
  const stage = await startRelay(context)
  const body = '{"model":"mock-small","messages":[],"stream":true}'
  const got = await send(stage.gateway, '/v1/chat/completions', body)
  const delivered = delivery(got, true)
  await assertCommitted(stage, got, body, delivered)
  await assert.rejects(assertCommitted(stage, got, `${body} `, delivered), assert.AssertionError)
  await assert.rejects(assertCommitted(stage, got, body, delivered.subarray(1)), assert.AssertionError)
  assert.throws(() => delivery({ ...got, bytes: Buffer.concat([got.bytes, got.bytes]) }, true), assert.AssertionError)
})

/** The answer's bytes, without the one comment that a stream has more. */
function delivery(got: Raw, isStream: boolean): Buffer {
  const { bytes, promises } = withoutPromise(got.bytes)
  assert.equal(promises.length, isStream ? 1 : 0)
  return bytes
}

async function assertCommitted(stage: RelayStage, got: Raw, body: string, delivered: Uint8Array): Promise<void> {
  const { commitments } = await statementOf(stage, String(got.headers['countersign-receipt']))
  const request = commitmentWith(got, 'request', body)
  const response = commitmentWith(got, 'response', delivered)
  assert.deepEqual(commitments, {
    'request-received': request,
    'request-sent': request,
    'response-received': response,
    'response-delivered': response,
  })
}
