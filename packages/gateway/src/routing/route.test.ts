import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { planRoute } from './route.ts'

/** A generator of [0, 1) with that seed: the same numbers in each run. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const target = (upstream: string, weight: number, rank = 0) => ({ upstream, model: undefined, weight, rank })

const PLANS = 20_000

test('nothing to plan, and one place', () => {
  assert.deepEqual(planRoute([], Math.random), [])
  const only = [target('a', 0)]
  assert.deepEqual(planRoute(only, Math.random), only)
})

test('weights decide who is first, and who is next among those that are left', () => {
  const random = seeded(1)
  const targets = [target('a', 6), target('b', 3), target('c', 1), target('never', 0)]
  const firsts = new Map<string, number>()
  const seconds = new Map<string, number>()
  for (let i = 0; i < PLANS; i++) {
    const [first, second, , last] = planRoute(targets, random)
    assert.equal(last?.upstream, 'never')
    firsts.set(first?.upstream ?? '', (firsts.get(first?.upstream ?? '') ?? 0) + 1)
    if (first?.upstream === 'a') seconds.set(second?.upstream ?? '', (seconds.get(second?.upstream ?? '') ?? 0) + 1)
  }
  const assertShare = (counts: Map<string, number>, name: string, share: number) => {
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
    const sigma = Math.sqrt((share * (1 - share)) / all)
    assert.ok(Math.abs((counts.get(name) ?? 0) / all - share) < 5 * sigma, `${name}: ${counts.get(name)} of ${all}`)
  }
  for (const [name, share] of [
    ['a', 0.6],
    ['b', 0.3],
    ['c', 0.1],
  ] as const)
    assertShare(firsts, name, share)
  for (const [name, share] of [
    ['b', 0.75],
    ['c', 0.25],
  ] as const)
    assertShare(seconds, name, share)
})

test('a plan has every place once, in the order of ranks, those without weight last in theirs', () => {
  const targets = fc.array(fc.record({ weight: fc.nat(4), rank: fc.nat(3) }), { maxLength: 12 })
  fc.assert(
    fc.property(targets, fc.integer(), (list, seed) => {
      const plan = planRoute(list, seeded(seed))
      assert.equal(plan.length, list.length)
      assert.deepEqual(new Set(plan), new Set(list))
      for (const [i, { rank, weight }] of plan.entries()) {
        const before = plan[i - 1]
        if (before === undefined) continue
        assert.ok(before.rank <= rank)
        if (before.rank === rank && before.weight === 0) assert.equal(weight, 0)
      }
    }),
  )
})

test('the last random number there is falls on a place that has weight', () => {
  const [first] = planRoute([target('a', 0.1), target('b', 0.2), target('none', 0)], () => 1 - 2 ** -53)
  assert.equal(first?.upstream, 'b')
})
