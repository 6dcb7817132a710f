/** Merkle tree hashes and proofs of an append-only log. @spec RFC 9162 §2.1, RFC 6962 §2.1 */
import { equalBytes } from '../bytes/bytes.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'

/** 32 bytes of SHA-256. */
export type Hash = Uint8Array

export const HASH_BYTES = 32

/** Longest proof that a tree of up to 2^53 entries needs. */
export const MAX_PROOF_HASHES = 64

/** Size and root of a log. Worth only as much as the signatures that it came with. */
export interface TreeHead {
  readonly size: number
  readonly root: Hash
}

/** The path from one leaf up to the root. */
export interface Inclusion {
  readonly index: number
  readonly path: readonly Hash[]
}

const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = Uint8Array.of(1)

/** Hash of an entry. */
export function hashLeaf(crypto: Crypto, entry: Uint8Array): Hash {
  return crypto.sha256(LEAF_PREFIX, entry)
}

/** Hash of an inner node. */
export function hashChildren(crypto: Crypto, left: Hash, right: Hash): Hash {
  return crypto.sha256(NODE_PREFIX, left, right)
}

/** Root of the tree without entries: SHA-256 of nothing. */
export function emptyRoot(crypto: Crypto): Hash {
  return crypto.sha256(new Uint8Array(0))
}

/**
 * Proves that `leafHash` is entry `index` of the tree under `head`, or throws.
 *
 * A head is only as good as the signatures on it: take it from `openCheckpoint`, never straight off the wire. Proves
 * nothing about who else has seen this tree; that is the witness quorum's job.
 *
 * @spec RFC 9162 §2.1.3.2
 * @throws {CountersignError} `proof/index-out-of-range`, `proof/wrong-length`, `proof/root-mismatch`, `proof/bad-hash`
 */
export function verifyInclusion(crypto: Crypto, head: TreeHead, { index, path }: Inclusion, leafHash: Hash): void {
  checkHashes([head.root, leafHash, ...path])
  if (!isCount(index) || !isCount(head.size) || index >= head.size) {
    throw new CountersignError('proof/index-out-of-range', `index ${index} is not in a tree of ${head.size} entries`)
  }
  let node = index
  let last = head.size - 1
  let hash = leafHash
  for (const sibling of path) {
    if (last === 0) throw wrongLength('longer')
    if (isOdd(node) || node === last) {
      hash = hashChildren(crypto, sibling, hash)
      while (!isOdd(node) && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      hash = hashChildren(crypto, hash, sibling)
    }
    node = half(node)
    last = half(last)
  }
  if (last !== 0) throw wrongLength('shorter')
  if (!equalBytes(hash, head.root)) throw new CountersignError('proof/root-mismatch', 'the path leads to another root')
}

/**
 * Proves that the tree under `newer` begins with the whole tree under `older`, or throws.
 *
 * The empty tree is refused as `older`: everything is consistent with it, so a proof from it would prove nothing.
 *
 * @spec RFC 9162 §2.1.4.2
 * @throws {CountersignError} `proof/index-out-of-range`, `proof/wrong-length`, `proof/root-mismatch`, `proof/bad-hash`
 */
export function verifyConsistency(crypto: Crypto, older: TreeHead, newer: TreeHead, path: readonly Hash[]): void {
  checkHashes([older.root, newer.root, ...path])
  if (!isCount(older.size) || !isCount(newer.size) || older.size === 0 || older.size > newer.size) {
    throw new CountersignError('proof/index-out-of-range', `no proof leads from size ${older.size} to ${newer.size}`)
  }
  if (older.size === newer.size) {
    if (path.length > 0) throw wrongLength('longer')
    if (!equalBytes(older.root, newer.root)) throw rootMismatch('two heads of one size have different roots')
    return
  }
  const startsWhole = isPowerOfTwo(older.size)
  const [first, ...rest] = startsWhole ? [older.root, ...path] : path
  if (first === undefined || path.length === 0) throw wrongLength('shorter')
  const { olderRoot, newerRoot } = climb(crypto, older.size, newer.size, first, rest)
  if (!equalBytes(olderRoot, older.root)) throw rootMismatch('the path does not lead to the older root')
  if (!equalBytes(newerRoot, newer.root)) throw rootMismatch('the path does not lead to the newer root')
}

function climb(crypto: Crypto, olderSize: number, newerSize: number, first: Hash, path: readonly Hash[]) {
  let node = olderSize - 1
  let last = newerSize - 1
  while (isOdd(node)) {
    node = half(node)
    last = half(last)
  }
  let olderRoot = first
  let newerRoot = first
  for (const sibling of path) {
    if (last === 0) throw wrongLength('longer')
    if (isOdd(node) || node === last) {
      olderRoot = hashChildren(crypto, sibling, olderRoot)
      newerRoot = hashChildren(crypto, sibling, newerRoot)
      while (!isOdd(node) && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      newerRoot = hashChildren(crypto, newerRoot, sibling)
    }
    node = half(node)
    last = half(last)
  }
  if (last !== 0) throw wrongLength('shorter')
  return { olderRoot, newerRoot }
}

function checkHashes(hashes: readonly Hash[]): void {
  if (hashes.length > MAX_PROOF_HASHES + 2) throw wrongLength('longer')
  for (const hash of hashes) {
    if (hash.length !== HASH_BYTES) throw new CountersignError('proof/bad-hash', `a hash has ${HASH_BYTES} bytes`)
  }
}

// Sizes reach 2^53, so no bit operators: those work on 32 bits.
const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0
const isOdd = (value: number) => value % 2 === 1
const half = (value: number) => Math.floor(value / 2)

function isPowerOfTwo(value: number): boolean {
  let rest = value
  while (rest > 1 && !isOdd(rest)) rest = half(rest)
  return rest === 1
}

function wrongLength(comparison: 'longer' | 'shorter'): CountersignError {
  return new CountersignError('proof/wrong-length', `the proof is ${comparison} than the tree is high`)
}

function rootMismatch(why: string): CountersignError {
  return new CountersignError('proof/root-mismatch', why)
}
