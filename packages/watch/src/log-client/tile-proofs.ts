/** Proofs built from a log's tiles. They are as good as the tiles: check each against signed heads. */
import {
  CountersignError,
  type Crypto,
  consistencyRanges,
  HASH_BYTES,
  type Hash,
  hashChildren,
  hashRange,
  inclusionRanges,
  type LeafRange,
  type ReadSubtree,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileName,
  tileWidth,
} from '@countersign/verify'

/** Whoever has tiles: a log, or what was kept of one. */
export interface TileSource {
  /** @throws {CountersignError} when there is none */
  fetchTile(tile: TileName): Promise<Uint8Array>
}

/**
 * The path of entry `index` in the tree of `size` entries, as the tiles have it.
 *
 * @throws {CountersignError} `watch/*`, `proof/index-out-of-range`
 */
export function proveInclusion(
  source: TileSource,
  crypto: Crypto,
  index: number,
  size: number,
): Promise<readonly Hash[]> {
  return hashRanges(source, crypto, inclusionRanges(index, size), size)
}

/**
 * The consistency proof between two sizes, as the tiles have it.
 *
 * @throws {CountersignError} `watch/*`, `proof/index-out-of-range`
 */
export function proveConsistency(
  source: TileSource,
  crypto: Crypto,
  older: number,
  newer: number,
): Promise<readonly Hash[]> {
  return hashRanges(source, crypto, consistencyRanges(older, newer), newer)
}

/**
 * The hash of each range of leaves in the tree of `size` entries. Ranges are those of proofs: each begins where a perfect
 * subtree as large as itself would.
 *
 * @throws {CountersignError} `watch/*`
 */
export async function hashRanges(
  source: TileSource,
  crypto: Crypto,
  ranges: readonly LeafRange[],
  size: number,
): Promise<readonly Hash[]> {
  const tiles = new Map<string, { readonly name: TileName; bytes: Uint8Array }>()
  const placeOf = (height: number, index: number) => {
    const level = Math.floor(height / TILE_HEIGHT)
    const span = 2 ** (height % TILE_HEIGHT)
    const tile = Math.floor((index * span) / TILE_WIDTH)
    return { key: `${level}/${tile}`, level, tile, span, start: index * span - tile * TILE_WIDTH }
  }
  // Once without hashes, to learn which tiles are needed; then with them.
  const note: ReadSubtree = (height, index) => {
    const { key, level, tile } = placeOf(height, index)
    const name = { level, index: tile, width: tileWidth(level, tile, size) }
    tiles.set(key, { name, bytes: new Uint8Array(0) })
    return new Uint8Array(HASH_BYTES)
  }
  for (const range of ranges) hashRange(crypto, range, note)
  await Promise.all(
    [...tiles.values()].map(async (each) => {
      each.bytes = await source.fetchTile(each.name)
    }),
  )
  const read: ReadSubtree = (height, index) => {
    const { key, span, start } = placeOf(height, index)
    return subtreeOf(crypto, tiles.get(key)?.bytes ?? new Uint8Array(0), start, span)
  }
  return ranges.map((range) => hashRange(crypto, range, read))
}

/** Root of `span` (a power of two) hashes of a tile from `start` on. */
function subtreeOf(crypto: Crypto, tile: Uint8Array, start: number, span: number): Hash {
  if ((start + span) * HASH_BYTES > tile.length) {
    throw new CountersignError('watch/bad-answer', 'a tile is shorter than its tree needs')
  }
  if (span === 1) return tile.slice(start * HASH_BYTES, (start + 1) * HASH_BYTES)
  const half = span / 2
  return hashChildren(crypto, subtreeOf(crypto, tile, start, half), subtreeOf(crypto, tile, start + half, half))
}
