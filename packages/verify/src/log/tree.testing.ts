import type { Crypto } from '../crypto/crypto.ts'
import { hashChildren, hashLeaf } from './merkle.ts'
import type { ReadSubtree } from './merkle-ranges.ts'

/** The perfect subtrees over entries, each hashed once. */
export function treeOf(crypto: Crypto, entries: readonly Uint8Array[]): ReadSubtree {
  const known = new Map<string, Uint8Array>()
  const read: ReadSubtree = (height, index) => {
    const name = `${height}/${index}`
    const before = known.get(name)
    if (before !== undefined) return before
    const entry = entries[index]
    if (height === 0 && entry === undefined) throw new Error(`no entry ${index}`)
    const hash =
      height === 0 && entry !== undefined
        ? hashLeaf(crypto, entry)
        : hashChildren(crypto, read(height - 1, index * 2), read(height - 1, index * 2 + 1))
    known.set(name, hash)
    return hash
  }
  return read
}
