import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DEFAULT_TIMEOUTS } from '../config/config.ts'
import { ANTHROPIC_MESSAGES } from '../dialects/anthropic-messages.ts'
import { type MockUpstream, startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { createHttpUpstream } from './http-upstream.ts'
import { assertFails, configFor, headerOf, PLANTED_KEY, requestFor, textOf, withUpstream } from './upstreams.testing.ts'

let mock: MockUpstream

before(async () => {
  mock = await startMockUpstream()
})

after(() => mock.close())

/** The last request that reached the mock. */
function last() {
  const request = mock.requests.at(-1)
  assert.ok(request !== undefined)
  return { path: request.path, headers: request.rawHeaders, body: request.body }
}

function sentValues(name: string): readonly string[] {
  const { headers } = last()
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name)
}

test('hands on body, status and headers, and asks for no encoding', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    assert.deepEqual([upstream.name, upstream.kind, upstream.origin], ['tested', 'openai', mock.url])
    const request = requestFor({
      headers: [
        ['content-type', 'application/json'],
        ['accept-encoding', 'gzip'],
      ],
    })
    const answer = await upstream.send(request)
    const text = await textOf(answer)
    assert.equal(answer.status, 200)
    assert.equal(JSON.parse(text).model, 'mock-small')
    assert.equal(headerOf(answer.headers, 'content-type'), 'application/json')
    assert.equal(headerOf(answer.headers, 'content-length'), String(Buffer.byteLength(text)))
    assert.equal(headerOf(answer.headers, 'connection'), undefined)
    assert.equal(answer.requestId, headerOf(answer.headers, 'x-request-id'))
    assert.ok(answer.requestId !== undefined)
    assert.deepEqual([answer.observations, answer.shown], [[], undefined])
    assert.equal(last().path, '/v1/chat/completions')
    assert.deepEqual(Buffer.from(last().body), request.body)
    assert.deepEqual(sentValues('accept-encoding'), ['identity'])
    assert.deepEqual(sentValues('authorization'), [`Bearer ${PLANTED_KEY}`])
  }))

test('streams as it comes', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    const answer = await upstream.send(requestFor({ body: { model: 'mock-held', messages: [], stream: true } }))
    const pieces: string[] = []
    for await (const piece of answer.body) {
      pieces.push(String(piece))
      mock.release()
    }
    assert.ok(pieces.length > 1)
    assert.ok(pieces.join('').endsWith('data: [DONE]\n\n'))
  }))

test('GET and DELETE have no body', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    const models = await upstream.send(requestFor({ method: 'GET', path: '/v1/models' }))
    assert.equal(JSON.parse(await textOf(models)).object, 'list')
    const gone = await upstream.send({
      ...requestFor({ method: 'DELETE', path: '/v1/responses/none' }),
      body: undefined,
    })
    assert.equal(gone.status, 404)
    await textOf(gone)
    assert.equal(last().body.length, 0)
  }))

test('connections are kept', async () => {
  const before = mock.connections
  await withUpstream(configFor(mock.url), async (upstream) => {
    for (let i = 0; i < 20; i++) await textOf(await upstream.send(requestFor()))
  })
  // A connection is free again a moment after its answer, so that a request at once takes another one.
  assert.ok(mock.connections - before <= 2)
})

test('a client’s credential goes on where that is meant, and nowhere else', async () => {
  const headers = [
    ['authorization', 'Bearer client-key'],
    ['x-api-key', 'client-key'],
    ['api-key', 'client-key'],
  ] as const
  for (const [credential, expected] of [
    [{ secret: PLANTED_KEY }, [`Bearer ${PLANTED_KEY}`]],
    ['none', []],
    ['client', ['Bearer client-key', 'client-key', 'client-key']],
  ] as const) {
    await withUpstream(configFor(mock.url, { credential }), async (upstream) => {
      await textOf(await upstream.send(requestFor({ headers })))
      const sent = ['authorization', 'x-api-key', 'api-key'].flatMap(sentValues)
      assert.deepEqual(sent, expected)
    })
  }
})

test('each kind has its credential’s header; another can be named, with query and headers', async () => {
  const anthropic = { kind: 'anthropic', baseUrl: mock.url } as const
  await withUpstream(configFor(mock.url, anthropic), async (upstream) => {
    const body = { model: 'mock-small', max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] }
    const request = { ...requestFor({ path: ANTHROPIC_MESSAGES.path, body }), dialect: ANTHROPIC_MESSAGES }
    assert.equal((await upstream.send(request)).status, 200)
    assert.deepEqual(sentValues('x-api-key'), [PLANTED_KEY])
    assert.deepEqual(sentValues('authorization'), [])
  })
  const azure = {
    credentialHeader: 'api-key',
    query: [['api-version', '2026-01-01']],
    headers: [['x-static', 'gateway']],
  } as const
  await withUpstream(configFor(mock.url, azure), async (upstream) => {
    const headers = [
      ['x-static', 'client'],
      ['api-key', 'client'],
      ['x-own', 'kept'],
    ] as const
    await textOf(await upstream.send(requestFor({ headers })))
    assert.equal(last().path, '/v1/chat/completions?api-version=2026-01-01')
    assert.deepEqual(['api-key', 'x-static', 'x-own'].flatMap(sentValues), [PLANTED_KEY, 'gateway', 'kept'])
  })
})

test('a 4xx is an answer like any other; so is a 5xx', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    for (const status of [400, 401, 404, 429, 500, 503]) {
      const answer = await upstream.send(requestFor({ model: `mock-status-${status}` }))
      assert.equal(answer.status, status)
      assert.ok('error' in JSON.parse(await textOf(answer)))
    }
  }))

test('more than may be under way are refused at once', () =>
  withUpstream(configFor(mock.url, { concurrency: 2 }), async (upstream) => {
    const held = () => upstream.send(requestFor({ body: { model: 'mock-held', messages: [], stream: true } }))
    const [first, second] = await Promise.all([held(), held()])
    await assertFails(upstream.send(requestFor()), 'upstream/busy', /tested: 2 requests/)
    mock.release()
    await Promise.all([textOf(first), textOf(second)])
    assert.equal((await upstream.send(requestFor())).status, 200)
  }))

test('the circuit opens after failures, and closes after a trial', async () => {
  let nowMs = 0
  const run = async (upstream: ReturnType<typeof createHttpUpstream>) => {
    const send = async (model: string) => textOf(await upstream.send(requestFor({ model })))
    await send('mock-status-500')
    await send('mock-status-429')
    await send('mock-status-503')
    await send('mock-status-503')
    const seen = mock.requests.length
    await assertFails(send('mock-small'), 'upstream/busy', /left alone/)
    assert.equal(mock.requests.length, seen, 'nothing was sent')
    nowMs = 1000
    const trial = await upstream.send(requestFor({ body: { model: 'mock-held', messages: [], stream: true } }))
    await send('mock-small')
    trial.body.destroy()
  }
  await withUpstream(configFor(mock.url, { breaker: { failures: 2, openMs: 1000 } }), run, () => nowMs)
})

test('a trial that nobody waited for leaves its place to another', async () => {
  let nowMs = 0
  const run = async (upstream: ReturnType<typeof createHttpUpstream>) => {
    await textOf(await upstream.send(requestFor({ model: 'mock-status-500' })))
    await assertFails(upstream.send(requestFor()), 'upstream/busy')
    nowMs = 1000
    const signal = AbortSignal.timeout(50)
    await assert.rejects(upstream.send(requestFor({ model: 'mock-hang', signal })), { name: 'TimeoutError' })
    await textOf(await upstream.send(requestFor()))
  }
  await withUpstream(configFor(mock.url, { breaker: { failures: 1, openMs: 1000 } }), run, () => nowMs)
})

test('a bad configuration is refused, without its credential', () => {
  for (const baseUrl of [
    '',
    'ftp://a.invalid',
    'https://user:key@a.invalid',
    'https://a.invalid/?key=1',
    'https://a/#b',
  ]) {
    assert.throws(() => createHttpUpstream(configFor('', { baseUrl })), { code: 'config/malformed' })
  }
  const secret = `${PLANTED_KEY}\r\nx: y`
  assert.throws(
    () => createHttpUpstream(configFor(mock.url, { credential: { secret } })),
    (error: Error) => error.message.includes(PLANTED_KEY) === false && /credential/.test(error.message),
  )
})

test('a path that is not its own is refused before anything is sent', () =>
  withUpstream(configFor(mock.url, { timeouts: DEFAULT_TIMEOUTS }), async (upstream) => {
    const seen = mock.requests.length
    await assertFails(upstream.send(requestFor({ path: '/v1/../secrets' })), 'request/not-found')
    await assertFails(upstream.send(requestFor({ path: '/v1/a b' })), 'request/malformed')
    assert.equal(mock.requests.length, seen)
  }))
