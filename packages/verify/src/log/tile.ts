/** Tiles: a log's hashes and entries as plain files. @spec C2SP tlog-tiles v0.1.0 */
import { concat } from '../bytes/bytes.ts'
import { CountersignError, quote } from '../errors.ts'
import { HASH_BYTES, type Hash } from './merkle.ts'

/** Hashes in a full tile, and tree levels that one tile spans. */
export const TILE_WIDTH = 256
export const TILE_HEIGHT = 8

/** Most bytes of one entry: its length has two bytes. */
export const MAX_ENTRY_BYTES = 65_535

const MAX_LEVEL = 63

/** Which tile: `level` counts tiles up from the leaves, or is `entries`; `width` below 256 means a partial one. */
export interface TileName {
  readonly level: number | 'entries'
  readonly index: number
  readonly width: number
}

/** Path of a tile below the log's prefix, as in `tile/0/x001/x234/067.p/5`. */
export function formatTilePath({ level, index, width }: TileName): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const groups = padded.match(/.{3}/g) ?? []
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

/**
 * Reads a tile's path; each tile has exactly one.
 *
 * @throws {CountersignError} `tile/malformed`
 */
export function parseTilePath(path: string): TileName {
  const match = /^tile\/(0|[1-9][0-9]?|entries)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(path)
  const [, levelText, indexText, widthText] = match ?? []
  if (levelText === undefined || indexText === undefined) throw malformed(path)
  const name: TileName = {
    level: levelText === 'entries' ? 'entries' : Number(levelText),
    index: Number(indexText.replace(/[x/]/g, '')),
    width: widthText === undefined ? TILE_WIDTH : Number(widthText),
  }
  const inBounds = (name.level === 'entries' || name.level <= MAX_LEVEL) && name.width <= TILE_WIDTH
  if (!inBounds || !Number.isSafeInteger(name.index) || formatTilePath(name) !== path) throw malformed(path)
  return name
}

/** Hashes or entries that the tile `index` of `level` holds in a tree of `size` entries: 0 when there is none. */
export function tileWidth(level: number | 'entries', index: number, size: number): number {
  const items = Math.floor(size / TILE_WIDTH ** (level === 'entries' ? 0 : level))
  return Math.max(0, Math.min(TILE_WIDTH, items - index * TILE_WIDTH))
}

/**
 * The hashes of a tile.
 *
 * @throws {CountersignError} `tile/malformed`
 */
export function parseTile(bytes: Uint8Array): readonly Hash[] {
  const count = bytes.length / HASH_BYTES
  if (!Number.isInteger(count) || count < 1 || count > TILE_WIDTH) {
    throw new CountersignError('tile/malformed', `a tile has 1 to ${TILE_WIDTH} hashes of ${HASH_BYTES} bytes`)
  }
  return Array.from({ length: count }, (_, i) => bytes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES))
}

/** The bytes of an entry bundle. @throws {CountersignError} `tile/malformed` for an entry whose length has no two bytes */
export function formatEntries(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.some((entry) => entry.length > MAX_ENTRY_BYTES)) {
    throw new CountersignError('tile/malformed', `an entry has at most ${MAX_ENTRY_BYTES} bytes`)
  }
  return concat(...entries.flatMap((entry) => [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]))
}

/**
 * The entries of a bundle.
 *
 * @throws {CountersignError} `tile/malformed`
 */
export function parseEntries(bytes: Uint8Array): readonly Uint8Array[] {
  const entries: Uint8Array[] = []
  let offset = 0
  while (offset < bytes.length) {
    const length = ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)
    const end = offset + 2 + length
    if (offset + 2 > bytes.length || end > bytes.length || entries.length === TILE_WIDTH) {
      throw new CountersignError('tile/malformed', `an entry bundle has up to ${TILE_WIDTH} whole entries`)
    }
    entries.push(bytes.slice(offset + 2, end))
    offset = end
  }
  return entries
}

function malformed(path: string): CountersignError {
  return new CountersignError('tile/malformed', `${quote(path)} is not a tile's path`)
}
