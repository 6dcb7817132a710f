import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty } from '../fuzzing.testing.ts'
import { utf8 } from './bytes.ts'
import { FILE_LIMITS, type JsonLimits, PAYLOAD_LIMITS, parseJson } from './json.ts'

const parse = (text: string, limits: JsonLimits = FILE_LIMITS) => parseJson(utf8(text), limits)

test('what JSON.stringify writes is read as it was, with white space or without', (t) => {
  checkProperty(t, [fc.jsonValue({ maxDepth: 6 }), fc.nat({ max: 3 })], 500, (value, indent) => {
    const text = JSON.stringify(value, undefined, indent)
    assert.deepEqual(parse(text), JSON.parse(text))
  })
})

/** A spelling of a text in JSON: letter by letter plain or escaped. */
function spell(text: string, escapes: readonly boolean[]): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))
  const spelled = units.map((unit, i) =>
    escapes[i % escapes.length] ? `\\u${unit.toString(16).padStart(4, '0')}` : JSON.stringify(text[i]).slice(1, -1),
  )
  return `"${spelled.join('')}"`
}

test('a key that stands twice is found, however it is spelled and wherever it is', (t) => {
  const escapes = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 })
  const keys = fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('__proto__', '"', '\\', ':', '\\"', 'a":"b'))
  checkProperty(
    t,
    [keys, escapes, escapes, fc.jsonValue({ maxDepth: 2 }), fc.nat({ max: 4 })],
    500,
    (key, a, b, value, depth) => {
      const other = JSON.stringify(value)
      const twice = `{${spell(key, a)}:${other},"between":0,${spell(key, b)}:${other}}`
      const nested = `${'[0,{"x":'.repeat(depth)}${twice}${'}]'.repeat(depth)}`
      assert.throws(() => parse(nested), { code: 'json/duplicate-key' }, nested)
      const once = `{${spell(key, a)}:${other},${spell(`${key}2`, b)}:${other}}`
      assert.doesNotThrow(() => parse(once), once)
    },
  )
})

test('a prototype key is a key like any other', () => {
  const value = parse('{"__proto__":{"polluted":true}}') as { readonly polluted?: boolean }
  assert.equal(value.polluted, undefined)
  assert.deepEqual(Object.keys(value), ['__proto__'])
})

test('size and depth are bounded, to the byte and to the level', () => {
  const limits = { maxBytes: 10, maxDepth: 3 }
  assert.deepEqual(parse('[[[1,23]]]', limits), [[[1, 23]]])
  assert.throws(() => parse('[[[1,234]]]', limits), { code: 'bytes/too-large' })
  assert.throws(() => parse('[[[[1]]]]', limits), { code: 'json/too-deep' })
  // Seen before the text is parsed, which takes its time.
  assert.throws(() => parse('['.repeat(9), limits), { code: 'json/too-deep' })
  assert.throws(() => parse(`[${' '.repeat(PAYLOAD_LIMITS.maxBytes)}]`, PAYLOAD_LIMITS), { code: 'bytes/too-large' })
})

test('a text of brackets alone is refused before it is parsed', () => {
  const text = '['.repeat(8_000_000) + ']'.repeat(8_000_000)
  const start = performance.now()
  assert.throws(() => parse(text), { code: 'json/too-deep' })
  assert.ok(performance.now() - start < 3000)
  assert.deepEqual(parse('["[[[[", {"{{{{": 1}]', { maxBytes: 100, maxDepth: 2 }), ['[[[[', { '{{{{': 1 }])
})

test('a text of four million bytes takes no long time', () => {
  for (const unit of ['"\\\\\\"",', '{"a":1},', '0,', '"\\\\",', '[],']) {
    const text = `[${unit.repeat(4_000_000 / unit.length).slice(0, -1)}]`
    const start = performance.now()
    parse(text)
    assert.ok(performance.now() - start < 8000, unit)
  }
})
