import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mayHold, memberMark } from './frame-marks.ts'
import { checkProperty, windowOn } from './properties.testing.ts'

const MARKS = [memberMark('usage'), memberMark('error')]

/** Whether some object in the value has one of the members with a value. */
function holds(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false
  const isHolder = ['usage', 'error'].some(
    (name) =>
      !Array.isArray(value) && Object.hasOwn(value, name) && (value as { [name: string]: unknown })[name] !== null,
  )
  return isHolder || Object.values(value).some(holds)
}

test('a member with a value is never missed, and a text is never taken for one', (t) => {
  let held = 0
  const names = fc.constantFrom('usage', 'error', 'x', 'usage"', 'errors')
  const { values } = fc.letrec((tie) => ({
    values: fc.oneof(
      { depthSize: 'medium' },
      fc.constantFrom(null, 0, 'usage', '"usage":1', '\\"error":{}', '\\', 'a"'),
      fc.dictionary(names, tie('values'), { maxKeys: 3 }),
      fc.array(tie('values'), { maxLength: 3 }),
    ),
  }))
  checkProperty(t, [values, fc.nat({ max: 2 })], 3000, (value, indent) => {
    const text = JSON.stringify(value, undefined, indent)
    assert.equal(mayHold(windowOn(text), MARKS), holds(value), text)
    if (holds(value)) held++
  })
  assert.ok(held > 300, String(held))
  // A name that ends like one, behind a quote, costs a look and no more.
  assert.equal(mayHold(Buffer.from('{"\\"usage":1}'), MARKS), true)
  assert.equal(mayHold(Buffer.from('{"usage" \n: \t{}}'), MARKS), true)
  assert.equal(mayHold(Buffer.from('{"usage":null,"a":{"usage":1}}'), MARKS), true)
  for (const no of ['', 'usage":1', '"usage"', '"usage":', '"usage": null', 'usage"'])
    assert.equal(mayHold(Buffer.from(no), MARKS), false, no)
})
