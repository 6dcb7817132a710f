import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyRoot, type Hash, hashChildren, hashLeaf, hashRange, type ReadSubtree, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import fc from 'fast-check'
import { CompactTree } from './compact-tree.ts'

const crypto = createNodeCrypto()

function leaf(i: number): Hash {
  return hashLeaf(crypto, utf8(`entry ${i}`))
}

/** The root as verify computes it, from all leaves. */
function rootOf(size: number): Hash {
  const read: ReadSubtree = (height, index) =>
    height === 0 ? leaf(index) : hashChildren(crypto, read(height - 1, index * 2), read(height - 1, index * 2 + 1))
  return hashRange(crypto, { start: 0, end: size }, read)
}

test('an empty tree has the empty root', () => {
  assert.deepEqual(new CompactTree(crypto).root(), emptyRoot(crypto))
})

test('gives the root of verify at every size on the way', () => {
  const tree = new CompactTree(crypto)
  for (let size = 1; size <= 130; size++) {
    tree.append(leaf(size - 1))
    assert.equal(tree.size, size)
    assert.deepEqual(tree.root(), rootOf(size), `size ${size}`)
  }
})

test('gives the root of verify at any size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1500 }), (size) => {
      const tree = new CompactTree(crypto)
      for (let i = 0; i < size; i++) tree.append(leaf(i))
      assert.deepEqual(tree.root(), rootOf(size))
    }),
    { numRuns: 25 },
  )
})

test('reading the root changes nothing', () => {
  const tree = new CompactTree(crypto)
  for (let i = 0; i < 5; i++) {
    tree.append(leaf(i))
    assert.deepEqual(tree.root(), tree.root())
  }
  assert.deepEqual(tree.root(), rootOf(5))
})
