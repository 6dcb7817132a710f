import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../../bytes/bytes.ts'
import { FILE_LIMITS, type Json, parseJson } from '../../bytes/json.ts'
import { codeOf } from '../../errors.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { jsonTexts } from './json-texts.testing.ts'
import { isJsonList, isJsonNumber, isJsonObject, type JsonTree, parseJsonTree } from './json-tree.ts'

/** The value that `JSON.parse` would have made of it. */
function plain(tree: JsonTree): Json {
  if (isJsonNumber(tree)) return Number(tree.lexeme)
  if (isJsonList(tree)) return tree.map(plain)
  if (isJsonObject(tree)) return Object.fromEntries([...tree].map(([name, item]) => [name, plain(item)]))
  return tree as Json
}

function outcome<T>(read: () => T): { readonly value?: T; readonly code?: string | undefined } {
  try {
    return { value: read() }
  } catch (thrown) {
    return { code: codeOf(thrown) ?? String(thrown) }
  }
}

test('numbers are kept as they are spelled', () => {
  const tree = parseJsonTree(utf8('[1.0, 1, -0, 1E5, 12345678901234567890]'), FILE_LIMITS)
  assert.deepEqual(
    tree,
    ['1.0', '1', '-0', '1E5', '12345678901234567890'].map((lexeme) => ({ lexeme })),
  )
})

test('it accepts what the other reader accepts, and means the same by it', (t) => {
  const samples = [
    '{"a":[1,2.5e-3,"x\\u00e9\\n"],"b":{"c":null,"d":true}}',
    '[[],{},"",-0.0,"\\ud800"]',
    ' {"a" : "\\"" } ',
  ]
  const texts = fc.oneof(
    jsonTexts().map(utf8),
    changedBytes(samples.map(utf8)),
    fc.string({ unit: fc.constantFrom(...'[]{},:"\\u0019eE+-. tfn') }).map(utf8),
  )
  let accepted = 0
  checkProperty(t, [texts], 4000, (bytes) => {
    const mine = outcome(() => plain(parseJsonTree(bytes, FILE_LIMITS)))
    const other = outcome(() => parseJson(bytes, FILE_LIMITS))
    if (other.code === undefined) accepted++
    assert.deepEqual(mine, other)
  })
  assert.ok(accepted > 500)
})

test('size, depth and doubled keys are refused by name', () => {
  const parse = (text: string, limits = { maxBytes: 20, maxDepth: 3 }) => parseJsonTree(utf8(text), limits)
  assert.throws(() => parse(`[${' '.repeat(20)}]`), { code: 'bytes/too-large' })
  assert.throws(() => parse('[[[[]]]]'), { code: 'json/too-deep' })
  assert.throws(() => parse('{"a":1,"\\u0061":2}'), { code: 'json/duplicate-key' })
  assert.throws(() => parse('{"__proto__":1,"__proto__":2}', FILE_LIMITS), { code: 'json/duplicate-key' })
  for (const text of [
    '',
    'NaN',
    'Infinity',
    '-Infinity',
    '01',
    '1.',
    '.5',
    '+1',
    "'a'",
    '"\n"',
    '[1,]',
    '{"a":1,}',
    '\ufeff1',
    '1 2',
  ]) {
    assert.throws(() => parse(text), { code: 'json/malformed' }, text)
  }
})

test('a long text takes no long time', () => {
  for (const text of [
    `"${'\\\\'.repeat(5e5)}"`,
    `[${'1,'.repeat(2e5)}1]`,
    `{"a":"${'x'.repeat(1e6)}"}`,
    '['.repeat(2e5),
    `"${'\\u00'.repeat(2e5)}`,
  ]) {
    expectTyped(() => parseJsonTree(utf8(text), FILE_LIMITS))
  }
})
