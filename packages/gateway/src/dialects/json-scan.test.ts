import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from '@countersign/verify'
import fc from 'fast-check'
import { MAX_MEMBERS, scanItems, scanObject } from './json-scan.ts'
import { MAX_DEPTH } from './json-syntax.ts'
import { changed, checkProperty, expectTyped, textChanges, windowOn } from './properties.testing.ts'

const scan = (text: string) => scanObject(windowOn(text))
const objects = fc.dictionary(fc.string({ maxLength: 6, unit: 'binary' }), fc.jsonValue({ maxDepth: 4 }), {
  maxKeys: 8,
})

/** What JSON.parse and the reader of signed files make of a text, and so what the scanner must. */
function expected(text: string): string {
  try {
    const value = JSON.parse(text) as unknown
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return 'shape/wrong-type'
    return 'object'
  } catch {
    return 'json/malformed'
  }
}

/** Whether some object in the text has a name twice. */
function hasDuplicate(text: string): boolean {
  const read = expectTyped(() => parseJson(Buffer.from(text), { maxBytes: 1 << 20, maxDepth: 1000 }))
  return 'code' in read && read.code === 'json/duplicate-key'
}

function outcome(text: string, offset: number): string {
  const read = expectTyped(() => scanObject(windowOn(text, offset)))
  return 'code' in read ? read.code : 'object'
}

test('every member is found, and its bytes are its value', (t) => {
  checkProperty(t, [objects, fc.nat({ max: 3 }), fc.nat({ max: 7 })], 500, (object, indent, offset) => {
    const text = JSON.stringify(object, undefined, indent)
    const parsed = JSON.parse(text) as { [name: string]: unknown }
    const scanned = scanObject(windowOn(text, offset))
    assert.deepEqual([...scanned.members.keys()].sort(), Object.keys(parsed).sort())
    for (const [name, member] of scanned.members) {
      const value = scanned.bytes.subarray(member.start, member.end)
      assert.deepEqual(JSON.parse(Buffer.from(value).toString()), parsed[name])
      const spelled = scanned.bytes.subarray(member.nameSpan.start, member.nameSpan.end)
      assert.equal(JSON.parse(Buffer.from(spelled).toString()), name)
      if (typeof parsed[name] === 'string') assert.equal(scanned.textOf(name), parsed[name])
      if (typeof parsed[name] === 'number') assert.equal(Number(scanned.numberTextOf(name)), parsed[name])
      if (typeof parsed[name] === 'boolean') assert.equal(scanned.booleanOf(name), parsed[name])
    }
  })
})

test('what is JSON, and what is not, is what JSON.parse says', (t) => {
  let refused = 0
  let accepted = 0
  const values = fc.oneof({ weight: 5, arbitrary: objects }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) })
  checkProperty(t, [values, textChanges, fc.nat({ max: 3 })], 4000, (value, changes, indent) => {
    const text = changed(JSON.stringify(value, undefined, indent), changes)
    // A half of a character cannot be said in UTF-8.
    if (/\p{Cs}/u.test(text)) return
    const found = outcome(text, 1)
    if (found === 'json/duplicate-key') assert.ok(hasDuplicate(text), text)
    else assert.equal(found, expected(text), text)
    if (found === 'object') accepted++
    else refused++
  })
  assert.ok(accepted > 200 && refused > 200, `${accepted} and ${refused}`)
})

test('long strings are checked to the last byte, wherever they lie', (t) => {
  const plant = fc.constantFrom(
    '\u0000',
    '\u001f',
    '"',
    '\\',
    '\\n',
    '\\"',
    '\\u00e9',
    '\\u00g0',
    '\\x',
    '\u007f',
    '\u00e9',
    ' ',
  )
  const place = fc.nat({ max: 1200 })
  checkProperty(t, [place, place, plant, fc.nat({ max: 7 })], 3000, (length, at, planted, offset) => {
    const letters = 'x'.repeat(length)
    const text = `{"a":"${letters.slice(0, at)}${planted}${letters.slice(at)}"}`
    assert.equal(outcome(text, offset), expected(text), JSON.stringify([length, at, planted, offset]))
  })
})

test('numbers and words are those of the standard', () => {
  for (const good of ['0', '-0', '10', '1.5', '-1e9', '1E+05', '0.0e-0', 'true', 'false', 'null']) {
    assert.equal(scan(`{"a":${good}}`).members.size, 1, good)
  }
  for (const bad of [
    '01',
    '+1',
    '.5',
    '1.',
    '1e',
    '1e+',
    '-',
    '- 1',
    '0x1',
    'NaN',
    'Infinity',
    'True',
    'nul',
    'nulls',
    '',
  ]) {
    assert.throws(() => scan(`{"a":${bad}}`), { code: 'json/malformed' }, bad)
  }
  for (const bad of [
    '',
    ' ',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    '{}x',
    '{}{}',
    '\ufeff{}',
  ]) {
    assert.throws(() => scan(bad), { code: 'json/malformed' }, bad)
  }
})

test('a name that stands twice is found however it is spelled; inside a value it is none of our business', () => {
  for (const name of ['"model"', '"mod\\u0065l"', '"\\u006dodel"']) {
    assert.throws(() => scan(`{"model":"a","x":1,${name}:"b"}`), { code: 'json/duplicate-key' }, name)
  }
  assert.throws(() => scan('{"é":1,"\\u00e9":2}'), { code: 'json/duplicate-key' })
  assert.throws(() => scan('{"__proto__":1,"__proto__":2}'), { code: 'json/duplicate-key' })
  assert.equal(scan('{"model":"a","Model":"b","x":{"y":1,"y":2}}').members.size, 3)
})

test('depth and members are bounded, to the level and to the member', () => {
  const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
  assert.equal(scan(nested(MAX_DEPTH)).members.size, 1)
  assert.throws(() => scan(nested(MAX_DEPTH + 1)), { code: 'json/too-deep' })
  assert.throws(() => scan(`{"a":${'{"b":'.repeat(100_000)}`), { code: 'json/too-deep' })
  assert.throws(() => scan('['.repeat(100_000)), { code: 'json/too-deep' })
  const wide = (members: number) => `{${Array.from({ length: members }, (_, i) => `"${i}":0`).join(',')}}`
  assert.equal(scan(wide(MAX_MEMBERS)).members.size, MAX_MEMBERS)
  assert.throws(() => scan(wide(MAX_MEMBERS + 1)), { code: 'bytes/too-large' })
})

test('a reader gives the value, nothing for what is missing, and an error with the name for another kind', () => {
  const scanned = scan(
    '{"model":"g\\u0070t\\n","seed":18446744073709551615,"stream":false,"stop":null,"messages":[],"x":{}}',
  )
  assert.equal(scanned.textOf('model'), 'gpt\n')
  assert.equal(scanned.numberTextOf('seed'), '18446744073709551615')
  assert.equal(scanned.booleanOf('stream'), false)
  assert.deepEqual(
    ['model', 'seed', 'stream', 'stop', 'messages', 'x', 'none'].map((name) => scanned.kindOf(name)),
    ['text', 'number', 'boolean', 'null', 'list', 'object', undefined],
  )
  assert.equal(scanned.textOf('none') ?? scanned.numberTextOf('none') ?? scanned.booleanOf('none'), undefined)
  assert.equal(scanned.spanOf('none') ?? scanned.bytesOf('none'), undefined)
  assert.throws(() => scanned.textOf('seed'), { code: 'shape/wrong-type', message: /^seed: / })
  assert.throws(() => scanned.numberTextOf('model'), { code: 'shape/wrong-type', message: /^model: / })
  assert.throws(() => scanned.booleanOf('stop'), { code: 'shape/wrong-type', message: /^stop: / })
})

test('UTF-8 is checked where a text is read, and nowhere else', () => {
  const bad = (before: string, after: string) =>
    Buffer.concat([Buffer.from(before), Buffer.of(0xff), Buffer.from(after)])
  assert.throws(() => scanObject(bad('{"', '":1}')), { code: 'bytes/bad-utf8' })
  const scanned = scanObject(bad('{"a":"', '","b":"é"}'))
  assert.throws(() => scanned.textOf('a'), { code: 'bytes/bad-utf8' })
  assert.equal(scanned.textOf('b'), 'é')
})

test('the items of a list come one by one, up to a limit', () => {
  const items = (text: string, max: number) =>
    scanItems(windowOn(text), max).map((item) => Buffer.from(item).toString())
  assert.deepEqual(items(' [ 1 , {"a":[2]} ,"x" ] ', 9), ['1', '{"a":[2]}', '"x"'])
  assert.deepEqual(items('[1,2,oops', 2), ['1', '2'])
  assert.deepEqual(items('[]', 2), [])
  assert.throws(() => items('[1,2,oops', 3), { code: 'json/malformed' })
  assert.throws(() => items('[1', 3), { code: 'json/malformed' })
  assert.throws(() => items('{}', 3), { code: 'shape/wrong-type' })
})

test('any bytes: an object or a typed error', (t) => {
  checkProperty(t, [fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 3 })], 2000, (bytes, offset) => {
    expectTyped(() => scanObject(windowOn(bytes, offset)))
    expectTyped(() => scanObject(windowOn(Buffer.concat([Buffer.from('{"a":'), bytes]), offset)))
    expectTyped(() => scanItems(windowOn(bytes, offset), 10))
  })
})

test('twenty megabytes take no long time, whatever they are', () => {
  const megabytes = (unit: string) => unit.repeat(20_000_000 / unit.length)
  for (const unit of ['A', '\\n', '\\\\', '\\u0041', 'é', ' ']) {
    assert.equal(
      expectTyped(() => scan(`{"a":"${megabytes(unit)}"}`)) && outcome(`{"a":"${megabytes(unit)}"}`, 1),
      'object',
    )
  }
  for (const unit of ['1,', '[],', '{"a":1},', '"",', '{"a":["b"]}, ']) {
    assert.equal(outcome(`{"a":[${megabytes(unit)}0]}`, 1), 'object', unit)
  }
  for (const bad of ['"', '[', '{"":', ' ', '1', '\\']) assert.notEqual(outcome(megabytes(bad), 1), 'object', bad)
})
