import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatLeaf, parseLeaf } from '@countersign/verify'
import fc from 'fast-check'
import { inventedLeaf } from '../log-client/log-server.testing.ts'
import { LeafCheck } from './leaf-check.ts'

function isParsed(entry: Uint8Array): boolean {
  try {
    parseLeaf(entry)
    return true
  } catch {
    return false
  }
}

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

test('leaves of any content are leaves, whatever stood before them', () => {
  const check = new LeafCheck()
  const parts = fc.record({
    payloadHash: bytesOf(32),
    signature: fc.uint8Array({ maxLength: 74 }),
    spki: fc.constantFrom(new Uint8Array(91).fill(1), new Uint8Array(91).fill(2), new Uint8Array(0)),
  })
  fc.assert(fc.property(parts, (leaf) => assert.ok(check.isLeaf(formatLeaf(leaf)))))
})

test('it takes what parseLeaf takes and nothing else, with every byte of a leaf changed to others', () => {
  const check = new LeafCheck()
  const leaf = inventedLeaf('known')
  for (let at = 0; at < leaf.length; at++) {
    for (const byte of [0, 0x22, 0x2b, 0x3d, 0x41, 0x42, 0x5f, 0x7a, 0xff, (leaf[at] ?? 0) ^ 1]) {
      assert.ok(check.isLeaf(inventedLeaf('known, again')))
      const other = leaf.slice()
      other[at] = byte
      assert.equal(check.isLeaf(other), isParsed(other), `byte ${at} as ${byte}`)
    }
  }
  for (const length of [0, 1, 100, leaf.length - 1]) assert.equal(check.isLeaf(leaf.subarray(0, length)), false)
})

test('digests of another length are no reason to compare the next leaf with', () => {
  const check = new LeafCheck()
  const odd = formatLeaf({ payloadHash: new Uint8Array(29), signature: new Uint8Array(71), spki: new Uint8Array(91) })
  assert.equal(check.isLeaf(odd), isParsed(odd))
  for (const seed of ['a', 'b']) assert.ok(check.isLeaf(inventedLeaf(seed)))
})
