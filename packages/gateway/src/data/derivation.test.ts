import assert from 'node:assert/strict'
import { hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import { toHex } from '@countersign/verify'
import fc from 'fast-check'
import { createRandom, deriveKey } from './derivation.ts'

test('a derived key is the one that HKDF gives', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 100 })
  fc.assert(
    fc.property(bytes, bytes, fc.string(), (secret, salt, label) => {
      const expected = new Uint8Array(hkdfSync('sha256', secret, salt, label, 32))
      assert.deepEqual(deriveKey(secret, salt, label), expected)
    }),
  )
})

test('random bytes are handed out once, also across refills of the stock', () => {
  const random = createRandom()
  const seen = new Set(Array.from({ length: 2000 }, () => toHex(random(16))))
  assert.equal(seen.size, 2000)
  assert.equal(random(12).length, 12)
  const bytes = random(16)
  assert.equal(bytes.buffer.byteLength, 16, 'the stock itself must not travel with what was drawn from it')
})
