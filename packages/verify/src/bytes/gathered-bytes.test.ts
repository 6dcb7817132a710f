import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat } from './bytes.ts'
import { GatheredBytes } from './gathered-bytes.ts'

test('pieces of any sizes come out joined, whenever one looks', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 20 })
  fc.assert(
    fc.property(pieces, (given) => {
      const gathered = new GatheredBytes()
      for (const [i, piece] of given.entries()) {
        if (i % 2 === 0) gathered.add(piece)
        else gathered.hold(piece)
        const expected = concat(...given.slice(0, i + 1))
        assert.equal(gathered.length, expected.length)
        if (i % 3 === 0) assert.deepEqual(gathered.bytes(), expected)
      }
      assert.deepEqual(gathered.bytes(), concat(...given))
    }),
  )
})

test('what was gathered has a buffer of its own, of just its size', () => {
  const gathered = new GatheredBytes()
  const piece = Uint8Array.of(1, 2, 3)
  gathered.add(piece)
  piece.fill(0)
  for (let i = 0; i < 5; i++) gathered.add(Uint8Array.of(i))
  const bytes = gathered.bytes()
  assert.deepEqual(bytes, Uint8Array.of(1, 2, 3, 0, 1, 2, 3, 4))
  assert.equal(bytes.buffer.byteLength, 8)
  assert.equal(gathered.bytes(), bytes)
  gathered.add(Uint8Array.of(9))
  assert.equal(bytes.length, 8)
  gathered.clear()
  assert.deepEqual(gathered.bytes(), new Uint8Array(0))
})

test('a million pieces of one byte cost no more than some bytes each', () => {
  const gathered = new GatheredBytes()
  const before = process.memoryUsage()
  for (let i = 0; i < 1_000_000; i++) gathered.add(Uint8Array.of(i & 0xff))
  globalThis.gc?.()
  const after = process.memoryUsage()
  assert.ok(after.external - before.external < 8 * 1_000_000)
  assert.equal(gathered.bytes().length, 1_000_000)
})
