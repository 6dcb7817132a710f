/** Clients that read or write slowly, send one request behind another, or leave: they hold nothing, and cost little. */
import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { takeApart } from '../mock-upstream/wire.testing.ts'
import { connected, exchange, head, readToEnd, requestText, serverOf } from './raw-client.testing.ts'
import { chat, send, startRelay } from './relay.testing.ts'
import { assertSettled, eventually, recordedInferences } from './settled.testing.ts'

const CHAT = '/v1/chat/completions'
const MIB = 1024 * 1024
const STREAM_BYTES = 50 * MIB
const FRAME = Buffer.from(`data: {"choices":[{"index":0,"delta":{"content":"${'x'.repeat(64 * 1024)}"}}]}\n\n`)

/** The two connections may hold so much in the kernel; the gateway itself far less. */
const MAX_UNDER_WAY_BYTES = 24 * MIB
const MAX_MEMORY_BYTES = 16 * MIB

interface Flood {
  readonly url: string
  /** Bytes that were handed to the connection. */
  readonly written: () => number
  readonly isClosed: () => boolean
}

/** An upstream that streams as fast as it is read. */
async function startFlood(context: TestContext): Promise<Flood> {
  let written = 0
  let isClosed = false
  const flood = async (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    while (written < STREAM_BYTES && !isClosed) {
      written += FRAME.length
      if (!response.write(FRAME)) await drained(response)
    }
    response.end('data: [DONE]\n\n')
  }
  const server = createServer((request, response) => {
    request.resume()
    response.once('close', () => {
      isClosed = true
    })
    void flood(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, written: () => written, isClosed: () => isClosed }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

function memoryBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('a client that reads a byte per second: the upstream waits, and memory does not grow', async (context) => {
  const flood = await startFlood(context)
  const stage = await startRelay(context, { url: flood.url })
  const before = memoryBytes()
  const socket = await connected(stage.gateway)
  socket.pause()
  socket.write(requestText(CHAT, '{"model":"any","stream":true}'))
  const received: Buffer[] = []
  const timer = setInterval(() => {
    const byte = socket.read(1) as Buffer | null
    if (byte !== null) received.push(byte)
  }, 1000)
  await eventually(() => flood.written() > MIB, 'the stream begins')
  await eventually(isSteady(flood.written), 'the upstream is made to wait')
  assert.ok(flood.written() < MAX_UNDER_WAY_BYTES, `${flood.written()} bytes`)
  let most = 0
  for (let i = 0; i < 20; i++) {
    most = Math.max(most, memoryBytes() - before)
    await sleep(100)
  }
  assert.ok(most < MAX_MEMORY_BYTES, `${most} bytes`)
  assert.ok(received.length > 0)
  assert.equal(recordedInferences(stage.gateway).size, 0, 'it is still under way')
  clearInterval(timer)
  socket.destroy()
  await eventually(flood.isClosed, 'the upstream is told')
  await assertSettled(stage, [])
  const [inference] = recordedInferences(stage.gateway).values()
  assert.deepEqual([inference?.finish.reason, inference?.finish.by], ['interrupted', 'client'])
  assert.ok((inference?.finish.deliveredBytes ?? 0) <= flood.written())
})

/** Whether a number has not changed for a while. */
function isSteady(count: () => number): () => boolean {
  let last = -1
  let sinceMs = performance.now()
  return () => {
    if (count() !== last) sinceMs = performance.now()
    last = count()
    return performance.now() - sinceMs > 500
  }
}

test('the flood gets through when it is read: the measure would see it', async (context) => {
  const flood = await startFlood(context)
  const stage = await startRelay(context, { url: flood.url })
  const before = memoryBytes()
  const got = await send(stage.gateway, CHAT, '{"model":"any","stream":true}')
  assert.ok(got.bytes.length > STREAM_BYTES)
  assert.ok(memoryBytes() - before > MAX_MEMORY_BYTES)
  await assertSettled(stage, [String(got.headers['countersign-receipt'])])
})

test('a client that sends its request a byte at a time is cut off', async (context) => {
  const stage = await startRelay(context)
  const server = await serverOf(stage.gateway)
  assert.equal(server.requestTimeout, 30_000)
  assert.equal(server.headersTimeout, 10_000)
  Object.assign(server, { requestTimeout: 1000, headersTimeout: 1000 })
  const slowly = async (bytes: Buffer) => {
    const socket = await connected(stage.gateway)
    const ended = readToEnd(socket)
    let at = 0
    const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 100)
    const reply = await ended
    clearInterval(timer)
    assert.ok(at < bytes.length)
    return reply.toString()
  }
  const body = chat('mock-small')
  const started = connected(stage.gateway).then(async (socket) => {
    socket.write(head(CHAT, { 'content-length': body.length }))
    const ended = readToEnd(socket)
    const timer = setInterval(() => socket.write(' '), 100)
    const reply = await ended
    clearInterval(timer)
    return reply.toString()
  })
  const replies = await Promise.all([slowly(requestText(CHAT, body)), started])
  for (const reply of replies) assert.match(reply, /^HTTP\/1\.1 408 /)
  assert.equal(stage.upstream.requests.length, 0)
  await assertSettled(stage, [])
  assert.equal(recordedInferences(stage.gateway).size, 0)
})

test('a client may be quiet while the upstream thinks, but not while there is something to read', async (context) => {
  const flood = await startFlood(context)
  const stage = await startRelay(context)
  const flooded = await startRelay(context, { url: flood.url })
  for (const { gateway } of [stage, flooded]) {
    const server = await serverOf(gateway)
    assert.equal(server.timeout, 60_000)
    server.timeout = 300
  }
  const wire = requestText(CHAT, chat('mock-slow-start-1200ms'))
  const { statusLine, headers } = await exchange(stage.gateway, wire)
  assert.match(statusLine, / 200 /)
  await assertSettled(stage, [headers.get('countersign-receipt') ?? ''])

  const deaf = await connected(flooded.gateway)
  deaf.pause()
  deaf.write(requestText(CHAT, '{"model":"any","stream":true}'))
  await eventually(() => flood.written() > MIB, 'the stream begins')
  await eventually(flood.isClosed, 'the client is cut off')
  deaf.destroy()
  await assertSettled(flooded, [])
})

test('requests that come one behind another are answered in turn', async (context) => {
  const stage = await startRelay(context)
  const models = ['mock-slow-start-200ms', 'mock-small', 'mock-stream-300', 'mock-status-404', 'mock-small']
  const wire = models.map((model, i) => {
    const headers = i === models.length - 1 ? {} : { connection: 'keep-alive' }
    return requestText(CHAT, chat(model, { stream: i === 2 }), headers)
  })
  const socket = await connected(stage.gateway)
  socket.write(Buffer.concat([...wire]))
  const text = (await readToEnd(socket)).toString()
  assert.deepEqual(
    [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status),
    ['200', '200', '200', '404', '200'],
  )
  const receipts = [...text.matchAll(/countersign-receipt: (\w+)\r\n/g)].map(([, receipt]) => receipt ?? '')
  assert.deepEqual(
    receipts.map((receipt) => recordedInferences(stage.gateway).get(receipt)?.model.requested),
    models,
  )
  await assertSettled(stage, receipts)
})

test('a client that leaves requests behind one another behind: none of them is held for ever', async (context) => {
  const stage = await startRelay(context)
  const stream = requestText(CHAT, chat('mock-stream-5000', { stream: true }), { connection: 'keep-alive' })
  const hanging = requestText(CHAT, chat('mock-hang'), { connection: 'keep-alive' })
  const socket = await connected(stage.gateway)
  socket.write(Buffer.concat([hanging, stream, stream]))
  await eventually(() => stage.gateway.health().inFlight === 1, 'the first is under way, the others wait for it')
  socket.destroy()
  await assertSettled(stage, [])
  assert.ok(stage.upstream.requests.length <= 1)
})

test('a client that leaves before the first byte, at any moment', async (context) => {
  const stage = await startRelay(context)
  for (const model of ['mock-hang', 'mock-slow-start-100ms', 'mock-small', 'mock-held']) {
    for (const stream of [false, true]) {
      for (const afterMs of [0, 3, 50]) {
        const socket = await connected(stage.gateway)
        socket.write(requestText(CHAT, chat(model, { stream })))
        await sleep(afterMs)
        socket.resetAndDestroy()
      }
    }
  }
  await assertSettled(stage, [])
  for (const { finish } of recordedInferences(stage.gateway).values()) {
    assert.ok(finish.reason === 'stop' || finish.by === 'client', JSON.stringify(finish))
  }
  assert.match((await exchange(stage.gateway, requestText(CHAT, chat('mock-small')))).statusLine, / 200 /)
})

test('a connection on which nothing came does not hold up the end', async (context) => {
  const stage = await startRelay(context)
  const socket = await connected(stage.gateway)
  const startedMs = performance.now()
  await stage.stop()
  assert.ok(performance.now() - startedMs < 3000)
  assert.equal((await readToEnd(socket)).length, 0)
})

test('a body that ends early leaves no trace', async (context) => {
  const stage = await startRelay(context)
  const socket = await connected(stage.gateway)
  socket.end(requestText(CHAT, chat('mock-small')).subarray(0, -5))
  const { body } = takeApart({ bytes: await readToEnd(socket), end: 'closed' })
  assert.equal(body.toString().includes('countersign'), false)
  await assertSettled(stage, [])
  assert.equal(recordedInferences(stage.gateway).size, 0)
})

/** A chunk of one byte, as the client cut it. */
const CRUMB = '1\r\n \r\n'
const CRUMBS = 256 * 1024
/** Lists of so many pieces took ten times as much. */
const MAX_CRUMB_BYTES = 40 * MIB

test('a body in pieces of one byte takes hardly more memory than it has bytes', async (context) => {
  const { gateway } = await startRelay(context)
  const isHeld = async () => {
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    return metrics.includes(`countersign_bytes_in_flight ${CRUMBS}\n`)
  }
  const heapBytes = () => process.memoryUsage().heapUsed
  const before = heapBytes()
  const socket = await connected(gateway)
  socket.write(head(CHAT, { 'transfer-encoding': 'chunked' }))
  socket.write(CRUMB.repeat(CRUMBS))
  while (!(await isHeld())) await sleep(20)
  assert.ok(heapBytes() - before < MAX_CRUMB_BYTES, `${Math.round((heapBytes() - before) / MIB)} MiB`)
  socket.destroy()
})
