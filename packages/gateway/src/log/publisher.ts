/** Publishes the log as files: tiles first, then the checkpoint. Derived from the database, repeatable, repaired at start. */
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  equalBytes,
  formatTilePath,
  HASH_BYTES,
  parseEntries,
  TILE_WIDTH,
  type TileName,
  tileWidth,
  utf8,
} from '@countersign/verify'
import { syncFolder } from '../data/durable-file.ts'
import { checkpointPath } from './open-log.ts'
import type { TileReader } from './tile-reader.ts'

/** Anyone may read what is published. */
const PUBLIC_FILE = 0o644

/** Levels that hold tiles of a tree of `size` entries. */
export function tileLevels(size: number): readonly (number | 'entries')[] {
  const levels: (number | 'entries')[] = ['entries']
  for (let level = 0; tileWidth(level, 0, size) > 0; level++) levels.push(level)
  return levels
}

/** The tiles of `level` that a tree of `size` has and a tree of `from` does not have in that width. */
export function* newTiles(level: number | 'entries', from: number, size: number): Generator<TileName> {
  const unit = TILE_WIDTH ** (level === 'entries' ? 1 : level + 1)
  for (let index = Math.floor(from / unit); tileWidth(level, index, size) > 0; index++) {
    const width = tileWidth(level, index, size)
    if (width !== tileWidth(level, index, from)) yield { level, index, width }
  }
}

export class Publisher {
  readonly #reader: TileReader
  readonly #folder: string
  /** Size that was published last, as far as this publisher knows. */
  #publishedSize: number
  /** Size of the checkpoint that stands in its file, and its text as far as it was written here. */
  #writtenSize: number
  #writtenNote = ''
  /** The newest head that has got more cosignatures. */
  #amended = { size: 0, note: '' }
  /** Writes of the checkpoint, one after the other. */
  #lastWrite: Promise<void> = Promise.resolve()

  constructor(reader: TileReader, folder: string, publishedSize: number) {
    this.#reader = reader
    this.#folder = folder
    this.#publishedSize = publishedSize
    this.#writtenSize = publishedSize
  }

  /**
   * Writes the tiles that `size` needs, syncs them, has the head cosigned, and only then writes the checkpoint. Does nothing
   * when nothing changed.
   */
  async publish(size: number, note: string, cosign: () => Promise<string> = async () => note): Promise<void> {
    if (size <= this.#publishedSize) return
    for (const level of tileLevels(size)) {
      for (const tile of newTiles(level, this.#publishedSize, size)) await this.#writeTile(tile)
    }
    await this.#writeCheckpoint(size, await cosign())
    // What came while it was being written.
    if (this.#amended.size === size) await this.#writeCheckpoint(size, this.#amended.note)
    for (const level of tileLevels(size)) this.#dropPartials(level, this.#publishedSize, size)
    this.#publishedSize = size
  }

  /**
   * Writes the published checkpoint again, with more cosignatures. Of a head that is to be published next they are kept
   * until then; of an older one they come too late.
   */
  async amend(size: number, note: string): Promise<void> {
    if (size >= Math.max(this.#writtenSize, this.#amended.size)) this.#amended = { size, note }
    if (size === this.#writtenSize) await this.#writeCheckpoint(size, note)
  }

  #writeCheckpoint(size: number, note: string): Promise<void> {
    const write = async () => {
      // What is published never goes back, and never has fewer lines.
      if (size < this.#writtenSize) return
      if (size === this.#writtenSize && note.length <= this.#writtenNote.length) return
      await this.#writeFile(checkpointPath(this.#folder), utf8(note))
      this.#writtenSize = size
      this.#writtenNote = note
    }
    this.#lastWrite = this.#lastWrite.catch(() => undefined).then(write)
    return this.#lastWrite
  }

  /**
   * Writes the published tiles that are missing or have the wrong length; returns how many there were. Contents are
   * compared by `log fsck`.
   */
  async repair(): Promise<number> {
    let repaired = 0
    for (const level of tileLevels(this.#publishedSize)) {
      for (const tile of newTiles(level, 0, this.#publishedSize)) {
        if (this.#isWhole(tile)) continue
        rmSync(join(this.#folder, formatTilePath(tile)), { force: true })
        await this.#writeTile(tile)
        repaired++
      }
    }
    return repaired
  }

  #isWhole(tile: TileName): boolean {
    const path = join(this.#folder, formatTilePath(tile))
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return false
    if (tile.level !== 'entries') return stat.size === tile.width * HASH_BYTES
    try {
      return parseEntries(readFileSync(path)).length === tile.width
    } catch {
      return false
    }
  }

  async #writeTile(tile: TileName): Promise<void> {
    const path = join(this.#folder, formatTilePath(tile))
    mkdirSync(dirname(path), { recursive: true })
    const bytes = this.#reader.tile(tile)
    const existing = await readFile(path).catch(() => undefined)
    // What is published never changes; the same bytes again are left alone.
    if (existing !== undefined && equalBytes(existing, bytes)) return
    await this.#writeFile(path, bytes)
  }

  async #writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const file = await open(`${path}.tmp`, 'w', PUBLIC_FILE)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
    syncFolder(dirname(path))
  }

  /** Partial tiles are of no use once their full tile is there; until then each stays served. */
  #dropPartials(level: number | 'entries', from: number, size: number): void {
    for (const tile of newTiles(level, from, size)) {
      if (tile.width < TILE_WIDTH) continue
      const folder = `${join(this.#folder, formatTilePath(tile))}.p`
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
