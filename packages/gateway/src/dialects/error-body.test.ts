import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DIALECTS } from './dialects.ts'
import { errorBody, errorFrame } from './error-body.ts'
import { readFrame } from './sse-frames.ts'
import { readStream } from './streams.testing.ts'

const parse = (bytes: Uint8Array | undefined) => JSON.parse(Buffer.from(bytes ?? []).toString())
const ERROR = { status: 404, code: 'model/not-found', message: 'no "such"\nmodel', receipt: '00ff' }

test('bodies have the shape of their family', () => {
  assert.deepEqual(parse(errorBody('openai', ERROR)), {
    error: { message: ERROR.message, type: 'not_found_error', param: null, code: 'model/not-found', receipt: '00ff' },
  })
  assert.deepEqual(parse(errorBody('anthropic', { ...ERROR, receipt: undefined })), {
    type: 'error',
    error: { type: 'not_found_error', message: ERROR.message, code: 'model/not-found' },
  })
})

test('each status has its type', () => {
  const types: readonly (readonly [number, string, string])[] = [
    [400, 'invalid_request_error', 'invalid_request_error'],
    [401, 'authentication_error', 'authentication_error'],
    [403, 'permission_error', 'permission_error'],
    [404, 'not_found_error', 'not_found_error'],
    [413, 'invalid_request_error', 'request_too_large'],
    [415, 'invalid_request_error', 'invalid_request_error'],
    [429, 'rate_limit_error', 'rate_limit_error'],
    [500, 'server_error', 'api_error'],
    [502, 'server_error', 'api_error'],
    [503, 'service_unavailable_error', 'overloaded_error'],
    [504, 'timeout_error', 'timeout_error'],
    [529, 'service_unavailable_error', 'overloaded_error'],
  ]
  for (const [status, openai, anthropic] of types) {
    assert.equal(parse(errorBody('openai', { ...ERROR, status })).error.type, openai, String(status))
    assert.equal(parse(errorBody('anthropic', { ...ERROR, status })).error.type, anthropic, String(status))
  }
})

test('a frame says the same, is one frame, and ends its stream as an error', () => {
  for (const dialect of DIALECTS) {
    const frame = errorFrame(dialect, ERROR, 7)
    const { event, data } = readFrame(frame)
    const said = parse(data)
    const body = parse(errorBody(dialect.family, ERROR))
    assert.deepEqual(said.error, body.error)
    assert.equal(event, dialect.streamError === 'data' ? undefined : 'error')
    if (!dialect.canStream) continue
    const { facts, terminal } = readStream(dialect, [Buffer.from(frame).toString()])
    assert.deepEqual([facts.finishReason, facts.hasError], ['error', true], dialect.name)
    assert.equal(terminal.length, 1)
    if (dialect.streamError !== 'responses-event') assert.deepEqual(said, body)
    else {
      const { error: _, ...fields } = said
      assert.deepEqual(fields, {
        type: 'error',
        code: ERROR.code,
        message: ERROR.message,
        param: null,
        sequence_number: 7,
      })
    }
  }
})
