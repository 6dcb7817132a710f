/** Finds the leaf that two trees do not share, with its place in each. */
import { type Crypto, codeOf, equalBytes } from '@countersign/verify'
import type { TileSource } from '../log-client/tile-proofs.ts'
import { findDifference, findPlace } from './head-comparison.ts'
import type { SignedHead } from './monitor-state.ts'
import type { ProvenPlace } from './observation.ts'

/** A head with whoever has its tree. */
export interface ReadableHead {
  readonly head: SignedHead
  readonly sources: readonly TileSource[]
}

/** Two places of one index with different leaves. */
export interface ForkedLeaf {
  readonly index: number
  readonly places: readonly [ProvenPlace, ProvenPlace]
}

/**
 * The first leaf that is another one in each tree, by the first source of each. `undefined` as far as what was kept, and what
 * is served, does not allow it: that the histories differ is proven without it.
 */
export async function findForkedLeaf(
  crypto: Crypto,
  a: ReadableHead,
  b: ReadableHead,
): Promise<ForkedLeaf | undefined> {
  const [first, second] = [a.sources[0], b.sources[0]]
  if (first === undefined || second === undefined) return undefined
  const index = await findDifference({ source: first, size: a.head.size }, { source: second, size: b.head.size })
  if (index === undefined) return undefined
  try {
    const places = [
      await findPlace(crypto, a.sources, index, a.head),
      await findPlace(crypto, b.sources, index, b.head),
    ] as const
    return equalBytes(places[0].leafHash, places[1].leafHash) ? undefined : { index, places }
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown
    return undefined
  }
}
