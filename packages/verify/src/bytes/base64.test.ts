import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CountersignError } from '../errors.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { parseBase64, parseBase64Url, toBase64, toBase64Url } from './base64.ts'

test('bytes survive both alphabets, and come out as Node writes them', (t) => {
  checkProperty(t, [fc.uint8Array({ maxLength: 100 })], 500, (bytes) => {
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'))
    assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString('base64url'))
    assert.deepEqual(parseBase64(toBase64(bytes)), bytes)
    assert.deepEqual(parseBase64Url(toBase64Url(bytes)), bytes)
  })
})

test('what is accepted is the one spelling of its bytes', (t) => {
  const letters = fc.string({ unit: fc.constantFrom(...'AQgwZ019+/-_= \n'), maxLength: 8 })
  let accepted = 0
  checkProperty(t, [letters], 3000, (text) => {
    for (const [parse, format] of [
      [parseBase64, toBase64],
      [parseBase64Url, toBase64Url],
    ] as const) {
      try {
        assert.equal(format(parse(text)), text)
        accepted++
      } catch (thrown) {
        if (!(thrown instanceof CountersignError)) throw thrown
      }
    }
  })
  assert.ok(accepted > 100)
})
