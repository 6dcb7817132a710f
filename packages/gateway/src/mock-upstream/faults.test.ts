import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { startMockUpstream } from './mock-upstream.testing.ts'
import { requestOverWire, takeApart } from './wire.testing.ts'

const upstream = await startMockUpstream()
after(() => upstream.close())

const CHAT = '/v1/chat/completions'
const messages = [{ role: 'user', content: 'Hello' }]
/** Silence after which a server that does not close the connection is taken for one that hangs. */
const QUIET_MS = 1000
const PATIENT_MS = 10_000
const ask = (model: string, stream = false) =>
  requestOverWire(upstream.port, CHAT, { model: `${model}+close`, messages, stream }, PATIENT_MS)
const askHanging = (model: string, stream: boolean) =>
  requestOverWire(upstream.port, CHAT, { model, messages, stream }, QUIET_MS)
const last = () => {
  const request = upstream.requests.at(-1)
  assert.ok(request)
  return request
}

for (const stream of [false, true]) {
  const what = stream ? 'streamed' : 'whole'

  test(`${what}: hangs before the headers, and midway`, async () => {
    const before = await askHanging('mock-hang', stream)
    assert.deepEqual([before.bytes.length, before.end], [0, 'quiet'])
    assert.equal(await last().answer.ended, 'client-left', 'the mock sees the client leave')
    const midway = await askHanging('mock-hang-mid-stream', stream)
    assert.equal(midway.end, 'quiet')
    assert.ok(takeApart(midway).body.length > 20)
    assert.deepEqual(takeApart(midway).body, last().answer.body)
  })

  test(`${what}: resets before the headers, and midway`, async () => {
    const before = await ask('mock-reset-before', stream)
    assert.deepEqual([before.bytes.length, before.end], [0, 'reset'])
    const midway = await ask('mock-reset-mid-stream', stream)
    assert.equal(midway.end, 'reset')
    assert.match(takeApart(midway).statusLine, / 200 /)
    assert.ok(takeApart(midway).body.length > 20)
    assert.equal(last().answer.outcome, 'reset')
  })

  test(`${what}: lies about its length`, async () => {
    const short = await ask('mock-short-body', stream)
    assert.equal(short.end, 'closed')
    const { headers, body } = takeApart(short)
    assert.equal(Number(headers.get('content-length')) - body.length, 7)
    const long = takeApart(await ask('mock-long-body', stream))
    assert.equal(long.body.length - Number(long.headers.get('content-length')), 7)
  })

  test(`${what}: sends a huge frame, huge headers, no HTTP, gzip, trailers, forgeries`, async () => {
    const huge = takeApart(await ask('mock-huge-frame', stream)).body
    assert.ok(huge.length > 40e6)
    assert.equal(huge.includes('\n\n'), false)
    assert.equal(takeApart(await ask('mock-huge-headers', stream)).headers.get('x-huge')?.length, 65_536)
    const raw = await ask('mock-garbage-http', stream)
    assert.deepEqual([raw.bytes.toString(), raw.end], ['NOT HTTP AT ALL\r\n\r\n', 'closed'])
    const gzip = takeApart(await ask('mock-gzip', stream))
    assert.equal(gzip.headers.get('content-encoding'), 'gzip')
    assert.match(gunzipSync(gzip.body).toString(), /chat\.completion/)
    assert.match((await ask('mock-trailers', stream)).bytes.toString(), /\r\n0\r\nx-mock-trailer: after the body\r\n/)
    const forged = takeApart(await ask('mock-forges', stream))
    assert.equal(forged.headers.get('countersign-promise'), 'forged')
    const comments = forged.body.toString().match(/^: ?countersign-\w+ forged$/gm) ?? []
    assert.equal(comments.length, stream ? 3 : 0)
    if (stream) assert.ok(forged.body.toString().endsWith(': countersign-promise forged\n\ndata: [DONE]\n\n'))
  })
}

test('a whole body of no JSON; an error in 200', async () => {
  const garbage = takeApart(await ask('mock-garbage-sse'))
  assert.throws(() => JSON.parse(garbage.body.toString()))
  for (const stream of [false, true]) {
    const inside = takeApart(await ask('mock-error-in-200', stream))
    assert.match(inside.statusLine, / 200 /)
    assert.equal(JSON.parse(inside.body.toString()).error.type, 'server_error')
  }
})

test('a stream of garbage, one with an error inside, one that simply ends', async () => {
  const [plain, garbage, failed, undone] = await Promise.all(
    ['small', 'garbage-sse', 'error-in-stream', 'no-done'].map(async (name) =>
      takeApart(await ask(`mock-${name}`, true)),
    ),
  )
  const text = plain?.body.toString() ?? ''
  assert.ok(text.endsWith('data: [DONE]\n\n'))
  assert.match(garbage?.body.toString('latin1') ?? '', /no colon at all\n\n/)
  assert.notDeepEqual(Buffer.from(garbage?.body.toString('utf8') ?? ''), garbage?.body, 'not even UTF-8')
  assert.match(failed?.body.toString() ?? '', /data: \{"error":\{[^\n]*"server_error"[^\n]*\n\n$/)
  assert.equal(undone?.body.toString().includes('[DONE]'), false)
  assert.ok(undone?.body.toString().includes('"finish_reason":"stop"'))
  assert.equal(undone?.headers.get('transfer-encoding'), 'chunked')
})

test('a gzip bomb is small on the wire and large behind it', async () => {
  const { body } = takeApart(await ask('mock-gzip-bomb'))
  assert.ok(body.length < 2e6)
  assert.equal(body.length % 64, 0, 'of 64 equal members')
  const member = body.subarray(0, body.length / 64)
  assert.deepEqual(body.subarray(-member.length), member)
  assert.equal(gunzipSync(member).length * 64, 1024 ** 3)
})

test('drips byte by byte, with CRLF', async () => {
  const { body, chunkSizes } = takeApart(await ask('mock-drip', true))
  assert.ok(chunkSizes.length > 1000)
  assert.ok(chunkSizes.every((size) => size === 1))
  const text = body.toString()
  assert.match(text, /日本語/)
  assert.equal(text.replaceAll('\r\n', '').includes('\n'), false)
  assert.ok(text.endsWith('data: [DONE]\r\n\r\n'))
})

test('waits before the start, and after each delta', async () => {
  const timed = async (model: string) => {
    const startMs = performance.now()
    await ask(model, true)
    return performance.now() - startMs
  }
  const plainMs = await timed('mock-stream-5')
  assert.ok((await timed('mock-slow-start-200ms')) - plainMs > 150)
  assert.ok((await timed('mock-stream-5+paced-50ms')) - plainMs > 300)
})

test('fails as often as it says, then answers, until it is reset', async () => {
  const statuses = async () => {
    const lines: string[] = []
    for (let i = 0; i < 4; i++) lines.push(takeApart(await ask('mock-flaky-2')).statusLine.slice(9, 12))
    return lines
  }
  assert.deepEqual(await statuses(), ['503', '503', '200', '200'])
  assert.deepEqual(await statuses(), ['200', '200', '200', '200'])
  upstream.reset()
  assert.deepEqual(await statuses(), ['503', '503', '200', '200'])
})
