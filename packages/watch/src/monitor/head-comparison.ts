/** Compares two heads by the tiles of the newer one, and finds where two trees part. */
import {
  CountersignError,
  type Crypto,
  codeOf,
  equalBytes,
  HASH_BYTES,
  type Hash,
  parseHex,
  TILE_WIDTH,
  type TreeHead,
  tileWidth,
  verifyConsistency,
  verifyInclusion,
} from '@countersign/verify'
import { hashRanges, proveConsistency, proveInclusion, type TileSource } from '../log-client/tile-proofs.ts'
import type { SignedHead } from './monitor-state.ts'
import type { Comparison, ProvenPlace } from './observation.ts'

export const treeHeadOf = ({ size, root }: SignedHead): TreeHead => ({ size, root: parseHex(root, HASH_BYTES) })

/**
 * Whether the newer head continues the older one, as tiles say that lead to the newer head. Tiles that do not lead there say
 * nothing. Never throws for anything that a source can do.
 */
export async function compareHeads(
  crypto: Crypto,
  sources: readonly TileSource[],
  older: SignedHead,
  newer: SignedHead,
): Promise<Comparison> {
  let reason = 'there are no tiles to compare them by'
  for (const source of sources) {
    try {
      const path = await proveConsistency(source, crypto, older.size, newer.size)
      const [root] = await hashRanges(source, crypto, [{ start: 0, end: older.size }], newer.size)
      if (root === undefined) continue
      verifyConsistency(crypto, { size: older.size, root }, treeHeadOf(newer), path)
      const isSame = equalBytes(root, treeHeadOf(older).root)
      return isSame ? { outcome: 'agrees' } : { outcome: 'differs', root, path }
    } catch (thrown) {
      reason = reasonOf(thrown)
    }
  }
  return { outcome: 'unknown', reason }
}

/**
 * The leaf hash at an index with its path to a head, checked.
 *
 * @throws {CountersignError} `watch/*`, `proof/*`
 */
export async function findPlace(
  crypto: Crypto,
  sources: readonly TileSource[],
  index: number,
  head: SignedHead,
): Promise<ProvenPlace> {
  let failure: CountersignError | undefined
  for (const source of sources) {
    try {
      const path = await proveInclusion(source, crypto, index, head.size)
      const leafHash = await readHash(source, 0, index, head.size)
      verifyInclusion(crypto, treeHeadOf(head), { index, path }, leafHash)
      return { leafHash, path, head: head.note }
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      failure = thrown
    }
  }
  throw failure ?? new CountersignError('watch/not-found', 'there are no tiles')
}

/**
 * Index of the first leaf that two trees do not share, found from the top down: one tile of each level. `undefined` when a
 * tile that is needed is not there, or when one tree begins with the other.
 */
export async function findDifference(
  a: { readonly source: TileSource; readonly size: number },
  b: { readonly source: TileSource; readonly size: number },
): Promise<number | undefined> {
  const size = Math.min(a.size, b.size)
  let level = 0
  while (Math.floor(size / TILE_WIDTH ** level) >= TILE_WIDTH) level++
  let index = 0
  try {
    for (; level >= 0; level--) {
      const width = tileWidth(level, index, size)
      const position = width === 0 ? 0 : await firstDifference(level, index, width, a, b)
      // Where whole subtrees are the same, the difference is right of them.
      if (level === 0) return position < width ? index * TILE_WIDTH + position : undefined
      index = index * TILE_WIDTH + position
    }
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown
  }
  return undefined
}

async function firstDifference(
  level: number,
  index: number,
  width: number,
  ...trees: readonly { readonly source: TileSource; readonly size: number }[]
): Promise<number> {
  const [a, b] = await Promise.all(
    trees.map(({ source, size }) => source.fetchTile({ level, index, width: tileWidth(level, index, size) })),
  )
  for (let i = 0; i < width; i++) {
    const [start, end] = [i * HASH_BYTES, (i + 1) * HASH_BYTES]
    if (a === undefined || b === undefined || !equalBytes(a.subarray(start, end), b.subarray(start, end))) return i
  }
  return width
}

async function readHash(source: TileSource, level: number, position: number, size: number): Promise<Hash> {
  const index = Math.floor(position / TILE_WIDTH)
  const tile = await source.fetchTile({ level, index, width: tileWidth(level, index, size) })
  const at = (position % TILE_WIDTH) * HASH_BYTES
  return tile.slice(at, at + HASH_BYTES)
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof CountersignError) return thrown.message
  throw thrown
}
