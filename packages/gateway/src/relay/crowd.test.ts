/** A thousand clients at once, in front of an upstream that does not go on: each is answered or refused, and all is over after. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DEFAULT_LIMITS } from '../config/config.ts'
import { chat, type Raw, type RelayStage, send, startRelay, withoutPromise } from './relay.testing.ts'
import { assertSettled, eventually, recordedInferences } from './settled.testing.ts'

const COUNT = 1000
const PATH = '/v1/chat/completions'

/** What a thousand requests under way may take, the mock's and the clients' share among it. */
const MAX_MEMORY_BYTES = 160 * 1024 * 1024

interface Crowd {
  readonly stage: RelayStage
  readonly all: readonly Raw[]
  readonly whole: readonly Raw[]
  readonly refused: readonly Raw[]
}

/** Sends all requests, waits until `held` of them wait for the upstream, and lets it go on. Every other one is a stream. */
async function gather(context: TestContext, inFlight: number, concurrency: number): Promise<Crowd> {
  const held = Math.min(inFlight, concurrency)
  const stage = await startRelay(context, {
    config: { limits: { ...DEFAULT_LIMITS, inFlight } },
    upstream: { concurrency },
    deployment: { retries: { attempts: 1, totalMs: 1000 } },
  })
  const before = memoryBytes()
  let ended = 0
  const waiting = Array.from({ length: COUNT }, async (_, i) => {
    const got = await send(stage.gateway, PATH, chat('mock-held', { stream: i % 2 === 0 }))
    ended++
    return got
  })
  await eventually(() => ended === COUNT - held, 'those that are refused are told', 30_000)
  await eventually(() => stage.upstream.requests.length === held, 'the others wait')
  assert.equal(stage.gateway.health().inFlight, held)
  assert.ok(memoryBytes() - before < MAX_MEMORY_BYTES, `${memoryBytes() - before} bytes`)
  // Some may only come to where they are held.
  const timer = setInterval(() => stage.upstream.release(), 20)
  const all = await Promise.all(waiting)
  clearInterval(timer)
  const whole = all.filter(({ status }) => status === 200)
  const refused = all.filter(({ status }) => status !== 200)
  assert.equal(whole.length, held)
  for (const { isComplete, bytes } of whole) {
    assert.ok(isComplete)
    const { promises } = withoutPromise(bytes)
    assert.equal(promises.length, bytes.includes('data: [DONE]') ? 1 : 0)
  }
  return { stage, all, whole, refused }
}

function memoryBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function receiptsOf(raws: readonly Raw[]): readonly string[] {
  return raws.flatMap(({ headers }) => headers['countersign-receipt'] ?? [])
}

function codesOf(raws: readonly Raw[]): ReadonlySet<string> {
  return new Set(raws.map(({ status, bytes }) => `${status} ${JSON.parse(bytes.toString()).error.code}`))
}

test('more than may be under way: the rest is refused, and not recorded', async (context) => {
  const { stage, all, whole, refused } = await gather(context, 600, 1024)
  assert.deepEqual(codesOf(refused), new Set(['503 queue/full']))
  for (const { headers } of refused) assert.equal(headers['retry-after'], '2')
  const receipts = receiptsOf(all)
  assert.equal(new Set(receipts).size, whole.length)
  await assertSettled(stage, receipts)
  assert.equal(recordedInferences(stage.gateway).size, whole.length)
})

test('more than the upstream may have: the rest is told so, with a receipt', async (context) => {
  const { stage, all, whole, refused } = await gather(context, 1000, 300)
  assert.deepEqual(codesOf(refused), new Set(['503 upstream/busy']))
  const receipts = receiptsOf(all)
  assert.equal(new Set(receipts).size, COUNT)
  await assertSettled(stage, receipts)
  const inferences = [...recordedInferences(stage.gateway).values()]
  assert.equal(inferences.filter(({ finish }) => finish.reason === 'stop').length, whole.length)
  assert.equal(inferences.filter(({ finish }) => finish.code === 'upstream/busy').length, refused.length)
})

test('a thousand clients that all leave', async (context) => {
  const stage = await startRelay(context, { upstream: { concurrency: 1024 } })
  const leaving = Array.from({ length: COUNT }, () =>
    send(stage.gateway, PATH, chat('mock-held', { stream: true }), { leaveAfterBytes: 1 }),
  )
  const all = await Promise.all(leaving)
  const receipts = receiptsOf(all)
  assert.equal(receipts.length, COUNT)
  await assertSettled(stage, receipts)
  for (const { finish } of recordedInferences(stage.gateway).values()) assert.equal(finish.by, 'client')
})
