import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Hash, hashRange, parseTile, type TileName } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { inventedLeaf, TestTree } from '../log-client/log-server.testing.ts'
import { visitLeaves } from './bundle-leaves.ts'
import { TreeEdge } from './tree-edge.ts'

const crypto = createNodeCrypto()
const SIZE = 66_200

test('roots and tiles are those of the tree, at every kind of size, also after being kept and read again', () => {
  const tree = new TestTree()
  const full: [TileName, Uint8Array][] = []
  const looked = new Set([0, 1, 2, 3, 255, 256, 257, 511, 512, 700, 4096, 65_535, 65_536, 65_537, SIZE])
  let edge = new TreeEdge(crypto)
  for (let size = 0; size <= SIZE; size++) {
    if (looked.has(size)) {
      assert.deepEqual(edge.root(), tree.root(), `size ${size}`)
      edge = TreeEdge.parse(crypto, size, edge.format())
      assert.deepEqual(edge.root(), tree.root(), `size ${size}, kept`)
      for (let level = 0; level < 7; level++) {
        const name = edge.partialName(level)
        const expected = name === undefined ? new Uint8Array(0) : tree.tile(name)
        assert.deepEqual(Buffer.from(edge.partial(level)), Buffer.from(expected ?? []), `size ${size}, level ${level}`)
      }
    }
    tree.append(Uint8Array.of(size & 255, size >> 8, size >> 16))
    edge.append(tree.read(0, size), (name, bytes) => full.push([name, bytes]))
  }
  assert.equal(full.length, Math.floor(SIZE / 256) + 1)
  for (const [name, bytes] of full) assert.deepEqual(Buffer.from(bytes), Buffer.from(tree.tile(name) ?? []))
})

test('a copy goes its own way', () => {
  const tree = new TestTree()
  for (let i = 0; i < 300; i++) tree.append(Uint8Array.of(i & 255, i >> 8))
  const edge = new TreeEdge(crypto)
  for (let i = 0; i < 299; i++) edge.append(tree.read(0, i), () => undefined)
  const copy = edge.copy()
  copy.append(tree.read(0, 299), () => undefined)
  assert.deepEqual(copy.root(), tree.root(300))
  assert.deepEqual(edge.root(), tree.root(299))
})

test('a kept edge of another length is damaged', () => {
  for (const [size, length] of [
    [1, 0],
    [0, 32],
    [256, 64],
    [257, 32],
  ] as const) {
    assert.throws(() => TreeEdge.parse(crypto, size, new Uint8Array(length)), { code: 'data/damaged' })
  }
})

test('leaves of a bundle are hashed as verify does, and nothing but whole entries is taken', () => {
  const tree = new TestTree()
  for (let i = 0; i < 256; i++) tree.append(i === 7 ? new Uint8Array(0) : inventedLeaf(String(i)))
  const bundle = () => new Uint8Array(tree.tile({ level: 'entries', index: 0, width: 256 }) ?? [])
  for (const width of [1, 255, 256]) {
    const hashes: Hash[] = []
    visitLeaves(crypto, bundle(), { index: 0, width }, (hash, entry, position) => {
      assert.deepEqual(Buffer.from(entry), Buffer.from(tree.entries[position] ?? []))
      hashes.push(hash)
    })
    const tile = tree.tile({ level: 0, index: 0, width }) ?? new Uint8Array(0)
    assert.deepEqual(
      hashes.map((hash) => Buffer.from(hash)),
      parseTile(tile).map((hash) => Buffer.from(hash)),
    )
  }
  const bad = [bundle().subarray(1), bundle().subarray(0, -1), Uint8Array.of(1), new Uint8Array(0), new Uint8Array(600)]
  for (const bytes of bad) {
    assert.throws(() => visitLeaves(crypto, bytes, { index: 0, width: 200 }, () => undefined), {
      code: 'watch/bad-answer',
    })
  }
  assert.deepEqual(hashRange(crypto, { start: 0, end: 256 }, tree.read), tree.root())
})
