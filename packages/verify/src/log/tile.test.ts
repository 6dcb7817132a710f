import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty } from '../fuzzing.testing.ts'
import { formatEntries, formatTilePath, parseEntries, parseTile, parseTilePath, tileWidth } from './tile.ts'

test('a tile has one path, which is read back', (t) => {
  const level = fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const))
  const index = fc.oneof(fc.nat({ max: 2_000_000 }), fc.maxSafeNat())
  checkProperty(t, [level, index, fc.integer({ min: 1, max: 256 })], 500, (level, index, width) => {
    assert.deepEqual(parseTilePath(formatTilePath({ level, index, width })), { level, index, width })
  })
})

test('a tile is as wide as the tree leaves it', () => {
  assert.equal(tileWidth(0, 0, 0), 0)
  assert.equal(tileWidth(0, 0, 1), 1)
  assert.equal(tileWidth(0, 0, 256), 256)
  assert.equal(tileWidth(0, 1, 256), 0)
  assert.equal(tileWidth(0, 1, 300), 44)
  assert.equal(tileWidth(1, 0, 255), 0)
  assert.equal(tileWidth(1, 0, 70_000), 256)
  assert.equal(tileWidth(1, 1, 70_000), 17)
  assert.equal(tileWidth(2, 0, 70_000), 1)
  assert.equal(tileWidth('entries', 273, 70_000), 112)
  assert.equal(tileWidth(63, 0, Number.MAX_SAFE_INTEGER), 0)
  assert.equal(tileWidth(0, 35_184_372_088_831, Number.MAX_SAFE_INTEGER), 255)
})

test('the widths of a level add up to what the level holds', (t) => {
  checkProperty(t, [fc.nat({ max: 100_000 }), fc.nat({ max: 3 })], 200, (size, level) => {
    let items = 0
    for (let index = 0; tileWidth(level, index, size) > 0; index++) items += tileWidth(level, index, size)
    assert.equal(items, Math.floor(size / 256 ** level))
  })
})

test('entries survive their bundle; what is cut or too much is refused', (t) => {
  checkProperty(t, [fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), fc.nat()], 200, (entries, cut) => {
    const bytes = formatEntries(entries)
    assert.deepEqual(parseEntries(bytes), entries)
    const last = entries.at(-1)
    if (last === undefined) return
    const missing = 1 + (cut % (last.length + 1))
    assert.throws(() => parseEntries(bytes.slice(0, bytes.length - missing)), { code: 'tile/malformed' })
  })
  const largest = new Uint8Array(65_535)
  assert.deepEqual(parseEntries(formatEntries([largest])), [largest])
  assert.equal(parseEntries(new Uint8Array(512)).length, 256)
  assert.throws(() => parseEntries(new Uint8Array(514)), { code: 'tile/malformed' })
})

test('a tile has 1 to 256 whole hashes', () => {
  assert.equal(parseTile(new Uint8Array(32)).length, 1)
  assert.equal(parseTile(new Uint8Array(8192)).length, 256)
  for (const length of [0, 1, 31, 33, 8193, 8224]) {
    assert.throws(() => parseTile(new Uint8Array(length)), { code: 'tile/malformed' }, String(length))
  }
})
