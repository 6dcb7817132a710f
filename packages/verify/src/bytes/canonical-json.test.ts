import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty, expectTyped } from '../fuzzing.testing.ts'
import { utf8 } from './bytes.ts'
import { canonicalJson } from './canonical-json.ts'
import { FILE_LIMITS, type Json, parseJson } from './json.ts'

test('members go by the UTF-16 units of their names, at every level', () => {
  assert.equal(canonicalJson({ b: 1, a: { d: [], c: {} } }), '{"a":{"c":{},"d":[]},"b":1}')
  // U+1F600 begins with the unit d83d, so that it stands before U+FB33, and behind U+20AC.
  assert.equal(canonicalJson({ '\ufb33': 1, '😀': 2, '€': 3, '': 4 }), '{"":4,"€":3,"😀":2,"\ufb33":1}')
  assert.equal(canonicalJson(JSON.parse('{"b":1,"__proto__":2,"2":3,"10":4}')), '{"10":4,"2":3,"__proto__":2,"b":1}')
})

test('numbers are as ECMAScript writes them, and texts escape what they must', () => {
  const numbers = [0, -0, 1.0, 1e21, 1e-7, 123456789012345680000, 0.000001, 5e-324, -1.5]
  assert.equal(canonicalJson(numbers), '[0,0,1,1e+21,1e-7,123456789012345680000,0.000001,5e-324,-1.5]')
  assert.equal(canonicalJson('€$\u000f\nA\'B"\\/\u2028\u007f'), '"€$\\u000f\\nA\'B\\"\\\\/\u2028\u007f"')
  assert.equal(canonicalJson([null, true, false]), '[null,true,false]')
})

test('what has no canonical form is refused', () => {
  for (const value of ['\ud800', { '\udc00': 1 }, Number.NaN, Number.POSITIVE_INFINITY] as const) {
    assert.throws(() => canonicalJson(value), { code: 'json/malformed' })
  }
  let deep: Json = 1
  for (let i = 0; i < 64; i++) deep = [deep]
  assert.throws(() => canonicalJson(deep), { code: 'json/too-deep' })
})

test('it is one spelling: it reads as what it was written from, whatever the order was', (t) => {
  checkProperty(t, [fc.jsonValue({ maxDepth: 5 })], 500, (given) => {
    const value = given as Json
    const text = expectTyped(() => canonicalJson(value))
    if (text === undefined) return
    const read = parseJson(utf8(text), FILE_LIMITS)
    assert.deepEqual(read, JSON.parse(JSON.stringify(value)))
    assert.equal(canonicalJson(read), text)
    assert.equal(canonicalJson(reversed(value)), text)
  })
})

function reversed(value: Json): Json {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(reversed)
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, reversed(item as Json)]),
  )
}
