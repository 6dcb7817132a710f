/** Looks things up in trees: the verified one, as far as it was kept, and those that the log serves now. */
import { type Crypto, codeOf, equalBytes, parseHex } from '@countersign/verify'
import type { LogClient } from '../log-client/log-client.ts'
import type { TileSource } from '../log-client/tile-proofs.ts'
import { type CommonHead, findCommonHead } from './common-head.ts'
import { isSame } from './decide-heads.ts'
import type { EvidenceDesk } from './evidence-desk.ts'
import { compareHeads, findPlace } from './head-comparison.ts'
import type { KeptTree } from './kept-tree.ts'
import type { SignedHead, WaitingPromise } from './monitor-state.ts'
import type { Observation, PromiseCheck } from './observation.ts'
import { type ForkedLeaf, findForkedLeaf } from './tree-forks.ts'

/** The verified head, and what was kept of its tree. */
export interface VerifiedTree {
  readonly head: SignedHead
  readonly kept: KeptTree
}

export interface ComparerOptions {
  readonly crypto: Crypto
  readonly client: LogClient
  readonly desk: EvidenceDesk
  readonly nowMs: () => number
}

export class Comparer {
  readonly #options: ComparerOptions

  constructor(options: ComparerOptions) {
    this.#options = options
  }

  async compare(tree: VerifiedTree, older: SignedHead, newer: SignedHead): Promise<Observation> {
    const { crypto, nowMs } = this.#options
    const comparison = await compareHeads(crypto, this.#sourcesOf(tree, newer), older, newer)
    return { kind: 'compared', older, newer, comparison, atMs: nowMs() }
  }

  /** Leaves that are others in each of two trees: by tiles where both are there, or by a receipt of one. */
  async locate(tree: VerifiedTree, older: SignedHead, newer: SignedHead): Promise<readonly Observation[]> {
    const { desk, nowMs } = this.#options
    const readable = (head: SignedHead) => ({ head, sources: this.#sourcesOf(tree, head) })
    const forked = [
      await this.#findForkedLeaf(tree, older, newer),
      await desk.findOtherLeaf(older, readable(newer)),
      await desk.findOtherLeaf(newer, readable(older)),
    ]
    return forked.flatMap((leaf) => {
      if (leaf === undefined) return []
      const draft = { kind: 'two-leaves-one-index', subject: String(leaf.index), ...leaf } as const
      return [{ kind: 'contradiction', draft, atMs: nowMs() } as const]
    })
  }

  /** Of the verified tree, which the log may serve no more, what was kept is all that there is. The other is what it serves. */
  async #findForkedLeaf(tree: VerifiedTree, older: SignedHead, newer: SignedHead): Promise<ForkedLeaf | undefined> {
    const { crypto, client } = this.#options
    const other = isSame(older, tree.head) ? newer : isSame(newer, tree.head) ? older : undefined
    if (other === undefined) return undefined
    return findForkedLeaf(crypto, { head: tree.head, sources: [tree.kept] }, { head: other, sources: [client] })
  }

  /** The largest of the verified heads that all heads of a proof continue. */
  findCommonHead(
    tree: VerifiedTree,
    heads: readonly SignedHead[],
    candidates: readonly SignedHead[],
  ): Promise<CommonHead | undefined> {
    const readable = heads.map((head) => ({ head, sources: this.#sourcesOf(tree, head) }))
    return findCommonHead(this.#options.crypto, readable, candidates)
  }

  async checkPromise(tree: VerifiedTree, promise: WaitingPromise): Promise<Observation> {
    const { nowMs } = this.#options
    return { kind: 'promise-checked', promise, check: await this.#lookUp(tree, promise), atMs: nowMs() }
  }

  async #lookUp(tree: VerifiedTree, { index, leafHash }: WaitingPromise): Promise<PromiseCheck> {
    try {
      const place = await findPlace(this.#options.crypto, this.#sourcesOf(tree, tree.head), index, tree.head)
      const isKept = equalBytes(place.leafHash, parseHex(leafHash, 32))
      return isKept ? { outcome: 'kept' } : { outcome: 'broken', place }
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
      return { outcome: 'unknown', reason: thrown instanceof Error ? thrown.message : 'there are no tiles' }
    }
  }

  #sourcesOf({ head, kept }: VerifiedTree, of: SignedHead): readonly TileSource[] {
    // What was kept is also the tree of every smaller head of its history.
    return of.size <= head.size ? [kept, this.#options.client] : [this.#options.client]
  }
}
