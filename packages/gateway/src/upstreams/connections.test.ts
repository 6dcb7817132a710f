import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Pool } from 'undici'
import { DEFAULT_TIMEOUTS } from '../config/config.ts'
import { type CarriedHandler, createConnections } from './connections.ts'

const REQUESTS = 400
const AT_ONCE = 8

interface Ports {
  /** Of the connection that the handler was told carries it. */
  readonly told: number | undefined
  /** Of the connection on which the server got it. */
  readonly seen: number
}

function ask(pool: Pool): Promise<Ports> {
  return new Promise((resolve, reject) => {
    let told: number | undefined
    let text = ''
    const handler: CarriedHandler = {
      carrier: undefined,
      onConnect() {
        told = handler.carrier?.connection?.socket.localPort
      },
      onHeaders: () => true,
      onData(chunk) {
        text += chunk
        return true
      },
      onComplete: () => resolve({ told, seen: Number(text) }),
      onError: reject,
    }
    pool.dispatch({ path: '/', method: 'POST', body: 'x' }, handler)
  })
}

test('each request is told the very connection that carries it, while connections come and go', async () => {
  let served = 0
  const ports = new Set<number>()
  const server = createServer((request, response) => {
    const { remotePort = 0 } = request.socket
    ports.add(remotePort)
    if (++served % 5 === 0) response.setHeader('connection', 'close')
    request.resume().on('end', () => setTimeout(() => response.end(String(remotePort)), served % 3))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pool = createConnections({ origin, ca: undefined, timeouts: DEFAULT_TIMEOUTS, limit: AT_ONCE })
  try {
    for (let i = 0; i < REQUESTS; i += AT_ONCE * 2) {
      for (const { told, seen } of await Promise.all(Array.from({ length: AT_ONCE * 2 }, () => ask(pool)))) {
        assert.equal(told, seen)
      }
    }
    assert.ok(ports.size > AT_ONCE * 2, `${ports.size} connections`)
  } finally {
    await pool.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
})
