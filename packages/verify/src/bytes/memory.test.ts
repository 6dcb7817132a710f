import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes } from '../fixture.testing.ts'
import { checkProperty, expectTyped } from '../fuzzing.testing.ts'
import { buildScene, sceneDossier } from '../scene.testing.ts'
import type { Json } from './json.ts'
import { type JsonPath, pathsIn, valueAt, withValueAt } from './json-edit.testing.ts'
import { createMemory, MAX_REMEMBERED_BYTES, MAX_REMEMBERED_TEXT_BYTES } from './memory.ts'

/** What `read` gives, and whether it was asked. */
function counted<T>(value: T) {
  let asked = 0
  return {
    read: () => {
      asked++
      return value
    },
    asked: () => asked,
  }
}

test('a value is read once for the same JSON, whatever order its members have', () => {
  const memory = createMemory()
  const first = counted(1)
  const from = { a: [1, { b: null }], c: 'x' }
  assert.equal(memory.recallJson('kind', 'name', from, first.read), 1)
  assert.equal(memory.recallJson('kind', 'name', { c: 'x', a: [1, { b: null }] }, first.read), 1)
  assert.equal(first.asked(), 1)
})

test('another value under the same name is read anew', () => {
  const from: Json = { a: [1, { b: null }], c: 'x', d: true }
  const others: readonly Json[] = [
    ...pathsIn(from).map((path) => withValueAt(from, path, 'other')),
    { ...from, e: 1 },
    { a: from.a ?? null, c: 'x' },
    { a: { '0': 1, '1': { b: null } }, c: 'x', d: true },
    { a: [1, { b: null }, 2], c: 'x', d: true },
    null,
    [],
    JSON.parse('{"a":[1,{"b":null}],"c":"x","__proto__":true}'),
  ]
  for (const other of others) {
    const memory = createMemory()
    const again = counted(2)
    memory.recallJson('kind', 'name', from, () => 1)
    assert.equal(memory.recallJson('kind', 'name', other, again.read), 2, JSON.stringify(other))
    assert.equal(
      memory.recallJson('another kind', 'name', from, () => 3),
      3,
    )
  }
})

test('what follows from two objects is remembered for these two', () => {
  const memory = createMemory()
  const [a, b] = [{}, {}]
  const once = counted('ab')
  assert.equal(memory.recallOf('kind', a, b, once.read), 'ab')
  assert.equal(memory.recallOf('kind', a, b, once.read), 'ab')
  assert.equal(once.asked(), 1)
  for (const [kind, first, second] of [
    ['kind', b, a],
    ['kind', a, a],
    ['kind', a, {}],
    ['other', a, b],
  ] as const) {
    assert.equal(
      memory.recallOf(kind, first, second, () => 'new'),
      'new',
    )
  }
})

test('what throws is not remembered', () => {
  const memory = createMemory()
  const fail = () => {
    throw new Error('no')
  }
  const key = {}
  assert.throws(() => memory.recall('kind', 'key', fail))
  assert.throws(() => memory.recallJson('kind', 'json', 1, fail))
  assert.throws(() => memory.recallOf('kind', key, key, fail))
  assert.equal(
    memory.recall('kind', 'key', () => 1),
    1,
  )
  assert.equal(
    memory.recallJson('kind', 'json', 1, () => 1),
    1,
  )
  assert.equal(
    memory.recallOf('kind', key, key, () => 1),
    1,
  )
})

test('a memory that is full forgets', () => {
  const memory = createMemory(2)
  for (const key of ['a', 'b', 'c']) memory.recall('kind', key, () => 1)
  assert.equal(
    memory.recall('kind', 'a', () => 2),
    2,
  )
  assert.equal(
    memory.recall('kind', 'c', () => 2),
    1,
  )
})

test('long texts are not remembered, and of many no more than there is room for', () => {
  const long = 'x'.repeat(MAX_REMEMBERED_TEXT_BYTES)
  const isRemembered = (ask: (read: () => number) => number) => {
    ask(() => 1)
    return ask(() => 2) === 1
  }
  const memory = createMemory()
  assert.ok(isRemembered((read) => memory.recall('kind', long, read)))
  assert.ok(!isRemembered((read) => memory.recall('kind', `${long}x`, read)))
  assert.ok(!isRemembered((read) => memory.recall('kind', 'short', read, long.length + 1)))
  assert.ok(!isRemembered((read) => memory.recallJson('json', 'short', { text: long }, read)))
  const full = createMemory()
  const first = () => full.recall('kind', 'first', () => 2)
  full.recall('kind', 'first', () => 1)
  const room = MAX_REMEMBERED_BYTES / MAX_REMEMBERED_TEXT_BYTES
  for (let i = 1; i < room; i++) full.recall('kind', String(i), () => 1, long.length)
  assert.equal(first(), 1)
  full.recall('kind', 'last', () => 1, long.length)
  assert.equal(first(), 2)
})

test('a dossier that was changed anywhere is read as it stands, beside the one that was not', (t) => {
  const dossier = sceneDossier(buildScene())
  const paths = pathsIn(dossier).filter((path) => path.length > 0)
  const shared = createMemory()
  parseDossier(jsonBytes(dossier), shared)
  const change = fc.constantFrom<Json>('', 'x', 0, 7, null, [], {}, true)
  checkProperty(t, [fc.constantFrom<JsonPath>(...paths), change], 1500, (path, to) => {
    const swapped = typeof to === 'number' ? valueAt(dossier, paths[to * 11] ?? []) : to
    const changed = jsonBytes(withValueAt(dossier, path, swapped))
    assert.deepEqual(
      expectTyped(() => parseDossier(changed, shared)),
      expectTyped(() => parseDossier(changed)),
    )
  })
})
