import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { emptyFacts } from '../dialects/answer-facts.ts'
import type { Gateway } from '../gateway.ts'
import { MAX_WAITING } from '../http/client-connection.ts'
import type { AdmittedRequest } from './admitted-request.ts'
import { type CachedAnswer, createAnswerCache, MAX_CACHE_BYTES } from './answer-cache.ts'
import { connected, head, requestText } from './raw-client.testing.ts'
import { chat, send, startRelay } from './relay.testing.ts'
import { eventually } from './settled.testing.ts'

const PATH = '/v1/chat/completions'
const MIB = 1024 * 1024

async function bytesInFlight({ url }: Gateway): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^countersign_bytes_in_flight(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? Number.NaN)
}

async function untilBytes(gateway: Gateway, holds: (bytes: number) => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (holds(await bytesInFlight(gateway))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail(`bytes in flight stay at ${await bytesInFlight(gateway)}`)
}

test('bodies count while they arrive, and go when they are refused or their client leaves', async (context) => {
  const { gateway } = await startRelay(context, { limits: { bytesInFlight: 4 * MIB, bodyBytes: 2 * MIB } })
  const sockets = []
  for (let i = 0; i < 4; i++) {
    const socket = await connected(gateway)
    socket.write(head(PATH, { 'content-length': 2 * MIB }))
    socket.write(Buffer.alloc(1.5 * MIB, 0x20))
    sockets.push(socket)
  }
  await untilBytes(gateway, (bytes) => bytes > 2 * MIB && bytes <= 4 * MIB)
  const refusals = sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve)))
  assert.match(String(await Promise.race(refusals)), /^HTTP\/1\.1 503 [\s\S]*queue\/full/)
  for (const socket of sockets) socket.destroy()
  await untilBytes(gateway, (bytes) => bytes === 0)
  assert.equal((await send(gateway, PATH, chat('mock-small'))).status, 200)
})

test('frames that are not whole count, and end the stream when there is no room', async (context) => {
  const url = await neverEnding(context, Buffer.from(`data: ${'x'.repeat(3 * MIB)}`))
  // A frame's buffer grows in steps that the sizes of its chunks decide, but never beyond the greatest frame: there is room for one.
  const limits = { bytesInFlight: 4 * MIB, bodyBytes: MIB, streamFrameBytes: 3.5 * MIB }
  const { gateway } = await startRelay(context, { url, limits })
  const first = await connected(gateway)
  first.resume().write(requestText(PATH, chat('m', { stream: true })))
  // All of the first has come: what comes from now on is the second's. Else the first could be the one that finds no room.
  await untilBytes(gateway, (bytes) => bytes >= 3 * MIB)
  const second = await send(gateway, PATH, chat('m', { stream: true }))
  assert.match(second.bytes.toString(), /queue\/full/)
  first.destroy()
  await untilBytes(gateway, (bytes) => bytes === 0)
})

/** An upstream whose streams begin with `start` and then say nothing more. */
async function neverEnding(context: TestContext, start: Uint8Array): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(start)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('requests behind a slow one take no place; too many of them are refused', async (context) => {
  const { gateway } = await startRelay(context, { limits: { inFlight: 8 } })
  const socket = await connected(gateway)
  const pipelined = (model: string) => {
    return requestText(PATH, chat(model)).toString().replace('connection: close\r\n', '')
  }
  socket.write(pipelined('mock-hang'))
  for (let i = 0; i < MAX_WAITING + 20; i++) socket.write(pipelined('mock-small'))
  await eventually(() => gateway.health().inFlight === 1, 'one request is under way')
  assert.equal((await send(gateway, PATH, chat('mock-small'))).status, 200)
  assert.equal(gateway.health().inFlight, 1)
  socket.destroy()
  await eventually(() => gateway.health().inFlight === 0, 'nothing is under way')
})

const NEVER_ERASED = () => false

function request(id: number, maxAgeSeconds = 60): AdmittedRequest {
  const parts = {
    deployment: { cache: { maxAgeSeconds }, statement: 's' },
    dialect: { name: 'd' },
    facts: { model: 'm' },
  }
  return { ...parts, body: Buffer.from(String(id)) } as unknown as AdmittedRequest
}

function answer(atMs: number, headers: CachedAnswer['headers'] = []): CachedAnswer {
  const parts = { receipt: 'r', upstream: {}, model: 'm', status: 200, body: new Uint8Array(0), facts: emptyFacts() }
  return { ...parts, headers, atMs } as unknown as CachedAnswer
}

test('an answer in the cache counts with its headers, also when its body is empty', () => {
  const cache = createAnswerCache(NEVER_ERASED)
  const headers = [['x-long', 'v'.repeat(32 * 1024)]] as const
  const most = Math.floor(MAX_CACHE_BYTES / (32 * 1024))
  for (let i = 0; i < most; i++) cache.keep(request(i), answer(0, headers))
  assert.equal(cache.find(request(0), 0), undefined)
  assert.ok(cache.find(request(most - 1), 0) !== undefined)
  const small = createAnswerCache(NEVER_ERASED)
  for (let i = 0; i < 40_000; i++) small.keep(request(i), answer(0))
  assert.equal(small.find(request(0), 0), undefined)
  assert.ok(small.find(request(39_999), 0) !== undefined)
})

test('answers that are too old go without being asked for', () => {
  const cache = createAnswerCache(NEVER_ERASED)
  cache.keep(request(1, 1), answer(1_000_000))
  cache.keep(request(2, 3600), answer(1_000_000))
  cache.find(request(3), 1_100_000)
  // At the time of its making it would still be young enough: it is not there any more.
  assert.equal(cache.find(request(1, 1), 1_000_000), undefined)
  assert.ok(cache.find(request(2, 3600), 1_100_000) !== undefined)
})

test('what is let go of in the cache makes room', () => {
  const cache = createAnswerCache(NEVER_ERASED)
  const headers = [['x-long', 'v'.repeat(MAX_CACHE_BYTES / 2)]] as const
  const of = (receipt: string) => ({ ...answer(0, headers), receipt })
  for (let i = 0; i < 10; i++) {
    cache.keep(request(i), of(`r${i}`))
    cache.forget([`r${i}`, 'of nobody'])
  }
  cache.keep(request(20), { ...answer(0), receipt: 'small' })
  cache.keep(request(21), of('large'))
  assert.ok(cache.find(request(20), 0) !== undefined, 'nothing is counted that is not there')
  assert.ok(cache.find(request(21), 0) !== undefined)
  assert.equal(cache.find(request(9), 0), undefined)
})
