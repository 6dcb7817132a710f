import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountersignError, ERROR_CODES } from '@countersign/verify'
import { errorReply } from './reply.ts'
import { RETRY_AFTER_SECONDS, STATUS } from './status.ts'

test('every code has a status, and every status is one that clients know', () => {
  assert.deepEqual(Object.keys(STATUS).sort(), [...ERROR_CODES].sort())
  const known = [202, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504]
  for (const [code, status] of Object.entries(STATUS)) assert.ok(known.includes(status), `${code} ${status}`)
})

test('an error of ours says its code and message; one that no client should see says an id', () => {
  const logged: [string, unknown][] = []
  const log = (id: string, thrown: unknown) => logged.push([id, thrown])
  for (const code of ERROR_CODES) {
    const error = new CountersignError(code, 'a message with /a/path')
    const { status, headers, body } = errorReply(error, log)
    const parsed = JSON.parse(String(body))
    assert.equal(status, STATUS[code])
    const retry = RETRY_AFTER_SECONDS[status]
    assert.equal(headers['retry-after'], retry === undefined ? undefined : String(retry))
    if (status === 500) {
      assert.deepEqual(logged.pop(), [parsed.id, error])
      assert.equal(parsed.code, 'internal')
      assert.equal(String(body).includes('/a/path'), false)
    } else {
      assert.deepEqual(parsed, { error: 'a message with /a/path', code })
    }
  }
  assert.deepEqual(logged, [])
})

test('whatever is not ours is opaque', () => {
  const logged: unknown[] = []
  for (const thrown of [
    new TypeError('secret'),
    'secret',
    undefined,
    null,
    { code: 'auth/wrong', message: 'secret' },
  ]) {
    const { status, body } = errorReply(thrown, (_, what) => logged.push(what))
    assert.equal(status, 500)
    assert.equal(String(body).includes('secret'), false)
  }
  assert.equal(logged.length, 5)
})
