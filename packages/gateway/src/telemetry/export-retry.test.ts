import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideExport, MAX_TRIES } from './export-retry.ts'

const half = () => 0.5
const reply = (status: number, retryAfter?: string, text = '{}') => ({ status, retryAfter, text })

test('what was taken is done, less what the collector refused', () => {
  assert.deepEqual(decideExport(reply(200), 1, half), { action: 'done', rejected: 0, why: undefined })
  for (const [text, rejected] of [
    ['{"partialSuccess":{"rejectedSpans":3}}', 3],
    ['{"partialSuccess":{"rejectedSpans":"3"}}', 3],
    ['{"partialSuccess":{"rejectedSpans":-3}}', 0],
    ['{"partialSuccess":{"rejectedSpans":{}}}', 0],
    ['{"partialSuccess":null}', 0],
    ['null', 0],
    ['', 0],
    ['<html>', 0],
  ] as const) {
    assert.deepEqual(decideExport(reply(200, undefined, text), 1, half), { action: 'done', rejected, why: undefined })
  }
})

test('only what may pass is tried again, ever later, and not for ever', () => {
  for (const outcome of [reply(429), reply(502), reply(503), reply(504), { error: 'ECONNREFUSED' }]) {
    const delays = [1, 2, 3, 4].map((tries) => {
      const decision = decideExport(outcome, tries, half)
      assert.equal(decision.action, 'retry')
      return decision.action === 'retry' ? decision.delayMs : 0
    })
    assert.deepEqual(delays, [750, 1500, 3000, 6000])
    assert.equal(decideExport(outcome, MAX_TRIES, half).action, 'drop')
  }
  for (const status of [301, 400, 401, 404, 413, 500, 501]) {
    assert.deepEqual(decideExport(reply(status), 1, half), { action: 'drop', why: `status ${status}` })
  }
})

test('a collector may say when, within reason', () => {
  for (const [retryAfter, delayMs] of [
    ['7', 7000],
    ['0', 0],
    ['999999', 30_000],
    ['Thu, 01 Jan 2026 00:00:00 GMT', 750],
    ['-1', 750],
  ] as const) {
    assert.deepEqual(decideExport(reply(503, retryAfter), 1, half), { action: 'retry', delayMs, why: 'status 503' })
  }
})

test('any reply gives a bounded wait, and no text of it is repeated', () => {
  const outcomes = fc.oneof(
    fc.record({ error: fc.string() }),
    fc.record({
      status: fc.integer({ min: 100, max: 599 }),
      retryAfter: fc.option(fc.string(), { nil: undefined }),
      text: fc.oneof(fc.string(), fc.json()),
    }),
  )
  fc.assert(
    fc.property(outcomes, fc.integer({ min: 1, max: MAX_TRIES }), (outcome, tries) => {
      const decision = decideExport(outcome, tries, Math.random)
      if (decision.action === 'retry') assert.ok(decision.delayMs >= 0 && decision.delayMs <= 30_000)
      if (decision.action !== 'done') assert.match(decision.why, /^(status \d{3}|no reply|\w{1,40})$/)
    }),
  )
})
