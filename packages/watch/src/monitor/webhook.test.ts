import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestLog } from '../log-client/log-server.testing.ts'
import { startScene } from './monitor.testing.ts'
import type { Alert } from './monitor-state.ts'
import { Webhook } from './webhook.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** Takes posts; `statusOf` says with what each is answered, and `undefined` that it is not. */
async function startReceiver(statusOf: (count: number) => number | undefined) {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      const status = statusOf(bodies.push(`${request.method} ${request.url} ${body}`))
      if (status !== undefined) response.writeHead(status, { location: '/elsewhere' }).end('thanks')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=t`, bodies }
}

const alertOf = (id: string): Alert => ({
  ...{ id, atMs: 1, level: 'evidence-missing', kind: 'log-silent', subject: 'log', summary: 's', sinceMs: 1 },
})

test('alerts are posted in their order, again and again until they are taken; a redirect takes none', async () => {
  const statuses = [500, 302, 404, 204, 200]
  const { url, bodies } = await startReceiver((count) => statuses[count - 1])
  const delivered: string[] = []
  const webhook = new Webhook({ url, log: 'l', onDelivered: ({ id }) => delivered.push(id), firstWaitMs: 5 })
  webhook.send([alertOf('1'), alertOf('2')])
  for (let i = 0; delivered.length < 2 && i < 500; i++) await sleep(10)
  await webhook.close(1000)
  assert.deepEqual(delivered, ['1', '2'])
  assert.equal(bodies.length, 5)
  assert.ok(bodies.every((body) => body.startsWith('POST /hook?token=t {"format":"countersign-alert/v1","log":"l"')))
})

test('a receiver that never answers holds nobody up, neither the monitor nor its end', async () => {
  const { url, bodies } = await startReceiver(() => undefined)
  const scene = await startScene()
  stops.push(() => scene.end())
  scene.server.log.grow(5)
  await scene.look()
  scene.server.log = new TestLog(scene.server.log.signer)
  scene.server.log.grow(5, 'another')
  const monitor = scene.open({ webhookUrl: url })
  const startMs = performance.now()
  for (let i = 0; i < 5; i++) await monitor.round()
  assert.ok(performance.now() - startMs < 4000)
  assert.equal(monitor.state.alerts.length, 1)
  for (let i = 0; bodies.length === 0 && i < 500; i++) await sleep(10)
  assert.match(bodies[0] ?? '', /"level":"misbehaviour","kind":"two-heads-of-one-size"/)
  await monitor.close()
})

test('what was not delivered is kept, and delivered by the next process; what was, is not again', async () => {
  const scene = await startScene()
  stops.push(() => scene.end())
  scene.server.misdeed = () => ({ kind: 'status', status: 500 })
  await scene.look({ webhookUrl: 'http://127.0.0.1:1/' })
  const { url, bodies } = await startReceiver(() => 200)
  const monitor = scene.open({ webhookUrl: url })
  scene.server.misdeed = () => undefined
  await monitor.once()
  for (let i = 0; monitor.state.alerts.length > 0 && i < 500; i++) await sleep(10)
  await monitor.close()
  assert.deepEqual(
    bodies.map((body) => /"level":"([a-z-]+)"/.exec(body)?.[1]),
    ['evidence-missing', 'resolved'],
  )
  await scene.look({ webhookUrl: url })
  assert.equal(bodies.length, 2)
})

test('an address that is none is refused, and its secret not repeated', () => {
  for (const url of ['', 'hook', 'file:///etc/passwd', 'ftp://x/?t=hunter2', 'http://user:hunter2@x/']) {
    assert.throws(
      () => new Webhook({ url, log: 'l', onDelivered: () => undefined }),
      (thrown: Error & { code?: string }) => thrown.code === 'usage/invalid' && !thrown.message.includes('hunter2'),
    )
  }
})
