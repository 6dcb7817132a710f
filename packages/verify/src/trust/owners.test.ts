import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty } from '../fuzzing.testing.ts'
import { resolveOwners } from './owners.ts'

const ownersOf = (...pairs: readonly (readonly [name: string, owner: string])[]) =>
  resolveOwners(pairs.map(([name, owner]) => ({ name, owner }))).map(({ owner }) => owner)

test('an owner that is a party stands for that party’s owner', () => {
  assert.deepEqual(ownersOf(['A', 'A Ltd'], ['B', 'B Ltd']), ['A Ltd', 'B Ltd'])
  assert.deepEqual(ownersOf(['A', 'B'], ['B', 'C'], ['C', 'Holding']), ['Holding', 'Holding', 'Holding'])
  assert.deepEqual(ownersOf(['A', 'A'], ['B', 'A']), ['A', 'A'])
})

test('parties that own one another are one owner', () => {
  assert.deepEqual(ownersOf(['A', 'B'], ['B', 'A'], ['C', 'B'], ['D', 'E']), ['A', 'A', 'A', 'E'])
  assert.deepEqual(ownersOf(['C', 'A'], ['A', 'B'], ['B', 'C']), ['A', 'A', 'A'])
})

test('whoever is linked by ownership ends with one owner, whatever the order', (t) => {
  const names = ['A', 'B', 'C', 'D', 'E']
  const owners = fc.tuple(...names.map(() => fc.constantFrom(...names, 'X', 'Y')))
  checkProperty(t, [owners, fc.shuffledSubarray(names, { minLength: names.length })], 500, (owned, order) => {
    const parties = names.map((name, i) => ({ name, owner: owned[i] ?? '' }))
    const found = new Map(resolveOwners(parties).map(({ name, owner }) => [name, owner]))
    for (const { name, owner } of parties) {
      assert.equal(found.get(name), found.get(owner) ?? owner, `${name} of ${owner}`)
    }
    const shuffled = order.flatMap((name) => parties.filter((party) => party.name === name))
    for (const { name, owner } of resolveOwners(shuffled)) assert.equal(owner, found.get(name))
  })
})
