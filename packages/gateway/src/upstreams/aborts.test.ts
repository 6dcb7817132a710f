import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import type { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type MockUpstream, startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import type { Upstream } from './upstream.ts'
import { assertFails, configFor, requestFor, textOf, withUpstream } from './upstreams.testing.ts'

const ABORTS = 1000
const AT_ONCE = 40

let mock: MockUpstream

before(async () => {
  mock = await startMockUpstream({ isRecording: false })
})

after(() => mock.close())

const REASON = new Error('the client left')

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let i = 0; i < 5; i++) {
    collect()
    await sleep(10)
  }
}

test('before an answer: it fails at once, with the reason', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    const abort = new AbortController()
    const asked = upstream.send(requestFor({ model: 'mock-hang', signal: abort.signal }))
    await sleep(20)
    abort.abort(REASON)
    await assert.rejects(asked, REASON)
    await assert.rejects(upstream.send(requestFor({ signal: abort.signal })), REASON, 'nothing is begun')
    assert.deepEqual(getEventListeners(abort.signal, 'abort'), [])
  }))

test('while it connects: it fails at once, and leaves nothing behind', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    const abort = new AbortController()
    const asked = upstream.send(requestFor({ model: 'mock-hang', signal: abort.signal }))
    abort.abort(REASON)
    await assert.rejects(asked, REASON)
    assert.equal((await upstream.send(requestFor())).status, 200)
  }))

test('during an answer: its body fails, with the reason', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    const abort = new AbortController()
    const body = { model: 'mock-hang-mid-stream', messages: [], stream: true }
    const answer = await upstream.send(requestFor({ body, signal: abort.signal }))
    setTimeout(() => abort.abort(REASON), 20)
    await assert.rejects(textOf(answer), REASON)
  }))

test('after an answer the signal is forgotten', () =>
  withUpstream(configFor(mock.url), async (upstream) => {
    const { signal } = new AbortController()
    for (let i = 0; i < 20; i++) await textOf(await upstream.send(requestFor({ signal })))
    await assertFails(upstream.send(requestFor({ model: 'mock-reset-before', signal })), 'upstream/reset')
    assert.deepEqual(getEventListeners(signal, 'abort'), [])
  }))

/** Aborts in one of four ways: while connecting, while waiting, by the signal midway, by destroying the body. */
async function abortOne(upstream: Upstream, way: number, bodies: WeakRef<Readable>[]): Promise<void> {
  const abort = new AbortController()
  const model = way < 2 ? 'mock-hang' : way === 2 ? 'mock-hang-mid-stream' : 'mock-hang-mid-stream+gzip'
  const body = { model, messages: [{ role: 'user', content: 'x'.repeat(10_000) }], stream: true }
  const asked = upstream.send(requestFor({ body, signal: abort.signal }))
  if (way < 2) {
    if (way === 1) await sleep(5)
    abort.abort(REASON)
    await assert.rejects(asked, REASON)
    return
  }
  const answer = await asked
  bodies.push(new WeakRef(answer.body))
  answer.body.resume()
  if (way === 2) abort.abort(REASON)
  else answer.body.destroy()
}

test('a thousand aborted requests leave nothing: no place, no connection, no memory', { timeout: 60_000 }, () =>
  withUpstream(configFor(mock.url, { concurrency: AT_ONCE }), async (upstream) => {
    const bodies: WeakRef<Readable>[] = []
    const round = async () => {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => abortOne(upstream, i % 4, bodies)))
      await sleep(10)
    }
    await round()
    await collectGarbage()
    const heldBefore = process.memoryUsage().heapUsed
    for (let i = AT_ONCE; i < ABORTS; i += AT_ONCE) await round()
    await collectGarbage()
    const grownBytes = process.memoryUsage().heapUsed - heldBefore
    assert.ok(grownBytes < 4 * 1024 * 1024, `${grownBytes} bytes more`)
    assert.ok(bodies.length >= ABORTS / 2)
    assert.ok(bodies.filter((body) => body.deref() !== undefined).length < AT_ONCE)
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => upstream.send(requestFor())))
    for (const answer of answers) assert.match(await textOf(answer), /chat\.completion/)
  }),
)
