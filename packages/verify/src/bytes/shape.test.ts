import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from './json.ts'
import { Fields, readHex, readText, ShapeError } from './shape.ts'

const fields = (value: Json) => new Fields(value, 'it')

test('only an object has fields', () => {
  for (const value of [null, 1, 'x', true, [], [{}]]) {
    assert.throws(() => fields(value), { code: 'shape/wrong-type' })
  }
  assert.throws(() => new Fields(undefined, 'it'), { code: 'shape/wrong-type' })
})

test('each field has its type, and an error says where', () => {
  const value = fields({ text: 'x', integer: 5, flag: true, list: [1], object: {}, hex: '00ff', none: null })
  assert.equal(value.text('text'), 'x')
  assert.equal(value.integer('integer'), 5)
  assert.equal(value.boolean('flag'), true)
  assert.deepEqual(
    value.list('list', 1, (item) => item),
    [1],
  )
  assert.equal(value.hex('hex', 2), '00ff')
  for (const name of ['integer', 'flag', 'list', 'object', 'none']) {
    assert.throws(() => value.text(name), { code: 'shape/wrong-type', path: `it.${name}` })
  }
  for (const name of ['text', 'flag', 'none']) {
    assert.throws(() => value.integer(name), { code: 'shape/wrong-type' })
    assert.throws(() => value.list(name, 1, (item) => item), name === 'x' ? {} : { code: 'shape/wrong-type' })
  }
  assert.throws(() => value.boolean('none'), { code: 'shape/wrong-type' })
  assert.throws(() => value.text('absent'), { code: 'shape/missing-field', path: 'it.absent' })
  assert.throws(() => value.list('list', 1, (_, path) => readText(1, path)), { path: 'it.list[0]' })
})

test('integers are whole, exact, and within their bounds', () => {
  for (const value of [0.5, 2 ** 53, -(2 ** 53), 1e308]) {
    assert.throws(() => fields({ value }).integer('value', -Infinity), { code: 'shape/wrong-type' }, String(value))
  }
  assert.throws(() => fields({ value: -1 }).integer('value'), { code: 'shape/bad-value' })
  assert.throws(() => fields({ value: 11 }).integer('value', 1, 10), { code: 'shape/bad-value' })
  assert.equal(fields({ value: 10 }).integer('value', 1, 10), 10)
})

test('texts are bounded, of the form asked for, and show what they say', () => {
  assert.throws(() => readText('abc', 'it', { maxLength: 2 }), { code: 'shape/bad-value' })
  assert.throws(() => readText('abc', 'it', { pattern: /^[0-9]+$/ }), { code: 'shape/bad-value' })
  assert.throws(() => readText('', 'it'), { code: 'shape/bad-value' })
  assert.equal(readText('', 'it', { mayBeEmpty: true }), '')
  for (const hidden of ['a\u0000', 'a\u001b[2J', 'a\nb', 'a\u202eb', 'a\u2066b', 'a\u2028b', 'a\u0085b', 'a\u007f']) {
    assert.throws(() => readText(hidden, 'it'), { code: 'shape/bad-value' }, JSON.stringify(hidden))
  }
  assert.equal(readText('a\nb', 'it', { isMultiline: true }), 'a\nb')
  assert.throws(() => readText('a\rb', 'it', { isMultiline: true }), { code: 'shape/bad-value' })
  assert.throws(() => readHex('0', 'it', 1), { code: 'shape/bad-value' })
  assert.throws(() => readHex('AA', 'it', 1), { code: 'shape/bad-value' })
})

test('a field that nobody took is refused, prototype names included', () => {
  const value = fields({ a: 1, b: 2 })
  value.integer('a')
  assert.throws(() => value.end(), { code: 'shape/unknown-field', path: 'it' })
  assert.throws(() => fields(JSON.parse('{"__proto__":1}')).end(), { code: 'shape/unknown-field' })
  assert.throws(() => fields({}).text('constructor'), { code: 'shape/missing-field' })
  assert.equal(fields({}).has('toString'), false)
})

test('an optional field is read when it is there, and taken when it is not', () => {
  const value = fields({ a: null })
  assert.equal(
    value.optional('b', () => 1),
    undefined,
  )
  assert.throws(() => value.optional('a', () => value.text('a')), { code: 'shape/wrong-type' })
  value.end()
})

test('lists and names are bounded, choices are closed', () => {
  assert.throws(() => fields({ list: [1, 2] }).list('list', 1, (item) => item), { code: 'shape/bad-value' })
  assert.throws(() => fields({ a: 1, b: 2 }).names(1), { code: 'shape/bad-value' })
  assert.throws(() => fields({ a: 'x' }).oneOf('a', ['y']), { code: 'shape/bad-value' })
  assert.throws(() => fields({ a: ['y'] }).oneOf('a', ['y']), { code: 'shape/bad-value' })
  assert.throws(() => fields({ a: 'true' }).literal('a', true), { code: 'shape/bad-value' })
})

test('a message quotes little of the input, and escapes it', () => {
  const error = new ShapeError('shape/bad-value', 'it', 'why')
  assert.equal(error.message, 'it: why')
  assert.throws(
    () => readText(`x${'y'.repeat(500)}`, 'it', { pattern: /^z/ }),
    ({ message }: Error) => message.length < 200,
  )
})
