import assert from 'node:assert/strict'
import { mkdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  formatTilePath,
  hashLeaf,
  parseEntries,
  parseTile,
  TILE_WIDTH,
  verifyConsistency,
  verifyInclusion,
} from '@countersign/verify'
import fc from 'fast-check'
import { CompactTree } from './compact-tree.ts'
import { appendMany, createTestLog, TEST_TIME_MS, type TestLog } from './log.testing.ts'
import { Publisher } from './publisher.ts'
import { TileReader } from './tile-reader.ts'

/** More than four full tiles, so that level 1 has a tile of four hashes; and a prime, so that the edge is ragged. */
const SIZE = 1033

interface Filled {
  readonly log: TestLog
  readonly leaves: readonly Uint8Array[]
  /** Root at each size. */
  readonly roots: readonly Uint8Array[]
}

function fill(context: TestContext): Filled {
  const log = createTestLog(context)
  appendMany(log, SIZE)
  const leaves = log.database.prepare('SELECT leaf_hash FROM entries ORDER BY idx').pluck().all() as Uint8Array[]
  const tree = new CompactTree(log.crypto)
  const roots = [tree.root()]
  for (const leaf of leaves) {
    tree.append(new Uint8Array(leaf))
    roots.push(tree.root())
  }
  return { log, leaves: leaves.map((leaf) => new Uint8Array(leaf)), roots }
}

function headAt({ roots }: Filled, size: number) {
  return { size, root: roots[size] ?? new Uint8Array() }
}

function checkProofs(filled: Filled, reader: TileReader): void {
  const { crypto } = filled.log
  const sizes = fc.integer({ min: 1, max: SIZE })
  fc.assert(
    fc.property(sizes, fc.nat(), (size, some) => {
      const index = some % size
      const head = headAt(filled, size)
      assert.deepEqual(reader.root(size), head.root)
      const path = reader.inclusionPath(index, size)
      verifyInclusion(crypto, head, { index, path }, filled.leaves[index] ?? new Uint8Array())
    }),
    {
      numRuns: 100,
      examples: [
        [SIZE, 0],
        [SIZE, SIZE - 1],
        [1, 0],
        [256, 255],
        [257, 256],
        [512, 300],
        [1024, 1023],
      ],
    },
  )
  fc.assert(
    fc.property(sizes, sizes, (one, other) => {
      const [older, newer] = [Math.min(one, other), Math.max(one, other)]
      const path = reader.consistencyPath(older, newer)
      verifyConsistency(crypto, headAt(filled, older), headAt(filled, newer), path)
    }),
    {
      numRuns: 100,
      examples: [
        [256, SIZE],
        [255, 256],
        [256, 257],
        [512, 1024],
        [1, SIZE],
        [SIZE, SIZE],
      ],
    },
  )
}

test('proofs of every size check, from the database alone', (context) => {
  const filled = fill(context)
  const { crypto, database, logFolder } = filled.log
  checkProofs(filled, new TileReader(crypto, database, logFolder))
})

test('proofs of every size check, from files', async (context) => {
  const filled = fill(context)
  const { crypto, database, logFolder, sequencer } = filled.log
  mkdirSync(logFolder)
  const writer = new Publisher(new TileReader(crypto, database, logFolder), logFolder, 0)
  await writer.publish(SIZE, sequencer.advanceHead(TEST_TIME_MS)?.note ?? '')
  // Entries that are in full tiles: proofs must not need the database for these.
  database.exec(`DELETE FROM entries WHERE idx < ${4 * TILE_WIDTH}`)
  checkProofs(filled, new TileReader(crypto, database, logFolder))
})

test('a tile file that is missing or cut short is made up for by the database', async (context) => {
  const filled = fill(context)
  const { crypto, database, logFolder, sequencer } = filled.log
  mkdirSync(logFolder)
  const writer = new Publisher(new TileReader(crypto, database, logFolder), logFolder, 0)
  await writer.publish(SIZE, sequencer.advanceHead(TEST_TIME_MS)?.note ?? '')
  rmSync(join(logFolder, formatTilePath({ level: 0, index: 1, width: TILE_WIDTH })))
  truncateSync(join(logFolder, formatTilePath({ level: 0, index: 2, width: TILE_WIDTH })), 100)
  checkProofs(filled, new TileReader(crypto, database, logFolder))
})

test('a tile holds the hashes of its entries, and the one above the roots of the tiles', (context) => {
  const filled = fill(context)
  const { crypto, database, logFolder } = filled.log
  const reader = new TileReader(crypto, database, logFolder)
  assert.deepEqual(parseTile(reader.tile({ level: 0, index: 4, width: 9 })), filled.leaves.slice(1024, 1033))
  const above = parseTile(reader.tile({ level: 1, index: 0, width: 4 }))
  assert.deepEqual(above[0], filled.roots[256])
  const entries = parseEntries(reader.tile({ level: 'entries', index: 4, width: 9 }))
  assert.deepEqual(
    entries.map((entry) => hashLeaf(crypto, entry)),
    filled.leaves.slice(1024, 1033),
  )
})

test('more than there is, is not made up', (context) => {
  const log = createTestLog(context)
  appendMany(log, 3)
  const reader = new TileReader(log.crypto, log.database, log.logFolder)
  for (const level of [0, 1, 'entries'] as const) {
    assert.throws(() => reader.tile({ level, index: 0, width: 4 }), { code: 'data/damaged' })
  }
  assert.throws(() => reader.inclusionPath(3, 3), { code: 'proof/index-out-of-range' })
  assert.throws(() => reader.inclusionPath(0, 4), { code: 'data/damaged' })
})
