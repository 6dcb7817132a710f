/**
 * Which ranges of leaves a proof is made of, and how to hash a range from stored subtrees. For those who keep a log;
 * checking a proof needs none of this.
 */
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import { emptyRoot, type Hash, hashChildren } from './merkle.ts'

/** Leaves `start` up to but not including `end`. */
export interface LeafRange {
  readonly start: number
  readonly end: number
}

/** Gives the hash of the perfect subtree of 2^height leaves that starts at leaf `index · 2^height`. */
export type ReadSubtree = (height: number, index: number) => Hash

/** The ranges whose hashes are the inclusion path of `index`, from the leaf up. @spec RFC 9162 §2.1.3.1 */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  if (index < 0 || index >= size) {
    throw new CountersignError('proof/index-out-of-range', `index ${index} is not in a tree of ${size} entries`)
  }
  const ranges: LeafRange[] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = start + largestPowerOfTwoBelow(end - start)
    if (index < middle) {
      ranges.unshift({ start: middle, end })
      end = middle
    } else {
      ranges.unshift({ start, end: middle })
      start = middle
    }
  }
  return ranges
}

/** The ranges whose hashes are the consistency proof between two sizes. @spec RFC 9162 §2.1.4.1 */
export function consistencyRanges(olderSize: number, newerSize: number): readonly LeafRange[] {
  if (olderSize < 1 || olderSize > newerSize) {
    throw new CountersignError('proof/index-out-of-range', `no proof leads from size ${olderSize} to ${newerSize}`)
  }
  if (olderSize === newerSize) return []
  const ranges: LeafRange[] = []
  let start = 0
  let end = newerSize
  while (end !== olderSize) {
    const middle = start + largestPowerOfTwoBelow(end - start)
    if (olderSize <= middle) {
      ranges.unshift({ start: middle, end })
      end = middle
    } else {
      ranges.unshift({ start, end: middle })
      start = middle
    }
  }
  // The older tree itself is known to the verifier when it is a whole left subtree.
  return start === 0 ? ranges : [{ start, end }, ...ranges]
}

/** Hash of any range that a proof names, from perfect subtrees: the left part is perfect, the right part may not be. */
export function hashRange(crypto: Crypto, range: LeafRange, read: ReadSubtree): Hash {
  const size = range.end - range.start
  if (size === 0) return emptyRoot(crypto)
  const height = Math.floor(Math.log2(size))
  const perfect = 2 ** height
  if (perfect === size) return read(height, range.start / size)
  const middle = range.start + perfect
  const left = read(height, range.start / perfect)
  return hashChildren(crypto, left, hashRange(crypto, { start: middle, end: range.end }, read))
}

/** The largest power of two that is smaller. */
export function largestPowerOfTwoBelow(size: number): number {
  let power = 1
  while (power * 2 < size) power *= 2
  return power
}
