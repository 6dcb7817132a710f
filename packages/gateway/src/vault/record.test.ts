import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openContent, saltSeed, sealContent } from './record.ts'

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const contents = fc
  .dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), fc.uint8Array({ maxLength: 300 }))
  .map((parts) => new Map(Object.entries(parts).map(([label, bytes]) => [label, new Uint8Array(bytes)])))

test('what is sealed opens again', () => {
  fc.assert(
    fc.property(bytesOf(32), bytesOf(16), contents, (key, receipt, content) => {
      assert.deepEqual(openContent(key, receipt, sealContent(key, receipt, content)), content)
    }),
  )
})

test('opens with no other key, for no other receipt, and not when a bit was changed', () => {
  fc.assert(
    fc.property(bytesOf(32), bytesOf(16), contents, fc.nat(), (key, receipt, content, some) => {
      const record = sealContent(key, receipt, content)
      const refused = { code: 'vault/wrong-key' }
      assert.throws(() => openContent(flipped(key, some), receipt, record), refused)
      assert.throws(() => openContent(key, flipped(receipt, some), record), refused)
      assert.throws(() => openContent(key, receipt, flipped(record, some)), refused)
      assert.throws(() => openContent(key, receipt, record.subarray(0, some % record.length)), refused)
    }),
  )
})

test('any bytes: a typed error, never a crash', () => {
  const key = new Uint8Array(32)
  const receipt = new Uint8Array(16)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (record) => {
      assert.throws(() => openContent(key, receipt, record), { code: 'vault/wrong-key' })
    }),
  )
})

test('a large record is sealed whole', () => {
  const key = new Uint8Array(32).fill(1)
  const receipt = new Uint8Array(16).fill(2)
  const content = new Map([['request', new Uint8Array(3 * 1024 * 1024).fill(5)]])
  assert.deepEqual(openContent(key, receipt, sealContent(key, receipt, content)), content)
})

test('sealing the same twice gives different bytes; the salts of two receipts have nothing in common', () => {
  const key = new Uint8Array(32).fill(1)
  const one = new Uint8Array(16).fill(2)
  const other = new Uint8Array(16).fill(3)
  const content = new Map([['request', new Uint8Array(10)]])
  assert.notDeepEqual(sealContent(key, one, content), sealContent(key, one, content))
  assert.deepEqual(saltSeed(key, one), saltSeed(key, one))
  assert.notDeepEqual(saltSeed(key, one), saltSeed(key, other))
  assert.equal(saltSeed(key, one).length, 32)
})

function flipped(bytes: Uint8Array, some: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  const bit = some % (bytes.length * 8)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
