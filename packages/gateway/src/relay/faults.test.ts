/** What upstreams and clients do wrong: each ends in a clear error, and in a statement that says what happened. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Inference } from '@countersign/verify'
import {
  chat,
  type Raw,
  type RelayChanges,
  type RelayStage,
  send,
  startRelay,
  statementOf,
  withoutPromise,
} from './relay.testing.ts'

/** Fails soon, and is not tried again. */
const IMPATIENT: RelayChanges = {
  upstream: { timeouts: { connectMs: 500, firstByteMs: 700, idleMs: 700 }, breaker: { failures: 1000, openMs: 100 } },
  deployment: { retries: { attempts: 1, totalMs: 1000 } },
}

interface Fault {
  readonly model: string
  readonly stream: boolean
  readonly status: number
  readonly finish: Inference['finish']['reason']
  readonly by?: 'client' | 'upstream' | 'gateway'
  readonly code?: string
  /** What the reply must have in it. */
  readonly text?: RegExp
  readonly observation?: string
  /** The reply breaks off, so that nobody takes it for whole. */
  readonly isCut?: boolean
}

const FAULTS: readonly Fault[] = [
  {
    model: 'mock-hang',
    stream: false,
    status: 504,
    finish: 'error',
    by: 'upstream',
    code: 'upstream/timeout',
    text: /upstream\/timeout/,
  },
  {
    model: 'mock-hang-mid-stream',
    stream: true,
    status: 200,
    finish: 'interrupted',
    by: 'upstream',
    code: 'upstream/timeout',
    text: /"error":\{.*upstream\/timeout/,
  },
  {
    model: 'mock-reset-before',
    stream: false,
    status: 502,
    finish: 'error',
    by: 'upstream',
    code: 'upstream/reset',
    text: /upstream\/reset/,
  },
  {
    model: 'mock-reset-mid-stream',
    stream: true,
    status: 200,
    finish: 'interrupted',
    by: 'upstream',
    code: 'upstream/reset',
    text: /"error":\{.*upstream\/reset/,
  },
  { model: 'mock-short-body', stream: false, status: 502, finish: 'error', by: 'upstream', text: /upstream\// },
  { model: 'mock-error-in-200', stream: false, status: 200, finish: 'error', by: 'upstream' },
  { model: 'mock-error-in-stream', stream: true, status: 200, finish: 'error', by: 'upstream' },
  { model: 'mock-status-429', stream: false, status: 429, finish: 'error', by: 'upstream' },
  { model: 'mock-status-500', stream: true, status: 500, finish: 'error', by: 'upstream' },
  { model: 'mock-status-401', stream: false, status: 401, finish: 'error', by: 'upstream' },
  { model: 'mock-huge-frame', stream: true, status: 200, finish: 'interrupted', by: 'gateway', text: /"error":\{/ },
  { model: 'mock-gzip', stream: false, status: 200, finish: 'stop', observation: 'upstream-encoding-decoded' },
  { model: 'mock-gzip', stream: true, status: 200, finish: 'stop', observation: 'upstream-encoding-decoded' },
  {
    model: 'mock-gzip-bomb',
    stream: false,
    status: 200,
    finish: 'interrupted',
    by: 'upstream',
    code: 'upstream/too-large',
    isCut: true,
  },
  { model: 'mock-forges', stream: true, status: 200, finish: 'stop', observation: 'upstream-comments-stripped' },
  { model: 'mock-forges', stream: false, status: 200, finish: 'stop', observation: 'upstream-headers-stripped' },
  { model: 'mock-drip', stream: true, status: 200, finish: 'stop' },
  { model: 'mock-no-done', stream: true, status: 200, finish: 'stop' },
  { model: 'mock-garbage-sse', stream: true, status: 200, finish: 'interrupted', by: 'upstream' },
]

for (const fault of FAULTS) {
  test(`upstream: ${fault.model}${fault.stream ? ', streamed' : ''}`, async (context) => {
    const stage = await startRelay(context, IMPATIENT)
    const got = await send(stage.gateway, '/v1/chat/completions', chat(fault.model, { stream: fault.stream }))
    const text = got.bytes.toString()
    assert.equal(got.status, fault.status, text.slice(0, 500))
    assert.equal(got.isComplete, fault.isCut !== true)
    if (fault.text !== undefined) assert.match(text, fault.text)
    const receipt = String(got.headers['countersign-receipt'])
    const statement = await statementOf(stage, receipt)
    assert.equal(statement.finish.reason, fault.finish, JSON.stringify(statement.finish))
    assert.equal(statement.finish.by, fault.by)
    if (fault.code !== undefined) assert.equal(statement.finish.code, fault.code)
    if (fault.observation !== undefined)
      assert.ok(statement.observations.includes(fault.observation as never), JSON.stringify(statement.observations))
    assertOneRecord(stage, got, fault.stream && fault.status === 200)
  })
}

/** One receipt, one promise, and nothing of ours that the gateway did not write. */
function assertOneRecord({ gateway }: RelayStage, got: Raw, isStream: boolean): void {
  const { promises } = withoutPromise(got.bytes)
  if (isStream) assert.equal(promises.length, 1)
  else if (got.isComplete) assert.equal(String(got.headers['countersign-promise']).includes(','), false)
  assert.equal([...got.bytes.toString().matchAll(/countersign-promise/g)].length, isStream ? 1 : 0)
  assert.equal(gateway.recording.journal.inUse, 0)
}

test('a client that leaves in the middle of a stream: the statement says who, and how many bytes were released', async (context) => {
  const stage = await startRelay(context)
  const got = await send(stage.gateway, '/v1/chat/completions', chat('mock-stream-2000+paced-2ms', { stream: true }), {
    leaveAfterBytes: 1000,
  })
  const statement = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.equal(statement.finish.reason, 'interrupted')
  assert.equal(statement.finish.by, 'client')
  assert.ok((statement.finish.deliveredBytes ?? 0) >= 1000)
  const outcome = await stage.upstream.requests[0]?.answer?.ended
  assert.equal(outcome, 'client-left', 'the upstream must be told')
})

test('the last answer that there was is broken itself by the time it is needed', async (context) => {
  const target = (model: string, rank: number) => ({ upstream: 'openai', model, weight: 1, rank })
  const stage = await startRelay(context, {
    ...IMPATIENT,
    deployment: {
      route: [target('mock-status-503+short-body', 0), target('mock-reset-before', 1)],
      retries: { attempts: 2, totalMs: 1000 },
    },
  })
  const got = await send(stage.gateway, '/v1/chat/completions', chat('any'))
  assert.equal(got.status, 502)
  assert.match(got.bytes.toString(), /upstream\/reset/)
  const { finish, attempts } = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.deepEqual([finish.reason, finish.by, finish.code], ['error', 'upstream', 'upstream/reset'])
  assert.equal(attempts.length, 2)
})
