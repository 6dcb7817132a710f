import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binomialChances, binomialLimits } from './binomial-limits.ts'

/** Chances of 0 to `trials`, times 1000^trials, in whole numbers: by Pascal's triangle. */
function exactChances(trials: number, thousandths: number): readonly bigint[] {
  let chances = [1n]
  for (let i = 0; i < trials; i++) {
    const hit = chances.map((chance) => chance * BigInt(thousandths))
    const missed = chances.map((chance) => chance * BigInt(1000 - thousandths))
    chances = [...missed, 0n].map((chance, count) => chance + (hit[count - 1] ?? 0n))
  }
  return chances
}

function exactLimits(trials: number, thousandths: number, errorBillionths: number) {
  const chances = exactChances(trials, thousandths)
  const isWithin = (tail: bigint) => tail * 2_000_000_000n <= BigInt(errorBillionths) * 1000n ** BigInt(trials)
  let [least, most, low, high] = [0, trials, chances[0] ?? 0n, chances[trials] ?? 0n]
  while (isWithin(low)) low += chances[++least] ?? 0n
  while (isWithin(high)) high += chances[--most] ?? 0n
  return { least, most }
}

test('limits are those of whole numbers', () => {
  for (const [trials, thousandths] of [
    [1, 500],
    [5, 10],
    [40, 999],
    [60, 300],
    [200, 50],
    [200, 905],
  ] as const) {
    for (const errorBillionths of [1, 1000, 50_000_000]) {
      const limits = binomialLimits(trials, thousandths / 1000, errorBillionths / 1e9)
      assert.deepEqual(limits, exactLimits(trials, thousandths, errorBillionths), `${trials} at ${thousandths}`)
    }
  }
})

test('chances add up to one, and have the mean and spread that they should', () => {
  for (const [trials, chance] of [
    [1_000_000, 0.01],
    [200, 0.4],
    [4500, 0.1],
  ] as const) {
    const { from, chances } = binomialChances(trials, chance)
    const mean = chances.reduce((sum, each, i) => sum + each * (from + i), 0)
    const spread = chances.reduce((sum, each, i) => sum + each * (from + i - trials * chance) ** 2, 0)
    assert.ok(Math.abs(mean / (trials * chance) - 1) < 1e-9)
    assert.ok(Math.abs(spread / (trials * chance * (1 - chance)) - 1) < 1e-9)
  }
})

test('what is certain has no room', () => {
  assert.deepEqual(binomialLimits(200, 0, 1e-6), { least: 0, most: 0 })
  assert.deepEqual(binomialLimits(200, 1, 1e-6), { least: 200, most: 200 })
  // As good as certain: a miss in ten million million is not let pass.
  assert.deepEqual(binomialLimits(200, 1 - 1e-13, 1e-6), { least: 200, most: 200 })
})
