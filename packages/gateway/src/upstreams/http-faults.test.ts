import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type MockUpstream, startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { createHttpUpstream } from './http-upstream.ts'
import type { Upstream } from './upstream.ts'
import { assertFails, configFor, headerOf, PLANTED_KEY, requestFor, textOf, withUpstream } from './upstreams.testing.ts'

const BREAKER = { failures: 1_000_000, openMs: 1000 }

let mock: MockUpstream
let upstream: Upstream

before(async () => {
  mock = await startMockUpstream()
  const timeouts = { connectMs: 1000, firstByteMs: 300, idleMs: 300 }
  upstream = createHttpUpstream(configFor(mock.url, { timeouts, breaker: BREAKER }))
})

after(async () => {
  await upstream.close()
  await mock.close()
})

function ask(model: string, stream = false) {
  return upstream.send(requestFor({ body: { model, messages: [{ role: 'user', content: 'hello' }], stream } }))
}

async function read(model: string, stream = false): Promise<string> {
  return textOf(await ask(model, stream))
}

for (const stream of [false, true]) {
  const what = stream ? 'a stream' : 'a whole answer'

  test(`${what}: never begins`, () => assertFails(ask('mock-hang', stream), 'upstream/timeout', /begin.*300 ms/))

  test(`${what}: goes silent`, () =>
    assertFails(read('mock-hang-mid-stream', stream), 'upstream/timeout', /paused.*300 ms/))

  test(`${what}: is reset before it begins, and midway`, async () => {
    await assertFails(ask('mock-reset-before', stream), 'upstream/reset', /without an answer/)
    await assertFails(read('mock-reset-mid-stream', stream), 'upstream/reset', /before its announced end/)
  })

  test(`${what}: is shorter or longer than announced`, async () => {
    for (const close of ['', '+close']) await assertFails(read(`mock-short-body${close}`, stream), 'upstream/reset')
    await assertFails(read('mock-long-body', stream), 'upstream/malformed', /longer than it announced/)
  })

  test(`${what}: is no HTTP, or has huge headers`, async () => {
    await assertFails(ask('mock-garbage-http', stream), 'upstream/malformed', /not HTTP/)
    await assertFails(ask('mock-huge-headers', stream), 'upstream/malformed', /headers/)
  })

  test(`${what}: is decoded, and it is said`, async () => {
    const plain = await read('mock-small', stream)
    const answer = await ask('mock-small+gzip', stream)
    assert.deepEqual(answer.observations, ['upstream-encoding-decoded'])
    for (const name of ['content-encoding', 'content-length']) assert.equal(headerOf(answer.headers, name), undefined)
    const without = /"id":"[^"]*"|"model":"[^"]*"|"(prompt|total)_tokens":\d+/g
    assert.equal((await textOf(answer)).replace(without, ''), plain.replace(without, ''))
  })

  test(`${what}: is a bomb`, async () => {
    const heldBefore = process.memoryUsage().rss
    await assertFails(read('mock-gzip-bomb', stream), 'upstream/too-large')
    assert.ok(process.memoryUsage().rss - heldBefore < 256 * 1024 * 1024)
  })

  test(`${what}: forges headers`, async () => {
    const answer = await ask('mock-forges', stream)
    assert.deepEqual(answer.observations, ['upstream-headers-stripped'])
    assert.equal(
      answer.headers.some(([name]) => name.startsWith('countersign-')),
      false,
    )
    await textOf(answer)
  })

  test(`${what}: starts slowly, drips, has trailers, closes`, async () => {
    for (const model of ['mock-slow-start-100ms', 'mock-drip', 'mock-trailers', 'mock-close']) {
      assert.match(await read(model, stream), stream ? /^data: \[DONE\]/m : /Hello from the mock/, model)
    }
  })
}

test('a reader who is slow is no upstream that is', async () => {
  const answer = await ask('mock-huge-frame')
  let bytes = 0
  for await (const chunk of answer.body) {
    if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 1500))
    bytes += chunk.length
  }
  assert.ok(bytes > 40e6)
})

test('after every fault it goes on', async () => {
  assert.equal((await ask('mock-small')).status, 200)
})

interface RawServer {
  readonly url: string
  close(): Promise<void>
}

/** Says the same to whoever asks, and closes the connection where that is said. */
async function startRaw(reply: string, end = false): Promise<RawServer> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => (end ? socket.end(reply, 'latin1') : socket.write(reply, 'latin1')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

async function askRaw(reply: string, end = false): Promise<string> {
  const server = await startRaw(reply, end)
  try {
    return await withUpstream(configFor(server.url), async (raw) => {
      const answer = await raw.send(requestFor())
      assert.equal(JSON.stringify(answer.headers).includes(PLANTED_KEY), false)
      return await textOf(answer)
    })
  } finally {
    await server.close()
  }
}

const OK = 'HTTP/1.1 200 OK\r\n'

test('odd answers: those that are whole, and those that are not', async () => {
  assert.equal(await askRaw(`${OK}\r\nuntil the end`, true), 'until the end')
  assert.equal(await askRaw(`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}content-length: 2\r\n\r\nok`), 'ok')
  assert.equal(await askRaw(`${OK}content-encoding: identity\r\ncontent-length: 2\r\n\r\nok`), 'ok')
  assert.equal(await askRaw('HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\n\r\n'), '')
  for (const [reply, code] of [
    [`${OK}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`, 'upstream/malformed'],
    [`${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 'upstream/malformed'],
    [`${OK}content-encoding: zstd\r\ncontent-length: 5\r\n\r\nhello`, 'upstream/malformed'],
    [`${OK}transfer-encoding: chunked\r\n\r\nzz\r\nhello`, 'upstream/malformed'],
    [`${OK}content-length: 2\r\n\r\nok${OK}content-length: 6\r\n\r\nforged`, 'upstream/malformed'],
    [`${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)}${OK}content-length: 2\r\n\r\nok`, 'upstream/malformed'],
    ['HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', 'upstream/malformed'],
    ['HTTP/1.1 100 Continue\r\n\r\n', 'upstream/malformed'],
    [`${OK}${'a: b\r\n'.repeat(300)}content-length: 2\r\n\r\nok`, 'upstream/malformed'],
  ] as const) {
    await assertFails(askRaw(reply), code)
  }
  for (const head of [OK, `${OK}connection: close\r\n`]) {
    await assertFails(askRaw(`${head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`, true), 'upstream/reset')
    await assertFails(askRaw(`${head}content-length: 9\r\n\r\nhello`, true), 'upstream/reset')
  }
})

test('a key that the upstream sends back in a header goes no further', async () => {
  assert.equal(
    await askRaw(`${OK}x-debug: Bearer ${PLANTED_KEY}\r\nx-request-id: ${PLANTED_KEY}\r\ncontent-length: 2\r\n\r\nok`),
    'ok',
  )
})

test('nobody there: refused, without a name, not in time', async () => {
  const closed = await startRaw('')
  await closed.close()
  await withUpstream(configFor(closed.url), (none) =>
    assertFails(none.send(requestFor()), 'upstream/unreachable', /tested: no connection to it \(ECONNREFUSED\)/),
  )
  await withUpstream(configFor('http://nowhere.invalid'), (none) =>
    assertFails(none.send(requestFor()), 'upstream/unreachable'),
  )
})

test('nothing goes to one that is closed; what is under way ends', async () => {
  const closing = createHttpUpstream(configFor(mock.url))
  const hanging = closing.send(requestFor({ model: 'mock-hang' }))
  const failed = assertFails(hanging, 'upstream/unreachable')
  await closing.close()
  await failed
  await assertFails(closing.send(requestFor()), 'upstream/unreachable', /closed/)
})

test('a body may fail before anybody reads it', async () => {
  const answer = await ask('mock-long-body')
  for (let i = 0; i < 20; i++) await turn()
  await assertFails(textOf(answer), 'upstream/malformed')
})
