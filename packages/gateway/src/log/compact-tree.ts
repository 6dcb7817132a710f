/** The right edge of a Merkle tree: all that is needed to append leaves and to know the root. */
import { type Crypto, emptyRoot, type Hash, hashChildren } from '@countersign/verify'

/** Holds one hash per perfect subtree, at most 53. */
export class CompactTree {
  readonly #crypto: Crypto
  /** Subtree of 2^i leaves at `i`, where bit i of the size is set. */
  readonly #edge: (Hash | undefined)[] = []
  #size = 0

  constructor(crypto: Crypto) {
    this.#crypto = crypto
  }

  get size(): number {
    return this.#size
  }

  append(leafHash: Hash): void {
    let hash = leafHash
    let height = 0
    for (let left = this.#edge[height]; left !== undefined; left = this.#edge[height]) {
      hash = hashChildren(this.#crypto, left, hash)
      this.#edge[height] = undefined
      height++
    }
    this.#edge[height] = hash
    this.#size++
  }

  root(): Hash {
    let root: Hash | undefined
    for (const subtree of this.#edge) {
      if (subtree !== undefined) root = root === undefined ? subtree : hashChildren(this.#crypto, subtree, root)
    }
    return root ?? emptyRoot(this.#crypto)
  }
}
