import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatMoney, parseMoney } from './money.ts'

test('money is read as people write it', () => {
  assert.deepEqual(parseMoney('25.00EUR'), { amountMicros: 25_000_000, currency: 'EUR' })
  assert.deepEqual(parseMoney('25 USD'), { amountMicros: 25_000_000, currency: 'USD' })
  assert.deepEqual(parseMoney('0.000001JPY'), { amountMicros: 1, currency: 'JPY' })
  assert.deepEqual(parseMoney('0.1EUR'), { amountMicros: 100_000, currency: 'EUR' })
  for (const text of [
    '',
    '25',
    'EUR',
    '25eur',
    '-1EUR',
    '1,5EUR',
    '.5EUR',
    '1.EUR',
    '0.0000001EUR',
    '1e3EUR',
    '9999999999EUR',
  ]) {
    assert.throws(() => parseMoney(text), { code: 'usage/invalid' }, text)
  }
})

test('money is shown with at least two decimals, and none is lost', () => {
  assert.equal(formatMoney(25_000_000, 'EUR'), '25.00 EUR')
  assert.equal(formatMoney(0, 'EUR'), '0.00 EUR')
  assert.equal(formatMoney(125, 'EUR'), '0.000125 EUR')
  assert.equal(formatMoney(1_500_000, 'USD'), '1.50 USD')
  fc.assert(
    fc.property(fc.maxSafeNat(), (amountMicros) => {
      assert.deepEqual(parseMoney(formatMoney(amountMicros, 'EUR')), { amountMicros, currency: 'EUR' })
    }),
  )
})
