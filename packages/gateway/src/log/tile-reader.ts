/** Tiles and proofs from the database and, for what is complete, from the tile files. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  type Crypto,
  consistencyRanges,
  formatEntries,
  formatLeaf,
  formatTilePath,
  HASH_BYTES,
  type Hash,
  hashChildren,
  hashRange,
  inclusionRanges,
  type ReadSubtree,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileName,
} from '@countersign/verify'
import type { Sqlite } from '../store/database.ts'

/** Complete tiles kept in memory: 8 KiB each. */
const MAX_CACHED_TILES = 256

/** Reads hashes of entries that are committed; never of more. */
export class TileReader {
  readonly #crypto: Crypto
  readonly #folder: string | undefined
  readonly #hashes
  readonly #statements
  readonly #cache = new Map<string, Uint8Array>()

  /** Without the log's folder, everything comes from the database. */
  constructor(crypto: Crypto, database: Sqlite, logFolder?: string) {
    this.#crypto = crypto
    this.#folder = logFolder
    this.#hashes = database.prepare('SELECT leaf_hash FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx').pluck()
    this.#statements = database
      .prepare('SELECT payload, signature, spki FROM statements WHERE idx >= ? AND idx < ? ORDER BY idx')
      .raw()
  }

  /** The path of entry `index` in the tree of `size` entries. */
  inclusionPath(index: number, size: number): readonly Hash[] {
    return inclusionRanges(index, size).map((range) => hashRange(this.#crypto, range, this.#subtree))
  }

  /** The proof that the tree of `older` entries begins the one of `newer`. */
  consistencyPath(older: number, newer: number): readonly Hash[] {
    return consistencyRanges(older, newer).map((range) => hashRange(this.#crypto, range, this.#subtree))
  }

  /** Root of the tree of `size` entries. */
  root(size: number): Hash {
    return hashRange(this.#crypto, { start: 0, end: size }, this.#subtree)
  }

  /** The bytes of a tile, from the database where there is no file. @throws {CountersignError} `data/damaged` */
  tile({ level, index, width }: TileName): Uint8Array {
    return level === 'entries' ? this.#entries(index, width) : this.#hashTile(level, index, width)
  }

  /** The bytes of a tile, computed from the database alone. */
  computeTile(level: number, index: number, width: number): Uint8Array {
    const first = index * TILE_WIDTH
    const hashes = level === 0 ? this.#leafHashes(first, width) : this.#upperHashes(level, first, width)
    const tile = new Uint8Array(width * HASH_BYTES)
    hashes.forEach((hash, i) => {
      tile.set(hash, i * HASH_BYTES)
    })
    return tile
  }

  #leafHashes(first: number, width: number): readonly Uint8Array[] {
    const rows = this.#hashes.all(first, first + width) as Uint8Array[]
    if (rows.length !== width) throw new CountersignError('data/damaged', `the database lacks entries from ${first}`)
    return rows
  }

  #upperHashes(level: number, first: number, width: number): readonly Hash[] {
    return Array.from({ length: width }, (_, i) =>
      this.#tileRoot(this.#hashTile(level - 1, first + i, TILE_WIDTH), 0, TILE_WIDTH),
    )
  }

  #hashTile(level: number, index: number, width: number): Uint8Array {
    if (width < TILE_WIDTH) return this.computeTile(level, index, width)
    const path = formatTilePath({ level, index, width })
    const cached = this.#cache.get(path)
    if (cached !== undefined) return cached
    const tile = this.#readFile(path) ?? this.computeTile(level, index, width)
    const [oldest] = this.#cache.keys()
    if (this.#cache.size >= MAX_CACHED_TILES && oldest !== undefined) this.#cache.delete(oldest)
    this.#cache.set(path, tile)
    return tile
  }

  #readFile(path: string): Uint8Array | undefined {
    if (this.#folder === undefined) return undefined
    try {
      const bytes = readFileSync(join(this.#folder, path))
      return bytes.length === TILE_WIDTH * HASH_BYTES ? new Uint8Array(bytes) : undefined
    } catch {
      return undefined
    }
  }

  #entries(index: number, width: number): Uint8Array {
    const first = index * TILE_WIDTH
    const rows = this.#statements.all(first, first + width) as [Uint8Array, Uint8Array, Uint8Array][]
    if (rows.length !== width) throw new CountersignError('data/damaged', `the database lacks statements from ${first}`)
    return formatEntries(
      rows.map(([payload, signature, spki]) =>
        formatLeaf({ payloadHash: this.#crypto.sha256(payload), signature, spki: new Uint8Array(spki) }),
      ),
    )
  }

  readonly #subtree: ReadSubtree = (height, index) => {
    const level = Math.floor(height / TILE_HEIGHT)
    const span = 2 ** (height % TILE_HEIGHT)
    const first = index * span
    const tileIndex = Math.floor(first / TILE_WIDTH)
    const start = first - tileIndex * TILE_WIDTH
    // Of a tile that is not complete, what stands left of the range's end is all that is read.
    const tile = this.#available(level, tileIndex, start + span)
    return this.#tileRoot(tile, start, span)
  }

  #available(level: number, index: number, needed: number): Uint8Array {
    const cached = this.#cache.get(formatTilePath({ level, index, width: TILE_WIDTH }))
    if (cached !== undefined) return cached
    const file = this.#readFile(formatTilePath({ level, index, width: TILE_WIDTH }))
    return file === undefined ? this.computeTile(level, index, needed) : this.#hashTile(level, index, TILE_WIDTH)
  }

  /** Root of `span` (a power of two) hashes in a tile. */
  #tileRoot(tile: Uint8Array, start: number, span: number): Hash {
    if (span === 1) return tile.slice(start * HASH_BYTES, (start + 1) * HASH_BYTES)
    const half = span / 2
    return hashChildren(this.#crypto, this.#tileRoot(tile, start, half), this.#tileRoot(tile, start + half, half))
  }
}
