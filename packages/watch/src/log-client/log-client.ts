/** Reads a log's checkpoint, tiles and entries. What it gives is as served: nothing of it is checked against a head. */
import {
  CountersignError,
  formatTilePath,
  HASH_BYTES,
  parseEntries,
  parseNote,
  TILE_WIDTH,
  type TileName,
  type UnverifiedNote,
} from '@countersign/verify'
import { HttpReader, type HttpReaderOptions } from './http-reader.ts'
import { MAX_CHECKPOINT_BYTES, MAX_TILE_BYTES } from './limits.ts'

export interface LogClientOptions extends HttpReaderOptions {
  /** The log's prefix: `<baseUrl>/checkpoint` is its checkpoint. */
  readonly baseUrl: string
  /** Most bytes of one answer, where its own limit is not less. */
  readonly maxBytes?: number
}

/**
 * A log, as one client sees it. Every answer has a time and a size, and the length that was asked for.
 *
 * @spec C2SP tlog-tiles v0.1.0, spec/log.md
 */
export class LogClient {
  readonly #reader: HttpReader
  readonly #maxBytes: number

  /** @throws {CountersignError} `usage/invalid` */
  constructor(options: LogClientOptions) {
    this.#reader = new HttpReader(options)
    this.#maxBytes = options.maxBytes ?? MAX_TILE_BYTES
  }

  /**
   * The checkpoint; no signature on it is checked.
   *
   * @throws {CountersignError} `watch/*`; `watch/bad-answer` also when it is no signed note
   */
  async fetchCheckpoint(): Promise<UnverifiedNote> {
    const bytes = await this.#get('checkpoint', MAX_CHECKPOINT_BYTES)
    try {
      return parseNote(bytes)
    } catch (thrown) {
      throw badAnswer('checkpoint', thrown instanceof Error ? thrown.message : 'not a note')
    }
  }

  /**
   * The hashes of a tile, exactly as many as its name says.
   *
   * @throws {CountersignError} `watch/*`
   */
  async fetchTile(tile: TileName): Promise<Uint8Array> {
    const bytes = await this.#getTile(tile, TILE_WIDTH * HASH_BYTES)
    const wanted = tile.width * HASH_BYTES
    // A full tile may stand in for a partial one that is no longer served.
    if (bytes.length !== wanted && bytes.length !== TILE_WIDTH * HASH_BYTES) {
      throw badAnswer(formatTilePath(tile), `has ${bytes.length} bytes instead of ${wanted}`)
    }
    return bytes.subarray(0, wanted)
  }

  /**
   * The bytes of an entry bundle, as served: for those who take it apart themselves.
   *
   * @throws {CountersignError} `watch/*`
   */
  fetchBundle(index: number, width: number): Promise<Uint8Array> {
    return this.#getTile({ level: 'entries', index, width }, MAX_TILE_BYTES)
  }

  /**
   * The entries `256 · index` and following, exactly `width` of them.
   *
   * @throws {CountersignError} `watch/*`
   */
  async fetchEntries(index: number, width: number): Promise<readonly Uint8Array[]> {
    const bytes = await this.fetchBundle(index, width)
    const path = formatTilePath({ level: 'entries', index, width })
    let entries: readonly Uint8Array[]
    try {
      entries = parseEntries(bytes)
    } catch (thrown) {
      throw badAnswer(path, thrown instanceof Error ? thrown.message : 'not a bundle')
    }
    if (entries.length !== width && entries.length !== TILE_WIDTH) {
      throw badAnswer(path, `has ${entries.length} entries instead of ${width}`)
    }
    return entries.slice(0, width)
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  /** A partial tile need not be served once the full one is: then that one is asked for. */
  async #getTile(tile: TileName, maxBytes: number): Promise<Uint8Array> {
    try {
      return await this.#get(formatTilePath(tile), maxBytes)
    } catch (thrown) {
      const isGone = thrown instanceof CountersignError && thrown.code === 'watch/not-found'
      if (!isGone || tile.width === TILE_WIDTH) throw thrown
      return this.#get(formatTilePath({ ...tile, width: TILE_WIDTH }), maxBytes)
    }
  }

  #get(path: string, maxBytes: number): Promise<Uint8Array> {
    return this.#reader.get(path, Math.min(maxBytes, this.#maxBytes))
  }
}

function badAnswer(path: string, why: string): CountersignError {
  return new CountersignError('watch/bad-answer', `${path}: ${why}`)
}
