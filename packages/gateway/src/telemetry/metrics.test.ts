import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AnswerEvent, RefusalEvent } from './answer-event.ts'
import { readExposition, sampleValue } from './exposition.testing.ts'
import { createMetrics, type MetricSources } from './metrics.ts'
import { answerEvent, overfullEvent, SECRETS } from './telemetry.testing.ts'

const SOURCES: MetricSources = {
  requestsInFlight: () => 3,
  bytesInFlight: () => 4096,
  logSize: () => 10,
  publishedSize: () => 8,
  journalSlotsInUse: () => 2,
  breakers: () => [
    { upstream: 'main', circuit: 'open' },
    { upstream: 'spare', circuit: 'closed' },
  ],
  residentBytes: () => 1_000_000,
  tracesExported: () => 5,
  tracesDropped: () => 1,
}

function metricsOf(sources: Partial<MetricSources> = {}) {
  return createMetrics({
    deployments: ['assistant', 'credit'],
    upstreams: ['main', 'spare'],
    version: '1.2.3',
    sources: { ...SOURCES, ...sources },
  })
}

test('answers are counted by where they came from and how they ended', () => {
  const metrics = metricsOf()
  metrics.observeAnswer(answerEvent())
  metrics.observeAnswer(answerEvent({ attempts: 1, durationMs: 20, firstByteMs: undefined, commitWaitMs: undefined }))
  metrics.observeAnswer(answerEvent({ status: 502, finish: 'error', usage: 'unknown', upstream: undefined }))
  metrics.observeAnswer(answerEvent({ operation: 'infer', deployment: 'credit', usage: { rows: 2 }, attempts: 1 }))
  const families = readExposition(metrics.render())
  const value = (name: string, labels = {}) => sampleValue(families, `countersign_${name}`, labels)
  assert.equal(value('requests_total', { deployment: 'assistant', status: '2xx', finish: 'stop' }), 2)
  assert.equal(value('requests_total', { deployment: 'assistant', status: '5xx', finish: 'error' }), 1)
  assert.equal(value('requests_total', { deployment: 'credit', operation: 'infer' }), 1)
  assert.equal(value('upstream_answers_total', { upstream: 'main', status: '2xx' }), 3)
  assert.equal(value('upstream_answers_total', { upstream: 'none', status: '5xx' }), 1)
  assert.equal(value('retries_total', { deployment: 'assistant' }), 2)
  assert.equal(value('tokens_total', { deployment: 'assistant', direction: 'input' }), 24)
  assert.equal(value('tokens_total', { deployment: 'assistant', direction: 'output' }), 68)
  assert.equal(value('tokens_total', { deployment: 'assistant', direction: 'cached_input' }), 10)
  assert.equal(value('usage_unknown_total', { deployment: 'assistant' }), 1)
  assert.equal(value('request_duration_seconds_bucket', { deployment: 'assistant', le: '0.025' }), 1)
  assert.equal(value('request_duration_seconds_count', { deployment: 'assistant' }), 3)
  assert.equal(value('first_byte_seconds_sum', { deployment: 'assistant' }), 0.5)
  assert.equal(value('commit_wait_seconds_count'), 3)
  assert.equal(value('commit_wait_seconds_bucket', { le: '0.001' }), 0)
  assert.equal(value('commit_wait_seconds_bucket', { le: '0.002' }), 3)
})

test('what others keep is asked for at each scrape', () => {
  let inFlight = 1
  const metrics = metricsOf({ requestsInFlight: () => inFlight })
  readExposition(metrics.render())
  inFlight = 9
  const families = readExposition(metrics.render())
  const value = (name: string, labels = {}) => sampleValue(families, name, labels)
  assert.equal(value('countersign_requests_in_flight'), 9)
  assert.equal(value('countersign_bytes_in_flight'), 4096)
  assert.equal(value('countersign_log_entries'), 10)
  assert.equal(value('countersign_log_published_entries'), 8)
  assert.equal(value('countersign_journal_slots_in_use'), 2)
  assert.equal(value('countersign_traces_exported_total'), 5)
  assert.equal(value('countersign_traces_dropped_total'), 1)
  assert.equal(value('process_resident_memory_bytes'), 1_000_000)
  assert.equal(value('countersign_build_info', { version: '1.2.3' }), 1)
  assert.equal(value('countersign_upstream_circuit', { upstream: 'main', state: 'open' }), 1)
  assert.equal(value('countersign_upstream_circuit', { upstream: 'main', state: 'closed' }), 0)
  assert.equal(value('countersign_upstream_circuit', { upstream: 'spare', state: 'closed' }), 1)
})

test('refusals are counted by code', () => {
  const metrics = metricsOf()
  metrics.observeRefusal({ code: 'rate/limited', status: 429 })
  metrics.observeRefusal({ code: 'rate/limited', status: 429, operation: 'chat' })
  metrics.observeRefusal({ code: 'internal', status: 500 })
  const families = readExposition(metrics.render())
  assert.equal(sampleValue(families, 'countersign_refusals_total', { code: 'rate/limited', status: '4xx' }), 2)
  assert.equal(sampleValue(families, 'countersign_refusals_total', { code: 'internal', status: '5xx' }), 1)
})

test('no stranger makes the metrics grow, or puts a word into them', () => {
  const metrics = metricsOf()
  const attack = (i: number) => {
    const word = `attack${i}"} 1\n`
    const event = {
      ...overfullEvent(),
      operation: word,
      deployment: word,
      requestedModel: word,
      servedModel: word,
      upstream: { name: word, kind: word, origin: word },
      finish: word,
      status: i,
      errorCode: word,
      receipt: word,
      responseId: word,
    }
    metrics.observeAnswer(event as unknown as AnswerEvent)
    metrics.observeAnswer(answerEvent({ requestedModel: word, servedModel: word, responseId: word, status: i }))
    metrics.observeRefusal({ code: word, status: i } as unknown as RefusalEvent)
  }
  for (let i = 0; i < 600; i++) attack(i)
  const before = metrics.render()
  for (let i = 600; i < 5000; i++) attack(i)
  const text = metrics.render()
  assert.equal(text.split('\n').length, before.split('\n').length)
  const families = readExposition(text)
  assert.doesNotMatch(text, /attack/)
  for (const secret of Object.values(SECRETS)) assert.equal(text.includes(secret), false, secret)
  assert.ok(sampleValue(families, 'countersign_requests_total', { deployment: 'other', status: '4xx' }) > 0)
})
