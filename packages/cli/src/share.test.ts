import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatShare, parseShare } from './share.ts'

test('shares are exact, to the millionth', () => {
  for (const [text, millionths] of [
    ['0.01', 10_000],
    ['1', 1_000_000],
    ['0.000001', 1],
    ['0.3', 300_000],
    ['1.000', 1_000_000],
  ] as const) {
    assert.equal(parseShare('--rate', text, 1_000_000), millionths)
  }
  for (const text of ['', '0', '1.1', '.5', '1e-3', '0.0000001', '-0.1', '5%', '2']) {
    assert.throws(() => parseShare('--rate', text, 1_000_000), { code: 'usage/invalid' }, text)
  }
  assert.throws(() => parseShare('--confidence', '1', 999_999), { code: 'usage/invalid' })
})

test('shares are shown in percent', () => {
  const shown = [10_000, 1_000_000, 1, 9983, 535_842, 0].map(formatShare)
  assert.deepEqual(shown, ['1%', '100%', '0.0001%', '0.9983%', '53.5842%', '0%'])
})
