import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty } from '../fuzzing.testing.ts'
import { exactTail, excludedFraud, logTail, powerIsAtMost, samplesNeeded } from './binomial.ts'

const MILLION = 1_000_000n

/** By the definition: the first n for which the chance to see nothing is small enough. */
function searchedSamples(fraud: number, confidence: number): number {
  const honest = MILLION - BigInt(fraud)
  let [power, scale] = [1n, 1n]
  for (let n = 1; ; n++) {
    power *= honest
    scale *= MILLION
    if (power * MILLION <= (MILLION - BigInt(confidence)) * scale) return n
  }
}

/** By the definition, every millionth from below: far too slow for use. */
function searchedBound(sampled: number, failures: number, confidence: number, from: number): number {
  const limit = (MILLION - BigInt(confidence)) * MILLION ** BigInt(sampled)
  for (let share = from; ; share++) {
    if (share === 1_000_000 || brute(sampled, failures, share) * MILLION <= limit) return share
  }
}

/** P(at most `failures`) as a sum over all outcomes, by Pascal’s triangle. */
function brute(sampled: number, failures: number, share: number): bigint {
  const [fail, pass] = [BigInt(share), MILLION - BigInt(share)]
  let chances = [1n]
  for (let i = 0; i < sampled; i++) {
    const next = Array.from({ length: chances.length + 1 }, () => 0n)
    chances.forEach((chance, k) => {
      next[k] = (next[k] ?? 0n) + chance * pass
      next[k + 1] = (next[k + 1] ?? 0n) + chance * fail
    })
    chances = next
  }
  return chances.slice(0, failures + 1).reduce((sum, chance) => sum + chance, 0n)
}

test('the figures that everyone quotes', () => {
  assert.equal(samplesNeeded(10_000, 990_000), 459)
  assert.equal(samplesNeeded(10_000, 950_000), 299)
  assert.equal(samplesNeeded(1_000, 990_000), 4603)
  assert.equal(samplesNeeded(50_000, 990_000), 90)
  assert.equal(samplesNeeded(1_000_000, 999_999), 1)
  assert.equal(samplesNeeded(1, 999_999), 13_815_504)
})

test('where it comes out even, not one more is asked for', () => {
  assert.equal(samplesNeeded(500_000, 750_000), 2)
  assert.equal(samplesNeeded(900_000, 990_000), 2)
  assert.equal(samplesNeeded(900_000, 999_000), 3)
  assert.equal(samplesNeeded(900_000, 999_999), 6)
  assert.equal(samplesNeeded(500_000, 984_375), 6)
  assert.equal(samplesNeeded(500_000, 984_376), 7)
})

test('samples are the smallest number, as reckoned in whole numbers', (t) => {
  const shares = [fc.integer({ min: 20_000, max: 1_000_000 }), fc.integer({ min: 1, max: 999_999 })] as const
  checkProperty(t, [...shares], 300, (fraud, confidence) => {
    assert.equal(samplesNeeded(fraud, confidence), searchedSamples(fraud, confidence))
  })
})

test('without a failure the bound has a closed form', (t) => {
  const arbitraries = [fc.integer({ min: 1, max: 200_000 }), fc.integer({ min: 1, max: 999_999 })] as const
  checkProperty(t, [...arbitraries], 400, (sampled, confidence) => {
    const closed = -Math.expm1(Math.log1p(-confidence / 1e6) / sampled) * 1e6
    const bound = excludedFraud(sampled, 0, confidence)
    assert.ok(bound >= Math.floor(closed + 1e-6) && bound <= Math.ceil(closed + 1e-6) + 0, `${bound} for ${closed}`)
  })
})

test('the bound is the one of whole numbers, over all outcomes', (t) => {
  const arbitraries = [
    fc.integer({ min: 1, max: 14 }),
    fc.integer({ min: 0, max: 14 }),
    fc.constantFrom(500_000, 900_000, 950_000, 990_000, 999_999),
  ] as const
  checkProperty(t, [...arbitraries], 150, (sampled, some, confidence) => {
    const failures = Math.min(some, sampled)
    const bound = excludedFraud(sampled, failures, confidence)
    assert.equal(bound, searchedBound(sampled, failures, confidence, Math.max(0, bound - 3)))
  })
})

test('figures of tables: Clopper and Pearson, one-sided', () => {
  // 1 − 0.05^(1/10); and the roots for 1 of 10 and 5 of 10, as tables of the beta distribution give them.
  assert.equal(excludedFraud(10, 0, 950_000), 258_866)
  assert.equal(excludedFraud(10, 1, 950_000), 394_164)
  assert.equal(excludedFraud(10, 5, 950_000), 777_559)
  assert.equal(excludedFraud(459, 0, 990_000), 9983)
})

test('whoever plans enough samples gets the bound', (t) => {
  const arbitraries = [fc.integer({ min: 100, max: 500_000 }), fc.integer({ min: 1, max: 999_999 })] as const
  checkProperty(t, [...arbitraries], 200, (fraud, confidence) => {
    const needed = samplesNeeded(fraud, confidence)
    assert.ok(excludedFraud(needed, 0, confidence) <= fraud)
    if (needed > 1) assert.ok(excludedFraud(needed - 1, 0, confidence) > fraud)
  })
})

test('more failures exclude less, more samples and less confidence exclude more', (t) => {
  const arbitraries = [
    fc.integer({ min: 2, max: 3000 }),
    fc.integer({ min: 0, max: 3000 }),
    fc.integer({ min: 100_000, max: 990_000 }),
  ] as const
  checkProperty(t, [...arbitraries], 200, (sampled, some, confidence) => {
    const failures = Math.min(some, sampled - 1)
    const bound = excludedFraud(sampled, failures, confidence)
    assert.ok(excludedFraud(sampled, failures + 1, confidence) >= bound)
    assert.ok(excludedFraud(sampled + 50, failures, confidence) <= bound)
    assert.ok(excludedFraud(sampled, failures, confidence + 5000) >= bound)
    assert.ok(bound >= Math.floor((failures / sampled) * 500_000))
  })
})

test('the sum of logarithms is the exact sum', () => {
  for (const [sampled, failures, share] of [
    [180, 3, 40_000],
    [200, 60, 400_000],
    [150, 149, 990_000],
    [199, 0, 1],
  ] as const) {
    const exact = exactTail(sampled, failures, share)
    // Seventeen digits of the whole number, and the power of ten that was cut off.
    const text = exact.toString()
    const log = Math.log(Number(text.slice(0, 17))) + (text.length - 17 - 6 * sampled) * Math.LN10
    assert.ok(Math.abs(logTail(sampled, failures, share / 1e6) - log) < 1e-9 * Math.max(1, Math.abs(log)) + 1e-9)
  }
})

test('powers are compared exactly, however close', () => {
  assert.ok(powerIsAtMost(1_000_000 - 1, 13_815_504, 1))
  assert.ok(!powerIsAtMost(1_000_000 - 1, 13_815_503, 1))
  assert.ok(powerIsAtMost(1, 100_000, 1))
  assert.ok(powerIsAtMost(0, 100, 1))
  assert.ok(!powerIsAtMost(1_000_000, 100, 999_999))
})

test('nothing sampled excludes nothing; what all failed neither', () => {
  assert.equal(excludedFraud(0, 0, 990_000), 1_000_000)
  assert.equal(excludedFraud(7, 7, 990_000), 1_000_000)
})

test('what is no share or count is refused', () => {
  for (const share of [0, 1_000_001, 0.5, Number.NaN]) {
    assert.throws(() => samplesNeeded(share, 990_000), { code: 'shape/bad-value' })
  }
  for (const confidence of [0, 1_000_000, -1]) {
    assert.throws(() => samplesNeeded(10_000, confidence), { code: 'shape/bad-value' })
    assert.throws(() => excludedFraud(10, 0, confidence), { code: 'shape/bad-value' })
  }
  for (const [sampled, failures] of [
    [1, 2],
    [-1, 0],
    [1.5, 0],
    [3, -1],
  ] as const) {
    assert.throws(() => excludedFraud(sampled, failures, 990_000), { code: 'shape/bad-value' })
  }
})

test('large samples are reckoned in time', () => {
  const start = performance.now()
  const bound = excludedFraud(120_000, 30_000, 990_000)
  assert.ok(bound > 250_000 && bound < 254_000, String(bound))
  assert.ok(performance.now() - start < 5000)
})
