/** Proves that leaves in a row are those of a tree: the leaves themselves, and the hashes of what stands around them. */

import { equalBytes } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { HASH_BYTES, type Hash, hashChildren, MAX_PROOF_HASHES, type TreeHead } from './merkle.ts'
import { type LeafRange, largestPowerOfTwoBelow } from './merkle-ranges.ts'

/** The ranges whose hashes, from left to right, are the proof of leaves `start` up to but not including `end`. */
export function surroundingRanges({ start, end }: LeafRange, size: number): readonly LeafRange[] {
  checkRange({ start, end }, size)
  const ranges: LeafRange[] = []
  walk(
    { start: 0, end: size },
    { start, end },
    {
      inside: () => undefined,
      outside: (range) => void ranges.push(range),
      join: () => undefined,
    },
  )
  return ranges
}

/**
 * Proves that the leaves whose hashes, joined, are `leafHashes` stand in the tree under `head` from index `start` on, one
 * after the other with none left out; or throws.
 *
 * A head is only as good as the signatures on it. Proves nothing about what the leaves are of.
 *
 * @throws {CountersignError} `proof/index-out-of-range`, `proof/wrong-length`, `proof/root-mismatch`, `proof/bad-hash`
 */
export function verifyLeafRange(
  crypto: Crypto,
  head: TreeHead,
  start: number,
  leafHashes: Uint8Array,
  path: readonly Hash[],
): void {
  const end = start + leafHashes.length / HASH_BYTES
  checkRange({ start, end }, head.size)
  if (path.length > MAX_PROOF_HASHES * 2) throw wrongLength()
  if ([head.root, ...path].some((hash) => hash.length !== HASH_BYTES)) {
    throw new CountersignError('proof/bad-hash', `a hash has ${HASH_BYTES} bytes`)
  }
  let used = 0
  const root = walk<Hash>(
    { start: 0, end: head.size },
    { start, end },
    {
      inside: (index) => leafHashes.subarray((index - start) * HASH_BYTES, (index - start + 1) * HASH_BYTES),
      outside: () => {
        const hash = path[used++]
        if (hash === undefined) throw wrongLength()
        return hash
      },
      join: (left, right) => hashChildren(crypto, left, right),
    },
  )
  if (used !== path.length) throw wrongLength()
  if (!equalBytes(root, head.root)) {
    throw new CountersignError('proof/root-mismatch', 'the leaves and what surrounds them lead to another root')
  }
}

interface Walk<T> {
  inside(index: number): T
  outside(range: LeafRange): T
  join(left: T, right: T): T
}

/** Goes through a tree from left to right, down to each leaf that is wanted and to the largest parts that are not. */
function walk<T>(tree: LeafRange, wanted: LeafRange, visit: Walk<T>): T {
  if (tree.end <= wanted.start || tree.start >= wanted.end) return visit.outside(tree)
  if (tree.end - tree.start === 1) return visit.inside(tree.start)
  const middle = tree.start + largestPowerOfTwoBelow(tree.end - tree.start)
  const left = walk({ start: tree.start, end: middle }, wanted, visit)
  return visit.join(left, walk({ start: middle, end: tree.end }, wanted, visit))
}

function checkRange({ start, end }: LeafRange, size: number): void {
  const isRange = [start, end, size].every((value) => Number.isSafeInteger(value)) && start >= 0 && start < end
  if (isRange && end <= size) return
  throw new CountersignError(
    'proof/index-out-of-range',
    `leaves ${start} to ${end} are not in a tree of ${size} entries`,
  )
}

function wrongLength(): CountersignError {
  return new CountersignError('proof/wrong-length', 'the proof has another number of hashes than surround the leaves')
}
