import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty } from '../fuzzing.testing.ts'
import { concat, equalBytes, parseHex, parseUtf8, toHex, uint64BigEndian, utf8 } from './bytes.ts'

test('bytes survive hexadecimal', (t) => {
  checkProperty(t, [fc.uint8Array({ maxLength: 100 })], 300, (bytes) => {
    assert.equal(toHex(bytes), Buffer.from(bytes).toString('hex'))
    assert.deepEqual(parseHex(toHex(bytes), bytes.length), bytes)
  })
})

test('hexadecimal has one spelling, and the length that was asked for', () => {
  for (const text of ['A0', 'aG', '0', '0x00', ' 00', '00\n', '٠٠', '00 ', '-1']) {
    assert.throws(() => parseHex(text), { code: 'bytes/bad-hex' }, text)
  }
  assert.throws(() => parseHex('0000', 1), { code: 'bytes/bad-hex' })
  assert.throws(() => parseHex('', 1), { code: 'bytes/bad-hex' })
  assert.deepEqual(parseHex(''), new Uint8Array(0))
})

test('text survives UTF-8, byte order mark and all; what is not UTF-8 is refused', (t) => {
  checkProperty(t, [fc.string({ unit: 'grapheme' })], 300, (text) => {
    const whole = `\ufeff${text}`
    assert.equal(parseUtf8(utf8(whole)), whole)
  })
  for (const hex of ['ff', 'c0af', 'eda080', 'f4908080', 'e282', '80']) {
    assert.throws(() => parseUtf8(parseHex(hex)), { code: 'bytes/bad-utf8' }, hex)
  }
})

test('joining, comparing, and integers of 64 bits', () => {
  assert.deepEqual(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3))
  assert.ok(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)))
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)))
  assert.ok(!equalBytes(Uint8Array.of(1), Uint8Array.of(2)))
  assert.equal(toHex(uint64BigEndian(0x0123_4567_89ab_cdefn)), '0123456789abcdef')
})
