import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty } from '../fuzzing.testing.ts'
import { type BoundedMeasures, boundMeasures, type Measures, measureShares } from './concentration.ts'

const RUNS = 500
/** Entropies are sums of rounded logarithms. */
const TOLERANCE = 0.000002

const weight = fc.oneof(fc.bigInt(1n, 9n), fc.bigInt(1n, 2n ** 90n))
const weights = fc.array(weight, { minLength: 1, maxLength: 12 })

function measure(of: readonly bigint[]): Measures {
  return measureShares(of) ?? assert.fail('nothing to measure')
}

function bound(known: readonly bigint[], unknown: readonly bigint[]): BoundedMeasures {
  return boundMeasures(known, unknown) ?? assert.fail('nothing to measure')
}

function near(a: number, b: number, why?: string): void {
  assert.ok(Math.abs(a - b) <= TOLERANCE, `${why ?? ''} ${a} is not near ${b}`)
}

test('equals: closed forms', () => {
  for (let n = 1; n <= 100; n++) {
    const found = measure(Array.from({ length: n }, () => 7n))
    assert.equal(found.entities, n)
    assert.equal(found.effectiveNumber, n)
    near(found.herfindahl, 10_000 / n)
    assert.equal(found.nakamotoThird, Math.floor(n / 3) + 1)
    assert.equal(found.nakamotoHalf, Math.floor(n / 2) + 1)
    assert.equal(found.nakamotoTwoThirds, Math.floor((2 * n) / 3) + 1)
    near(found.shannonBits, Math.log2(n))
    near(found.minEntropyBits, Math.log2(n))
    near(found.topShare, 1 / n)
    near(found.topThreeShare, Math.min(1, 3 / n))
    assert.equal(found.gini, 0)
  }
})

test('known shares: figures by hand', () => {
  const { effectiveNumber, herfindahl, gini, shannonBits, topShare, topThreeShare } = measure([5n, 3n, 1n, 1n])
  assert.deepEqual([herfindahl, topShare, topThreeShare], [3600, 0.5, 0.9])
  assert.deepEqual([effectiveNumber, gini], [2.777778, 0.35])
  assert.equal(shannonBits, 1.685475)
  assert.deepEqual(measure([1n]), {
    ...{ entities: 1, nakamotoThird: 1, nakamotoHalf: 1, nakamotoTwoThirds: 1, herfindahl: 10_000, effectiveNumber: 1 },
    ...{ shannonBits: 0, minEntropyBits: 0, topShare: 1, topThreeShare: 1, gini: 0 },
  })
  assert.equal(measureShares([]), undefined)
  assert.equal(measureShares([0n, 0n]), undefined)
  assert.equal(boundMeasures([], []), undefined)
})

test('a coalition needs strictly more than the fraction, to the last unit', () => {
  const large = 2n ** 80n
  // One has exactly half, exactly a third, exactly two thirds: not enough.
  assert.equal(measure([large, large - 1n, 1n]).nakamotoHalf, 2)
  assert.equal(measure([large + 1n, large - 1n]).nakamotoHalf, 1)
  assert.equal(measure([large, large, large]).nakamotoThird, 2)
  assert.equal(measure([large + 1n, large, large - 1n]).nakamotoThird, 1)
  assert.equal(measure([2n * large, large]).nakamotoTwoThirds, 2)
  assert.equal(measure([2n * large + 1n, large - 1n]).nakamotoTwoThirds, 1)
})

test('measures stay within their bounds', (t) => {
  checkProperty(t, [weights], RUNS, (of) => {
    const n = of.length
    const found = measure(of)
    assert.equal(found.entities, n)
    assert.ok(found.effectiveNumber >= 1 && found.effectiveNumber <= n)
    assert.ok(found.herfindahl <= 10_000 && found.herfindahl >= 10_000 / n - TOLERANCE)
    assert.ok(found.shannonBits >= found.minEntropyBits - TOLERANCE && found.minEntropyBits >= 0)
    assert.ok(found.shannonBits <= Math.log2(n) + TOLERANCE)
    assert.ok(found.topShare >= 1 / n - TOLERANCE && found.topShare <= found.topThreeShare)
    assert.ok(found.topThreeShare <= 1)
    assert.ok(found.gini >= 0 && found.gini <= 1 - 1 / n + TOLERANCE)
    const { nakamotoThird, nakamotoHalf, nakamotoTwoThirds } = found
    assert.ok(nakamotoThird >= 1 && nakamotoThird <= nakamotoHalf && nakamotoHalf <= nakamotoTwoThirds)
    assert.ok(nakamotoTwoThirds <= n)
    assert.ok(nakamotoThird <= Math.floor(n / 3) + 1 && nakamotoHalf <= Math.floor(n / 2) + 1)
  })
})

test('order, scale and those without a share change nothing', (t) => {
  checkProperty(t, [weights, fc.bigInt(1n, 2n ** 40n), fc.nat()], RUNS, (of, factor, turn) => {
    const at = turn % of.length
    const turned = [...of.slice(at), 0n, ...of.slice(0, at)].reverse()
    assert.deepEqual(measure(turned), measure(of))
    const { shannonBits, minEntropyBits, ...exact } = measure(of.map((each) => each * factor))
    assert.deepEqual({ ...measure(of), shannonBits, minEntropyBits }, { ...exact, shannonBits, minEntropyBits })
    near(shannonBits, measure(of).shannonBits)
    near(minEntropyBits, measure(of).minEntropyBits)
  })
})

/** Asserts that `merged` is at least as concentrated as `apart`, by every measure that goes one way. */
function assertMoreConcentrated(merged: Measures, apart: Measures): void {
  assert.ok(merged.effectiveNumber <= apart.effectiveNumber, 'effective number')
  assert.ok(merged.herfindahl >= apart.herfindahl, 'herfindahl')
  assert.ok(merged.entities <= apart.entities, 'entities')
  assert.ok(merged.nakamotoThird <= apart.nakamotoThird, 'nakamoto, third')
  assert.ok(merged.nakamotoHalf <= apart.nakamotoHalf, 'nakamoto, half')
  assert.ok(merged.nakamotoTwoThirds <= apart.nakamotoTwoThirds, 'nakamoto, two thirds')
  assert.ok(merged.shannonBits <= apart.shannonBits + TOLERANCE, 'shannon')
  assert.ok(merged.minEntropyBits <= apart.minEntropyBits + TOLERANCE, 'min-entropy')
  assert.ok(merged.topShare >= apart.topShare, 'top')
  assert.ok(merged.topThreeShare >= apart.topThreeShare, 'top three')
}

test('two that turn out to be one are never less concentrated', (t) => {
  const some = fc.array(weight, { minLength: 2, maxLength: 12 })
  checkProperty(t, [some], RUNS, (of) => {
    const [first = 0n, second = 0n, ...rest] = of
    assertMoreConcentrated(measure([first + second, ...rest]), measure(of))
  })
})

/** All ways to give each unit to one of the owners, or to new ones: which owner each unit has, by number. */
function* completions(owners: number, units: number): Generator<readonly number[]> {
  if (units === 0) {
    yield []
    return
  }
  for (const rest of completions(owners, units - 1)) {
    const used = Math.max(owners - 1, ...rest)
    for (let owner = 0; owner <= used + 1; owner++) yield [...rest, owner]
  }
}

function complete(known: readonly bigint[], unknown: readonly bigint[], owners: readonly number[]): readonly bigint[] {
  const shares = [...known]
  for (const [i, owner] of owners.entries()) shares[owner] = (shares[owner] ?? 0n) + (unknown[i] ?? 0n)
  return shares
}

function assertWithin(found: Measures, bounds: BoundedMeasures): void {
  for (const [name, each] of Object.entries(bounds)) {
    const value = found[name as keyof Measures]
    if (each === null) continue
    const { atLeast, atMost } = typeof each === 'number' ? { atLeast: each, atMost: each } : each
    assert.ok(value >= atLeast - TOLERANCE && value <= atMost + TOLERANCE, `${name}: ${value}, ${atLeast} to ${atMost}`)
  }
}

test('whoever owns what nobody knows, the measures lie within the bounds: every answer for small cases', (t) => {
  const few = fc.array(fc.bigInt(1n, 6n), { maxLength: 3 })
  const unknown = fc.array(fc.bigInt(1n, 6n), { minLength: 1, maxLength: 5 })
  checkProperty(t, [few, unknown], 60, (known, units) => {
    const bounds = bound(known, units)
    const all = [...completions(known.length, units.length)].map((owners) => measure(complete(known, units, owners)))
    for (const found of all) assertWithin(found, bounds)
    // Both ends are some answer's: no narrower bounds would do.
    for (const [name, each] of Object.entries(bounds)) {
      if (each === null || typeof each === 'number') continue
      const values = all.map((found) => found[name as keyof Measures])
      near(Math.min(...values), each.atLeast, `${name} at least`)
      near(Math.max(...values), each.atMost, `${name} at most`)
    }
    assert.equal(bounds.gini, null)
  })
})

test('whoever owns what nobody knows, the measures lie within the bounds: any answer for larger cases', (t) => {
  const choices = fc.array(fc.nat({ max: 30 }), { minLength: 12, maxLength: 12 })
  checkProperty(t, [weights, weights, choices], RUNS, (known, units, owners) => {
    assertWithin(measure(complete(known, units, owners.slice(0, units.length))), bound(known, units))
  })
})

test('where all is known the bounds are the measures, Gini among them', (t) => {
  checkProperty(t, [weights], 100, (of) => {
    const bounds = bound(of, [])
    const found = measure(of)
    assert.equal(bounds.gini, found.gini)
    assertWithin(found, bounds)
    for (const each of Object.values(bounds)) {
      if (each !== null && typeof each !== 'number') assert.equal(each.atLeast, each.atMost)
    }
  })
})

test('control: bounds that leave an answer out would be noticed', () => {
  const bounds = bound([3n], [1n, 1n])
  assert.throws(() => assertWithin(measure([2n, 2n, 1n]), bounds))
  assert.throws(() => assertMoreConcentrated(measure([1n, 1n]), measure([2n])))
})
