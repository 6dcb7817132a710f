import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isClearEvent, isDone, mayHold, memberMark } from './frame-marks.ts'
import { checkProperty, windowOn } from './properties.testing.ts'
import { readFrame } from './sse-frames.ts'

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

const frameOf = (text: string) => readFrame(Buffer.from(text))

test('an event is clear when every client finds one object with one type in it', () => {
  const clear = ['data: {"type":"ping"}', 'event: ping', 'data:', ': a', 'data: {"type":"a",\ndata: "b":{"type":"c"}}']
  for (const text of clear) assert.equal(isClearEvent(frameOf(`${text}\n\n`)), true, text)
  const unclear = [
    'data: {"type":"a","type":"b"}',
    'data: {"type":"a","t\\u0079pe":"b"}',
    'data: {"type":"a"} {}',
    'data: {"type":"a"',
    'data: "a"',
    'data: {"a":\ndata: {"type":"b"}\ndata: }',
    'data: \ndata: {"type":"b"}',
    `data: {"a":${'['.repeat(200)}${']'.repeat(200)}}`,
  ]
  for (const text of unclear) assert.equal(isClearEvent(frameOf(`${text}\n\n`)), false, text)
})

test('the word for the end counts at the start of any line of data', () => {
  for (const text of [
    'data: [DONE]',
    'data:[DONE] more',
    'data: {}\ndata: [DONE]',
    'data: \ndata: \t [DONE]\ndata: x',
  ]) {
    assert.equal(isDone(frameOf(`${text}\n\n`)), true, text)
  }
  for (const text of ['data: {"a":"[DONE]"}', ': [DONE]', 'event: [DONE]', 'data: [DON', 'data', 'data: x[DONE]']) {
    assert.equal(isDone(frameOf(`${text}\n\n`)), false, text)
  }
  const blanks = Buffer.alloc(4_000_000, 'data:  \n')
  assert.equal(isDone(readFrame(blanks)), false)
})
