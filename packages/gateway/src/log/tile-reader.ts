/** Tiles and proofs from the database and, for what is complete, from the tile files. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  type Crypto,
  concat,
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

/** Tiles kept in memory: at most 8 KiB each. */
const MAX_CACHED_TILES = 256

/** Reads hashes of entries that are committed; never of more. */
export class TileReader {
  readonly #crypto: Crypto
  readonly #folder: string | undefined
  readonly #select
  readonly #statements
  readonly #cache = new Map<string, Uint8Array>()

  /** Without the log's folder, everything comes from the database. */
  constructor(crypto: Crypto, database: Sqlite, logFolder?: string) {
    this.#crypto = crypto
    this.#folder = logFolder
    this.#select = database.prepare('SELECT leaf_hash FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx').pluck()
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
    return level === 'entries' ? this.#entries(index, width) : this.#hashes(level, index, width)
  }

  /** The first `width` hashes of a tile. What is committed never changes, so the beginning of a tile can be kept. */
  #hashes(level: number, index: number, width: number): Uint8Array {
    const name = `${level}/${index}`
    const known = this.#cache.get(name) ?? this.#readFile(formatTilePath({ level, index, width: TILE_WIDTH }))
    const tile = this.#extend(known ?? new Uint8Array(0), level, index, width)
    this.#cache.delete(name)
    const [oldest] = this.#cache.keys()
    if (this.#cache.size >= MAX_CACHED_TILES && oldest !== undefined) this.#cache.delete(oldest)
    this.#cache.set(name, tile)
    return tile.subarray(0, width * HASH_BYTES)
  }

  /** A tile's beginning, grown to `width` hashes where it has fewer. */
  #extend(known: Uint8Array, level: number, index: number, width: number): Uint8Array {
    const from = known.length / HASH_BYTES
    if (from >= width) return known
    const first = index * TILE_WIDTH
    if (level === 0) return concat(known, ...this.#leafHashes(first + from, first + width))
    const roots = Array.from({ length: width - from }, (_, i) =>
      this.#tileRoot(this.#hashes(level - 1, first + from + i, TILE_WIDTH), 0, TILE_WIDTH),
    )
    return concat(known, ...roots)
  }

  #leafHashes(start: number, end: number): readonly Uint8Array[] {
    const rows = this.#select.all(start, end) as Uint8Array[]
    if (rows.length !== end - start) {
      throw new CountersignError('data/damaged', `the database lacks entries from ${start}`)
    }
    return rows
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
    const tile = this.#hashes(level, tileIndex, start + span)
    return this.#tileRoot(tile, start, span)
  }

  /** Root of `span` (a power of two) hashes in a tile. */
  #tileRoot(tile: Uint8Array, start: number, span: number): Hash {
    if (span === 1) return tile.slice(start * HASH_BYTES, (start + 1) * HASH_BYTES)
    const half = span / 2
    return hashChildren(this.#crypto, this.#tileRoot(tile, start, half), this.#tileRoot(tile, start + half, half))
  }
}
