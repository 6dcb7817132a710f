import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { receiptSecret, sameSecret } from './receipt-secret.ts'

const ROOT = new Uint8Array(32).fill(1)
const RECEIPT = new Uint8Array(16).fill(2)

test('depends on root key, receipt and generation, and on nothing else', () => {
  const secret = receiptSecret(ROOT, RECEIPT, 0)
  assert.match(secret, /^[A-Za-z0-9_-]{43}$/)
  assert.equal(receiptSecret(ROOT, RECEIPT, 0), secret)
  const others = [
    receiptSecret(new Uint8Array(32), RECEIPT, 0),
    receiptSecret(ROOT, new Uint8Array(16), 0),
    receiptSecret(ROOT, RECEIPT, 1),
    receiptSecret(ROOT, RECEIPT, 10),
  ]
  assert.equal(new Set([secret, ...others]).size, 5)
})

test('secrets are the same when they are equal, whatever their lengths', () => {
  const texts = fc.string({ maxLength: 60 })
  fc.assert(fc.property(texts, texts, (a, b) => assert.equal(sameSecret(a, b), a === b)))
  fc.assert(fc.property(texts, (a) => assert.equal(sameSecret(a, `${a}`), true)))
})

test('every secret of the gateway is compared in constant time', () => {
  for (const name of ['../http/app.js', './receipt-secret.js']) {
    const source = readFileSync(new URL(name, import.meta.url), 'utf8')
    assert.doesNotMatch(source, /(given|token|secret|expected)\s*[!=]==?(?!=?\s*undefined)/i, name)
  }
  assert.match(sameSecret.toString(), /timingSafeEqual/)
})
