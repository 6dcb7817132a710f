import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger, LOG_LEVELS, type LogLevel } from './logs.ts'
import { answerEvent, overfullEvent, SECRETS } from './telemetry.testing.ts'

function loggerAt(level: LogLevel) {
  const written: string[] = []
  const logger = createLogger({ level, write: (line) => void written.push(line), now: () => 1_800_000_000_123 })
  return { logger, written, lines: () => written.map((line) => JSON.parse(line)) }
}

test('an answer is one line, with what an operator looks for', () => {
  const { logger, written, lines } = loggerAt('info')
  logger.observeAnswer(answerEvent({ durationMs: 1.23456 }))
  assert.match(written.join(''), /^[^\n]*\n$/)
  assert.deepEqual(lines(), [
    {
      time: '2027-01-15T08:00:00.123Z',
      level: 'info',
      event: 'answer',
      receipt: '0123456789abcdef0123456789abcdef',
      logIndex: 42,
      deployment: 'assistant',
      operation: 'chat',
      model: 'gpt-example',
      servedModel: 'gpt-example-2026-01-01',
      upstream: 'main',
      attempts: 2,
      status: 200,
      finish: 'stop',
      stream: true,
      inputTokens: 12,
      outputTokens: 34,
      firstByteMs: 250,
      commitWaitMs: 1.5,
      durationMs: 1.235,
    },
  ])
})

test('a refusal is one line that says nothing a stranger chose', () => {
  const { logger, lines } = loggerAt('info')
  logger.observeRefusal({ code: 'auth/unknown-key', status: 401, operation: 'chat', ...SECRETS })
  logger.observeRefusal({ code: 'internal', status: 500 })
  const [first, second] = lines()
  const head = { time: '2027-01-15T08:00:00.123Z', event: 'refusal' }
  assert.deepEqual(first, { ...head, level: 'info', status: 401, code: 'auth/unknown-key', operation: 'chat' })
  assert.deepEqual(second, { ...head, level: 'warn', status: 500, code: 'internal' })
})

test('levels leave out what is below them', () => {
  for (const [i, level] of LOG_LEVELS.entries()) {
    const { logger, lines } = loggerAt(level)
    for (const at of LOG_LEVELS) logger[at](`a ${at}`)
    assert.deepEqual(
      lines().map((line) => [line.level, line.event, line.message]),
      LOG_LEVELS.slice(i).map((at) => [at, 'notice', `a ${at}`]),
    )
  }
  const { logger, lines } = loggerAt('warn')
  logger.observeAnswer(answerEvent())
  logger.observeAnswer(answerEvent({ status: 503 }))
  assert.deepEqual(
    lines().map(({ status }) => status),
    [503],
  )
})

test('no secret gets into a line, and no text out of its line', () => {
  const { logger, written } = loggerAt('debug')
  logger.observeAnswer(overfullEvent({ requestedModel: 'a\n{"level":"error"}\r\u001b[31m', servedModel: 'b\u0000' }))
  assert.equal(written.length, 1)
  const [line = ''] = written
  assert.equal(line.indexOf('\n'), line.length - 1)
  assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f]/)
  assert.equal(JSON.parse(line).level, 'info')
  for (const secret of Object.values(SECRETS)) assert.equal(line.includes(secret), false, secret)
})

test('a long text is cut', () => {
  const { logger, written } = loggerAt('info')
  logger.error('x'.repeat(1_000_000))
  assert.ok((written[0]?.length ?? 0) < 2200)
})

test('a log that cannot be written fails nobody', () => {
  const logger = createLogger({
    level: 'debug',
    write: () => {
      throw new Error('the reader is gone')
    },
  })
  logger.error('a')
  logger.observeAnswer(answerEvent())
  logger.observeRefusal({ code: 'queue/full', status: 503 })
})
