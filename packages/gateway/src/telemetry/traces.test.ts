import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { MAX_BATCH, MAX_QUEUED } from './otlp-exporter.ts'
import { answerEvent, keptNotices, overfullEvent, SECRETS, startCollector } from './telemetry.testing.ts'
import { startTraces } from './traces.ts'

const BOUNDED = { timeout: 20_000 }

interface SpanJson {
  readonly traceId: string
  readonly spanId: string
  readonly name: string
  readonly attributes: readonly { readonly key: string; readonly value: object }[]
}

function spansIn(body: string): readonly SpanJson[] {
  const [{ resource, scopeSpans }] = JSON.parse(body).resourceSpans
  const [{ scope, spans }] = scopeSpans
  assert.deepEqual(resource.attributes, [
    { key: 'service.name', value: { stringValue: 'countersign' } },
    { key: 'service.version', value: { stringValue: '1.2.3' } },
  ])
  const conventions = { key: 'countersign.conventions', value: { stringValue: 'genai/1' } }
  assert.deepEqual(scope, { name: 'countersign', version: '1.2.3', attributes: [conventions] })
  return spans
}

async function start(context: TestContext, otlpUrl: string | undefined) {
  const notices = keptNotices()
  const traces = await startTraces({ otlpUrl, version: '1.2.3', notices })
  context.after(() => traces.close())
  return { traces, notices }
}

test('answers reach a collector as JSON, at its path, and say no secret', BOUNDED, async (context) => {
  const collector = await startCollector(context)
  const { traces, notices } = await start(context, `${collector.url}/otlp`)
  const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentSpanId: '00f067aa0ba902b7', isSampled: true }
  traces.observeAnswer(overfullEvent({ trace }))
  traces.observeAnswer(answerEvent({ operation: 'embeddings' }))
  traces.observeAnswer(answerEvent({ trace: { ...trace, isSampled: false } }))
  await traces.close()
  assert.equal(collector.received.length, 1)
  const [{ url, headers, body } = { url: '', headers: {}, body: '' }] = collector.received
  assert.equal(url, '/otlp/v1/traces')
  assert.equal(headers['content-type'], 'application/json')
  const spans = spansIn(body)
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['chat gpt-example', 'embeddings gpt-example'],
  )
  assert.equal(spans[0]?.traceId, trace.traceId)
  assert.notEqual(spans[1]?.traceId, trace.traceId)
  assert.match(spans[1]?.traceId ?? '', /^[0-9a-f]{32}$/)
  for (const secret of Object.values(SECRETS)) assert.equal(body.includes(secret), false, secret)
  assert.deepEqual([traces.exported, traces.dropped], [2, 0])
  assert.deepEqual([...notices.infos, ...notices.errors], [])
})

test('a full batch leaves at once, in order, and none twice', BOUNDED, async (context) => {
  const collector = await startCollector(context)
  const { traces } = await start(context, collector.url)
  const count = MAX_BATCH * 2 + 5
  for (let i = 0; i < count; i++) traces.observeAnswer(answerEvent({ requestedModel: `m${i}` }))
  await collector.arrival(2)
  await traces.close()
  const names = collector.received.flatMap(({ body }) => spansIn(body).map(({ name }) => name))
  assert.deepEqual(
    names,
    Array.from({ length: count }, (_, i) => `chat m${i}`),
  )
  assert.equal(new Set(collector.received.flatMap(({ body }) => spansIn(body).map((span) => span.spanId))).size, count)
  for (const { body } of collector.received) assert.ok(spansIn(body).length <= MAX_BATCH)
})

test('a collector that fails gets the same spans again, and that is said once', BOUNDED, async (context) => {
  const again = { status: 503, headers: { 'retry-after': '0' } }
  const collector = await startCollector(context, [again, again])
  const { traces, notices } = await start(context, collector.url)
  for (let i = 0; i < MAX_BATCH; i++) traces.observeAnswer(answerEvent())
  await collector.arrival(3)
  await traces.close()
  const [first, , third] = collector.received
  assert.equal(first?.body, third?.body)
  assert.deepEqual([traces.exported, traces.dropped], [MAX_BATCH, 0])
  assert.deepEqual(notices.errors, ['traces cannot be exported (status 503); what the queue does not hold is dropped'])
  assert.deepEqual(notices.infos, ['traces are exported again'])
})

test('what a collector refuses is dropped and counted', BOUNDED, async (context) => {
  const partial = { status: 200, body: '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"planted"}}' }
  const collector = await startCollector(context, [partial, { status: 400, body: 'planted' }])
  const { traces, notices } = await start(context, collector.url)
  for (let i = 0; i < MAX_BATCH; i++) traces.observeAnswer(answerEvent())
  await collector.arrival(1)
  await waitUntil(() => traces.exported > 0)
  assert.deepEqual([traces.exported, traces.dropped], [MAX_BATCH - 3, 3])
  traces.observeAnswer(answerEvent())
  await traces.close()
  assert.deepEqual([traces.exported, traces.dropped], [MAX_BATCH - 3, 4])
  assert.deepEqual(notices.errors, ['traces cannot be exported (status 400); what the queue does not hold is dropped'])
})

test('a collector that hangs holds up nobody: the queue is bounded, closing is quick', BOUNDED, async (context) => {
  const collector = await startCollector(context, ['hang', 'hang', 'hang'])
  const { traces } = await start(context, collector.url)
  for (let i = 0; i < MAX_BATCH; i++) traces.observeAnswer(answerEvent())
  await collector.arrival(1)
  const count = MAX_QUEUED + 500
  const startedMs = performance.now()
  for (let i = 0; i < count; i++) traces.observeAnswer(answerEvent())
  const tookMs = performance.now() - startedMs
  assert.ok(tookMs < 500, `${tookMs} ms to report ${count} answers`)
  assert.equal(traces.dropped, 500)
  const closingMs = performance.now()
  await traces.close()
  assert.ok(performance.now() - closingMs < 5000)
  assert.equal(traces.exported + traces.dropped, MAX_BATCH + count)
  traces.observeAnswer(answerEvent())
  assert.equal(traces.dropped + traces.exported, MAX_BATCH + count + 1)
})

test('an event that makes no span is counted, and ends nothing', BOUNDED, async (context) => {
  const collector = await startCollector(context)
  const { traces } = await start(context, collector.url)
  for (let i = 0; i < MAX_BATCH; i++) traces.observeAnswer(answerEvent({ startedAtMs: i === 7 ? Number.NaN : 1 }))
  await waitUntil(() => traces.dropped > 0)
  assert.deepEqual([traces.exported, traces.dropped], [0, MAX_BATCH])
  traces.observeAnswer(answerEvent())
  await traces.close()
  assert.deepEqual([traces.exported, traces.dropped], [1, MAX_BATCH])
})

test('nobody listens: nothing throws, all is counted', BOUNDED, async (context) => {
  const { traces, notices } = await start(context, 'http://127.0.0.1:1')
  traces.observeAnswer(answerEvent())
  await traces.close()
  assert.deepEqual([traces.exported, traces.dropped], [0, 1])
  assert.deepEqual(notices.errors, [
    'traces cannot be exported (ECONNREFUSED); what the queue does not hold is dropped',
  ])
})

test('without a collector nothing that exports is loaded', BOUNDED, async () => {
  const loaded = async (otlpUrl: string) => {
    const hook =
      'export async function resolve(s, c, n) { const r = await n(s, c); process._rawDebug(r.url); return r }'
    const register = `import { register } from 'node:module'; register('data:text/javascript,${encodeURIComponent(hook)}')`
    const program = `const { startTraces } = await import(${JSON.stringify(new URL('./traces.js', import.meta.url))})
      const traces = await startTraces({ otlpUrl: ${otlpUrl}, version: '0', notices: console })
      await traces.close()`
    const flags = [
      '--import',
      `data:text/javascript,${encodeURIComponent(register)}`,
      '--input-type=module',
      '-e',
      program,
    ]
    return (await promisify(execFile)(process.execPath, flags, { timeout: 15_000 })).stderr
  }
  const without = await loaded('undefined')
  assert.match(without, /traces\.js/)
  assert.doesNotMatch(without, /otlp-exporter|undici/)
  assert.match(await loaded('"http://127.0.0.1:1"'), /otlp-exporter[\s\S]*undici/)
})

async function waitUntil(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !holds(); i++) await sleep(10)
}
