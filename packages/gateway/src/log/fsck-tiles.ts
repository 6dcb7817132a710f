/** The tile files of a log, against what its entries give. */
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { equalBytes, formatTilePath, parseTilePath, type TileName, tileWidth } from '@countersign/verify'
import type { Fsck } from './fsck-findings.ts'
import { newTiles, tileLevels } from './publisher.ts'
import { TileReader } from './tile-reader.ts'

/**
 * Checks every tile file, and that none of the published size is missing; how many were compared. Tiles above the
 * published size are what a crash leaves between tiles and checkpoint: they too must be right.
 */
export function checkTiles({ crypto, database, folder, findings }: Fsck, published: number, entries: number): number {
  const reader = new TileReader(crypto, database)
  let compared = 0
  for (const path of tileFiles(folder.log)) {
    // A crash leaves half-written files under this name; nobody reads them.
    if (path.endsWith('.tmp')) continue
    const tile = findings.attempt('tile', path, () => parseTilePath(path))
    if (tile === undefined) continue
    if (tileWidth(tile.level, tile.index, entries) < tile.width) {
      findings.error('tile', `${path} is of entries that the log does not have`)
      continue
    }
    if (isBeyond(tile, published)) findings.note('tile', `${path} is not published yet`)
    findings.attempt('tile', path, () => {
      compared++
      if (!equalBytes(readFileSync(join(folder.log, path)), reader.tile(tile))) {
        findings.error('tile', `${path} is not what the entries give`)
      }
    })
  }
  for (const level of tileLevels(published)) {
    for (const tile of newTiles(level, 0, published)) {
      const path = formatTilePath(tile)
      if (!existsSync(join(folder.log, path))) findings.error('tile', `${path} is published and missing`)
    }
  }
  return compared
}

function isBeyond({ level, index, width }: TileName, published: number): boolean {
  return tileWidth(level, index, published) < width
}

/** Paths below the log's folder, such as `tile/0/000`. */
function tileFiles(logFolder: string): readonly string[] {
  const tiles = join(logFolder, 'tile')
  if (!existsSync(tiles)) return []
  const files = readdirSync(tiles, { recursive: true, withFileTypes: true })
  return files.filter((file) => file.isFile()).map((file) => relative(logFolder, pathOf(file)))
}

const pathOf = ({ parentPath, name }: Dirent) => join(parentPath, name)
