import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hashLeaf, parseEntries, parseTile } from '@countersign/verify'
import { appendMany, createTestLog, TEST_TIME_MS, type TestLog } from './log.testing.ts'
import { checkpointPath } from './open-log.ts'
import { newTiles, Publisher, tileLevels } from './publisher.ts'
import { TileReader } from './tile-reader.ts'

function createLog(context: TestContext): TestLog {
  const log = createTestLog(context)
  mkdirSync(log.logFolder)
  return log
}

function publisherOf({ crypto, database, logFolder }: TestLog, publishedSize = 0): Publisher {
  return new Publisher(new TileReader(crypto, database, logFolder), logFolder, publishedSize)
}

/** Appends, signs a head and publishes it. */
async function grow(log: TestLog, publisher: Publisher, count: number): Promise<void> {
  appendMany(log, count)
  const head = log.sequencer.advanceHead(TEST_TIME_MS)
  await publisher.publish(head?.size ?? 0, head?.note ?? '')
}

function filesIn({ logFolder }: TestLog): readonly string[] {
  const entries = readdirSync(logFolder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(logFolder.length + 1))
    .sort()
}

test('names the levels and new tiles of a tree', () => {
  assert.deepEqual(tileLevels(0), ['entries'])
  assert.deepEqual(tileLevels(255), ['entries', 0])
  assert.deepEqual(tileLevels(256), ['entries', 0, 1])
  assert.deepEqual(
    [...newTiles(0, 250, 515)],
    [
      { level: 0, index: 0, width: 256 },
      { level: 0, index: 1, width: 256 },
      { level: 0, index: 2, width: 3 },
    ],
  )
  assert.deepEqual([...newTiles(1, 250, 515)], [{ level: 1, index: 0, width: 2 }])
  assert.deepEqual([...newTiles(0, 256, 256)], [])
})

test('writes a checkpoint and the tiles that it needs, and drops partial tiles when they are full', async (context) => {
  const log = createLog(context)
  const publisher = publisherOf(log)
  await grow(log, publisher, 3)
  assert.deepEqual(filesIn(log), ['checkpoint', 'tile/0/000.p/3', 'tile/entries/000.p/3'])
  await grow(log, publisher, 2)
  assert.deepEqual(filesIn(log), [
    'checkpoint',
    'tile/0/000.p/3',
    'tile/0/000.p/5',
    'tile/entries/000.p/3',
    'tile/entries/000.p/5',
  ])
  await grow(log, publisher, 253)
  assert.deepEqual(filesIn(log), [
    'checkpoint',
    'tile/0/000',
    'tile/0/001.p/2',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/entries/001.p/2',
  ])
  assert.equal(readFileSync(checkpointPath(log.logFolder), 'utf8'), log.sequencer.head?.note)
  const entries = parseEntries(readFileSync(join(log.logFolder, 'tile/entries/000')))
  const hashes = parseTile(new Uint8Array(readFileSync(join(log.logFolder, 'tile/0/000'))))
  assert.deepEqual(
    entries.map((entry) => hashLeaf(log.crypto, entry)),
    hashes,
  )
})

test('no checkpoint is put out when a tile cannot be written', async (context) => {
  const log = createLog(context)
  const publisher = publisherOf(log)
  // A file where a folder must be.
  writeFileSync(join(log.logFolder, 'tile'), '')
  await assert.rejects(grow(log, publisher, 3))
  assert.equal(existsSync(checkpointPath(log.logFolder)), false)
  rmSync(join(log.logFolder, 'tile'))
  const { size = 0, note = '' } = log.sequencer.head ?? {}
  await publisher.publish(size, note)
  assert.deepEqual(filesIn(log), ['checkpoint', 'tile/0/000.p/3', 'tile/entries/000.p/3'])
})

test('writes nothing when nothing changed', async (context) => {
  const log = createLog(context)
  const publisher = publisherOf(log)
  await grow(log, publisher, 3)
  const { size = 0, note = '' } = log.sequencer.head ?? {}
  const times = () => filesIn(log).map((path) => statSync(join(log.logFolder, path), { bigint: true }))
  const before = times()
  await publisher.publish(size, note)
  await publisher.publish(size - 1, note)
  assert.equal(await publisherOf(log, size).repair(), 0)
  assert.deepEqual(
    times().map(({ ino, mtimeNs, ctimeNs }) => [ino, mtimeNs, ctimeNs]),
    before.map(({ ino, mtimeNs, ctimeNs }) => [ino, mtimeNs, ctimeNs]),
  )
})

test('deleted and truncated tiles are put back as they were', async (context) => {
  const log = createLog(context)
  await grow(log, publisherOf(log), 259)
  const paths = filesIn(log).filter((path) => path.startsWith('tile/'))
  const before = new Map(paths.map((path) => [path, readFileSync(join(log.logFolder, path))]))
  assert.equal(before.size, 5)
  for (const damage of [(path: string) => rmSync(path), (path: string) => truncateSync(path, 40)]) {
    for (const path of paths) damage(join(log.logFolder, path))
    assert.equal(await publisherOf(log, 259).repair(), 5)
    for (const [path, bytes] of before) assert.deepEqual(readFileSync(join(log.logFolder, path)), bytes, path)
  }
  rmSync(join(log.logFolder, 'tile'), { recursive: true })
  assert.equal(await publisherOf(log, 259).repair(), 5)
})

test('a publisher that was cut off before the checkpoint goes on where it was', async (context) => {
  const log = createLog(context)
  await grow(log, publisherOf(log), 259)
  const { size = 0, note = '' } = log.sequencer.head ?? {}
  rmSync(checkpointPath(log.logFolder))
  rmSync(join(log.logFolder, 'tile/0/000'))
  writeFileSync(join(log.logFolder, 'tile/0/001.p/3.tmp'), 'half a fi')
  await publisherOf(log, 0).publish(size, note)
  assert.equal(readFileSync(checkpointPath(log.logFolder), 'utf8'), note)
  assert.equal(await publisherOf(log, size).repair(), 0)
})

test('what is published is for everyone to read', async (context) => {
  const log = createLog(context)
  await grow(log, publisherOf(log), 3)
  for (const path of filesIn(log)) assert.equal(statSync(join(log.logFolder, path)).mode & 0o777, 0o644, path)
})
