import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readStream } from './received.testing.ts'

const CONTENT = 'data: {"a":1}\n\ndata: {"a":2}\n\n'
const PROMISE = ': countersign-promise QUJD\n\n'
const END = 'data: [DONE]\n\n'

test('a stream is its content without the promise, to its terminal frame', () => {
  const { response, ...rest } = readStream(`${CONTENT}${PROMISE}${END}`)
  assert.equal(Buffer.from(response).toString(), `${CONTENT}${END}`)
  assert.deepEqual(rest, { isWhole: true, promise: 'QUJD' })
})

test('a promise behind the terminal frame is none', () => {
  const { response, ...rest } = readStream(`${CONTENT}${END}${PROMISE}${END}`)
  assert.equal(Buffer.from(response).toString(), `${CONTENT}${END}`)
  assert.deepEqual(rest, { isWhole: true, promise: undefined })
})

test('wherever it is cut off, what is left is the beginning of the content, and nothing is whole', () => {
  const text = `${CONTENT}${PROMISE}${END}`
  for (let length = 0; length < text.length; length++) {
    const { response, isWhole, promise } = readStream(text.slice(0, length))
    assert.ok(`${CONTENT}${END}`.startsWith(Buffer.from(response).toString()), text.slice(0, length))
    assert.equal(isWhole, false)
    assert.equal(promise, length < CONTENT.length + PROMISE.length ? undefined : 'QUJD')
  }
})
