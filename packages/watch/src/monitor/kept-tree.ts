/** The verified tree, as far as it was kept: full tiles from the store, the others from the tree's edge. */
import { HASH_BYTES, type TileName } from '@countersign/verify'
import type { TileSource } from '../log-client/tile-proofs.ts'
import type { TreeEdge } from './tree-edge.ts'

export class KeptTree implements TileSource {
  readonly #store: TileSource
  readonly #edge: TreeEdge

  constructor(store: TileSource, edge: TreeEdge) {
    this.#store = store
    this.#edge = edge
  }

  get size(): number {
    return this.#edge.size
  }

  /** @throws {CountersignError} `watch/not-found` for what was not kept */
  async fetchTile(tile: TileName): Promise<Uint8Array> {
    if (typeof tile.level === 'number' && this.#edge.partialName(tile.level)?.index === tile.index) {
      return this.#edge.partial(tile.level).slice(0, tile.width * HASH_BYTES)
    }
    return this.#store.fetchTile(tile)
  }
}
