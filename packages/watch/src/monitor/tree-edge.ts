/** The right edge of a log's tree, as tiles: all that is needed to append leaves, to know the root, and to make every tile. */
import {
  CountersignError,
  type Crypto,
  emptyRoot,
  HASH_BYTES,
  type Hash,
  hashChildren,
  TILE_WIDTH,
  type TileName,
  tileWidth,
} from '@countersign/verify'

const TILE_BYTES = TILE_WIDTH * HASH_BYTES

/** Levels of a tree of up to 2^53 entries that can have a tile which is not full. */
const LEVELS = 7

/** Takes each tile as it becomes full. Its bytes are its own from then on. */
export type TileSink = (tile: TileName, bytes: Uint8Array) => void

/** Holds at most 255 hashes of each of seven levels: 56 KiB. */
export class TreeEdge {
  readonly #crypto: Crypto
  readonly #tiles: Uint8Array[]
  #size: number
  /** Two nodes behind the byte that says they are children. */
  readonly #node = new Uint8Array(1 + 2 * HASH_BYTES).fill(1, 0, 1)
  readonly #work = new Uint8Array(TILE_BYTES)

  constructor(crypto: Crypto, size = 0, tiles: readonly Uint8Array[] = []) {
    this.#crypto = crypto
    this.#size = size
    this.#tiles = Array.from({ length: LEVELS }, (_, level) => {
      const tile = new Uint8Array(TILE_BYTES)
      tile.set(tiles[level] ?? new Uint8Array(0))
      return tile
    })
  }

  /**
   * An edge as {@link format} wrote it, of a tree of `size` entries.
   *
   * @throws {CountersignError} `data/damaged` when the bytes are not as many as such a tree has
   */
  static parse(crypto: Crypto, size: number, bytes: Uint8Array): TreeEdge {
    const tiles: Uint8Array[] = []
    let offset = 0
    for (let level = 0; level < LEVELS; level++) {
      const length = widthOf(level, size) * HASH_BYTES
      tiles.push(bytes.subarray(offset, offset + length))
      offset += length
    }
    if (offset !== bytes.length)
      throw new CountersignError('data/damaged', 'the kept edge is not of a tree of its size')
    return new TreeEdge(crypto, size, tiles)
  }

  get size(): number {
    return this.#size
  }

  /** The hashes of each level's last tile, when it is not full. */
  format(): Uint8Array {
    const parts = this.#tiles.map((_, level) => this.partial(level))
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let offset = 0
    for (const part of parts) {
      bytes.set(part, offset)
      offset += part.length
    }
    return bytes
  }

  /** The edge as it was when the last full tile of leaves became so. */
  wholeTiles(): TreeEdge {
    const [, ...above] = this.#tiles
    return new TreeEdge(this.#crypto, this.#size - (this.#size % TILE_WIDTH), [new Uint8Array(0), ...above])
  }

  copy(): TreeEdge {
    return new TreeEdge(this.#crypto, this.#size, this.#tiles)
  }

  /** Appends a leaf by its hash. `onFull` gets the tiles that become full by it, from the leaves up. */
  append(leafHash: Hash, onFull: TileSink): void {
    const at = this.#size % TILE_WIDTH
    this.#tiles[0]?.set(leafHash, at * HASH_BYTES)
    this.#size++
    if (at === TILE_WIDTH - 1) this.#carry(0, onFull)
  }

  /** The tile of a level is full: its root goes into the tile above. */
  #carry(level: number, onFull: TileSink): void {
    const full = this.#tiles[level]
    if (full === undefined) return
    const span = TILE_WIDTH ** (level + 1)
    const index = Math.floor(this.#size / span) - 1
    const root = this.#rootOf(full, 0, TILE_WIDTH)
    this.#tiles[level] = new Uint8Array(TILE_BYTES)
    onFull({ level, index, width: TILE_WIDTH }, full)
    const at = index % TILE_WIDTH
    this.#tiles[level + 1]?.set(root, at * HASH_BYTES)
    if (at === TILE_WIDTH - 1) this.#carry(level + 1, onFull)
  }

  /** The hashes of a level's last tile, none when it is full or there is none. A view, good until the next leaf. */
  partial(level: number): Uint8Array {
    return this.#tiles[level]?.subarray(0, widthOf(level, this.#size) * HASH_BYTES) ?? new Uint8Array(0)
  }

  /** Name of a level's last tile that is not full; `undefined` when there is none. */
  partialName(level: number): TileName | undefined {
    const width = widthOf(level, this.#size)
    const index = Math.floor(this.#size / TILE_WIDTH ** (level + 1))
    return width === 0 ? undefined : { level, index, width: tileWidth(level, index, this.#size) }
  }

  root(): Hash {
    let root: Hash | undefined
    // From the right: each perfect subtree to the left is the sibling of all that stands right of it.
    for (let level = 0; level < LEVELS; level++) {
      const tile = this.#tiles[level]
      let end = widthOf(level, this.#size)
      for (let span = 1; end > 0 && tile !== undefined; span *= 2) {
        if (end % (span * 2) === 0) continue
        const left = this.#rootOf(tile, end - span, span)
        root = root === undefined ? left : hashChildren(this.#crypto, left, root)
        end -= span
      }
    }
    return root ?? emptyRoot(this.#crypto)
  }

  /** Root of `span` (a power of two) hashes of a tile, in place of a copy. */
  #rootOf(tile: Uint8Array, start: number, span: number): Hash {
    const work = this.#work
    work.set(tile.subarray(start * HASH_BYTES, (start + span) * HASH_BYTES))
    for (let width = span; width > 1; width /= 2) {
      for (let i = 0; i < width / 2; i++) {
        this.#node.set(work.subarray(i * 2 * HASH_BYTES, (i * 2 + 2) * HASH_BYTES), 1)
        work.set(this.#crypto.sha256(this.#node), i * HASH_BYTES)
      }
    }
    return work.slice(0, HASH_BYTES)
  }
}

/** Hashes of a level's last tile that is not full. */
function widthOf(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level) % TILE_WIDTH
}
