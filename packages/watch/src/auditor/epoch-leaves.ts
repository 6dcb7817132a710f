/** Leaf hashes of an epoch, out of the log's tiles, proven under a head. */
import {
  type Crypto,
  HASH_BYTES,
  type Hash,
  parseHex,
  surroundingRanges,
  TILE_WIDTH,
  tileWidth,
  verifyLeafRange,
} from '@countersign/verify'
import { hashRanges, type TileSource } from '../log-client/tile-proofs.ts'
import type { SeenHead } from './decide-audit.ts'

export interface EpochLeaves {
  /** From the commitment's own leaf up to the end of the epoch, joined. */
  readonly leafHashes: Uint8Array
  readonly path: readonly Hash[]
}

/** Tiles that are asked for at a time. */
const TILES_AT_ONCE = 4

/**
 * Leaves `start` up to but not including `end`, found to stand in the tree under `head`.
 *
 * @throws {CountersignError} `watch/*`, `proof/*`
 */
export async function readEpochLeaves(
  source: TileSource,
  crypto: Crypto,
  { start, end }: { readonly start: number; readonly end: number },
  head: SeenHead,
): Promise<EpochLeaves> {
  const leafHashes = new Uint8Array((end - start) * HASH_BYTES)
  const first = Math.floor(start / TILE_WIDTH)
  const tiles = Array.from({ length: Math.floor((end - 1) / TILE_WIDTH) - first + 1 }, (_, i) => first + i)
  for (let i = 0; i < tiles.length; i += TILES_AT_ONCE) {
    await Promise.all(
      tiles.slice(i, i + TILES_AT_ONCE).map(async (index) => {
        const bytes = await source.fetchTile({ level: 0, index, width: tileWidth(0, index, head.size) })
        const [from, to] = [Math.max(start, index * TILE_WIDTH), Math.min(end, (index + 1) * TILE_WIDTH)]
        const offset = index * TILE_WIDTH
        leafHashes.set(
          bytes.subarray((from - offset) * HASH_BYTES, (to - offset) * HASH_BYTES),
          (from - start) * HASH_BYTES,
        )
      }),
    )
  }
  const path = await hashRanges(source, crypto, surroundingRanges({ start, end }, head.size), head.size)
  verifyLeafRange(crypto, { size: head.size, root: parseHex(head.root, 32) }, start, leafHashes, path)
  return { leafHashes, path }
}
