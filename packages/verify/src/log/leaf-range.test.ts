import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { surroundingRanges, verifyLeafRange } from './leaf-range.ts'
import { hashLeaf } from './merkle.ts'
import { hashRange } from './merkle-ranges.ts'
import { treeOf } from './tree.testing.ts'

const crypto = createNodeCrypto()
const entries = Array.from({ length: 300 }, (_, i) => utf8(`entry ${i}`))
const read = treeOf(crypto, entries)

function proofOf(start: number, end: number, size: number) {
  const leafHashes = concat(...entries.slice(start, end).map((entry) => hashLeaf(crypto, entry)))
  const path = surroundingRanges({ start, end }, size).map((range) => hashRange(crypto, range, read))
  return { head: { size, root: hashRange(crypto, { start: 0, end: size }, read) }, leafHashes, path }
}

const anyRange = fc
  .tuple(fc.integer({ min: 1, max: 300 }), fc.nat(299), fc.nat(299))
  .map(([size, a, b]) => [Math.min(a, b) % size, (Math.max(a, b) % size) + 1, size] as const)
  .filter(([start, end]) => start < end)

test('every row of leaves of every tree is proven', (t) => {
  checkProperty(t, [anyRange], 300, ([start, end, size]) => {
    const { head, leafHashes, path } = proofOf(start, end, size)
    verifyLeafRange(crypto, head, start, leafHashes, path)
  })
})

test('no leaf can be changed, left out or moved, and no hash of the path', (t) => {
  checkProperty(t, [anyRange, fc.nat(), fc.nat(255)], 300, ([start, end, size], at, bit) => {
    const { head, leafHashes, path } = proofOf(start, end, size)
    const changed = leafHashes.slice()
    const place = at % changed.length
    changed[place] = (changed[place] ?? 0) ^ (1 << (bit % 8))
    const refused = { name: 'CountersignError' }
    assert.throws(() => verifyLeafRange(crypto, head, start, changed, path), { code: 'proof/root-mismatch' })
    assert.throws(() => verifyLeafRange(crypto, head, start, leafHashes.subarray(32), path), refused)
    if (start > 0) assert.throws(() => verifyLeafRange(crypto, head, start - 1, leafHashes, path), refused)
    assert.throws(() => verifyLeafRange(crypto, head, start, leafHashes, [...path, head.root]), {
      code: 'proof/wrong-length',
    })
    if (path.length === 0) return
    const other = path.with(at % path.length, head.root)
    assert.throws(() => verifyLeafRange(crypto, head, start, leafHashes, other), { code: 'proof/root-mismatch' })
    assert.throws(() => verifyLeafRange(crypto, head, start, leafHashes, path.slice(1)), { code: 'proof/wrong-length' })
  })
})

test('what is no range is refused', () => {
  const { head, leafHashes, path } = proofOf(3, 5, 9)
  for (const start of [-1, 8, 0.5, Number.NaN]) {
    assert.throws(() => verifyLeafRange(crypto, head, start, leafHashes, path), { code: 'proof/index-out-of-range' })
  }
  assert.throws(() => verifyLeafRange(crypto, head, 3, leafHashes.subarray(5), path), {
    code: 'proof/index-out-of-range',
  })
  assert.throws(
    () =>
      verifyLeafRange(
        crypto,
        head,
        3,
        leafHashes,
        path.map((hash) => hash.subarray(1)),
      ),
    { code: 'proof/bad-hash' },
  )
  assert.throws(() => surroundingRanges({ start: 2, end: 2 }, 9), { code: 'proof/index-out-of-range' })
})
