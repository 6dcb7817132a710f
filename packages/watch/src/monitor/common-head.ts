/** Finds how far the histories of a proof are one: the largest head that all of them continue. @spec spec/misbehaviour.md */
import { type Crypto, codeOf, type Hash, parsePromise, verifyConsistency } from '@countersign/verify'
import { proveConsistency, type TileSource } from '../log-client/tile-proofs.ts'
import { treeHeadOf } from './head-comparison.ts'
import type { SignedHead } from './monitor-state.ts'
import type { ProofDraft } from './observation.ts'
import type { ReadableHead } from './tree-forks.ts'

/** The common head, and the consistency proof from it to each head of the proof. */
export interface CommonHead {
  readonly head: SignedHead
  readonly paths: readonly (readonly Hash[])[]
}

/** The notes of a proof's heads, in the order of the format, and the first index that it contests, where it has one. */
export function headNotesOf(draft: ProofDraft): { readonly notes: readonly string[]; readonly contested?: number } {
  switch (draft.kind) {
    case 'two-heads-of-one-size':
      return { notes: draft.notes }
    case 'head-of-another-history':
      return { notes: [draft.older, draft.newer] }
    case 'two-leaves-one-index':
      return { notes: draft.places.map(({ head }) => head), contested: draft.index }
    case 'promise-other-leaf':
      return { notes: [draft.place.head], contested: parsePromise(textOf(draft.promise)).index }
    case 'promise-not-covered':
      return { notes: [draft.head], contested: parsePromise(textOf(draft.promise)).index }
    case 'two-statements-one-receipt':
    case 'two-statements-one-sequence-number':
      return { notes: [] }
  }
}

const textOf = (note: string) => note.slice(0, note.indexOf('\n\n') + 1)

/**
 * The largest of `candidates`, which are of one history in the order of their sizes, that every head continues, as tiles show.
 * `undefined` where there is none, or where a tree cannot be read any more: the proof is one without it.
 */
export async function findCommonHead(
  crypto: Crypto,
  heads: readonly ReadableHead[],
  candidates: readonly SignedHead[],
): Promise<CommonHead | undefined> {
  let found: CommonHead | undefined
  let [low, high] = [0, candidates.length]
  // Whatever continues a head continues all smaller ones of its history.
  while (low < high && heads.length > 0) {
    const middle = Math.floor((low + high) / 2)
    const head = candidates[middle]
    if (head === undefined) break
    const paths = await pathsFrom(crypto, head, heads)
    if (paths === undefined) high = middle
    else {
      found = { head, paths }
      low = middle + 1
    }
  }
  return found
}

async function pathsFrom(
  crypto: Crypto,
  from: SignedHead,
  heads: readonly ReadableHead[],
): Promise<readonly (readonly Hash[])[] | undefined> {
  const paths: (readonly Hash[])[] = []
  for (const { head, sources } of heads) {
    const path = await pathTo(crypto, from, head, sources)
    if (path === undefined) return undefined
    paths.push(path)
  }
  return paths
}

async function pathTo(
  crypto: Crypto,
  from: SignedHead,
  to: SignedHead,
  sources: readonly TileSource[],
): Promise<readonly Hash[] | undefined> {
  for (const source of sources) {
    try {
      const path = await proveConsistency(source, crypto, from.size, to.size)
      verifyConsistency(crypto, treeHeadOf(from), treeHeadOf(to), path)
      return path
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
    }
  }
  return undefined
}
