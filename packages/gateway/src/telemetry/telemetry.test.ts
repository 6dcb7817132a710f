import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exampleConfig } from '../config/config.ts'
import { readExposition, sampleValue } from './exposition.testing.ts'
import { createLogger } from './logs.ts'
import { answerEvent, keptNotices, overfullEvent, SECRETS, startCollector } from './telemetry.testing.ts'
import { startTelemetry, type TelemetryOptions } from './telemetry.ts'

const SOURCES: TelemetryOptions['sources'] = {
  requestsInFlight: () => 0,
  bytesInFlight: () => 0,
  logSize: () => 0,
  publishedSize: () => 0,
  journalSlotsInUse: () => 0,
  breakers: () => [],
}

function configOf(telemetry: TelemetryOptions['config']['telemetry']): TelemetryOptions['config'] {
  return { ...exampleConfig('data', 'credit.onnx'), telemetry }
}

test('one report reaches metrics, traces and log, and no secret does', { timeout: 10_000 }, async (context) => {
  const collector = await startCollector(context)
  const lines: string[] = []
  const notices = keptNotices()
  const logger = createLogger({ level: 'info', write: (line) => void lines.push(line) })
  const config = configOf({ otlpUrl: collector.url, metrics: true })
  const telemetry = await startTelemetry({ config, version: '1.2.3', sources: SOURCES, notices, logger })
  telemetry.observeAnswer(overfullEvent({ deployment: 'credit' }))
  telemetry.observeRefusal({ code: 'rate/limited', status: 429 })
  await telemetry.close()
  const text = telemetry.renderMetrics() ?? ''
  const families = readExposition(text)
  assert.equal(sampleValue(families, 'countersign_requests_total', { deployment: 'credit' }), 1)
  assert.equal(sampleValue(families, 'countersign_refusals_total', { code: 'rate/limited' }), 1)
  assert.equal(sampleValue(families, 'countersign_traces_exported_total'), 1)
  assert.ok(sampleValue(families, 'process_resident_memory_bytes') > 1_000_000)
  assert.equal(lines.length, 2)
  assert.equal(collector.received.length, 1)
  const said = [text, ...lines, ...collector.received.map(({ body }) => body), ...notices.infos, ...notices.errors]
  for (const secret of Object.values(SECRETS)) for (const each of said) assert.equal(each.includes(secret), false)
})

test('metrics that are off count nothing and say nothing', async () => {
  const config = configOf({ otlpUrl: undefined, metrics: false })
  const telemetry = await startTelemetry({ config, version: '1', sources: SOURCES, notices: keptNotices() })
  telemetry.observeAnswer(answerEvent())
  telemetry.observeRefusal({ code: 'queue/full', status: 503 })
  assert.equal(telemetry.renderMetrics(), undefined)
  await telemetry.close()
})

test('telemetry that fails is said once, and fails no request', async () => {
  const notices = keptNotices()
  const fail = () => {
    throw new Error('planted')
  }
  const logger = { observeAnswer: fail, observeRefusal: fail }
  const config = configOf({ otlpUrl: undefined, metrics: true })
  const telemetry = await startTelemetry({ config, version: '1', sources: SOURCES, notices, logger })
  for (let i = 0; i < 3; i++) {
    telemetry.observeAnswer(answerEvent())
    telemetry.observeRefusal({ code: 'queue/full', status: 503 })
  }
  assert.deepEqual(notices.errors, ['telemetry failed; answers do not depend on it'])
  assert.equal(sampleValue(readExposition(telemetry.renderMetrics() ?? ''), 'countersign_refusals_total'), 3)
})
