import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Connection } from './load.ts'
import { send, sequential, stream } from './relay-load.ts'
import { withConnections } from './relay-targets.ts'

const WHOLE = { isStream: false, paceMs: 0 }
const STREAM = { isStream: true, paceMs: 0 }

/** Runs a load over two connections against a server that answers so. */
async function against<T>(
  answer: RequestListener,
  question: typeof WHOLE,
  load: (connections: readonly Connection[]) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => request.resume().once('end', () => answer(request, response)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    return await withConnections({ port, headers: {} }, question, 2, load)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const whole =
  (status: number, bytes: number): RequestListener =>
  (_, response) =>
    response.writeHead(status, { 'content-length': bytes }).end(Buffer.alloc(bytes))

const events =
  (status: number, count: number): RequestListener =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'text/event-stream' })
    for (let i = 0; i < count; i++) response.write('data: {}\n\n')
    response.end('data: [DONE]\n\n')
  }

test('every request that is to be sent is sent, and timed', async () => {
  let answers = 0
  const counting: RequestListener = (request, response) => {
    answers++
    whole(200, 1024)(request, response)
  }
  await against(counting, WHOLE, (connections) => send(connections, 7))
  assert.equal(answers, 7)
  const times = await against(whole(200, 1024), WHOLE, ([first]) => sequential(first as Connection, 3))
  assert.equal(times.length, 3)
  const streams = await against(events(200, 100), STREAM, (connections) => stream(connections, 50, 0))
  assert.ok(streams.firstEventMs.length >= 2 && streams.firstEventMs.every((each) => each > 0))
})

test('an answer that is not the one asked for ends the measurement', async () => {
  for (const wrong of [whole(500, 1024), whole(200, 1023)]) {
    await assert.rejects(
      against(wrong, WHOLE, (connections) => send(connections, 4)),
      /an answer had/,
    )
    await assert.rejects(
      against(wrong, WHOLE, ([first]) => sequential(first as Connection, 1)),
      /an answer had/,
    )
  }
  for (const wrong of [events(500, 100), events(200, 99), whole(200, 1024)]) {
    await assert.rejects(
      against(wrong, STREAM, (connections) => stream(connections, 50, 0)),
      /a stream had/,
    )
  }
})

test('a server that breaks off ends the measurement', async () => {
  const broken: RequestListener = (_, response) => {
    response.writeHead(200, { 'content-length': 1024 }).write('x', () => response.destroy())
  }
  await assert.rejects(
    against(broken, WHOLE, (connections) => send(connections, 2)),
    /closed the connection/,
  )
})
