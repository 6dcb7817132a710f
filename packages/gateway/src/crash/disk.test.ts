import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Disk, LOSSES, type Loss } from './disk.testing.ts'
import { createRandom } from './random.testing.ts'

const SYNCED = Buffer.alloc(1024, 's')
const LATER = Buffer.alloc(2048, 'l')

/** A synced file that was changed and renamed since, and a file whose name was never synced. */
function scene(ignoreSync?: (path: string) => boolean): Disk {
  const disk = new Disk('/disk', ignoreSync)
  disk.apply({ kind: 'open', handle: '1', path: '/disk/a', emptied: false })
  disk.apply({ kind: 'write', handle: '1', offset: 0, bytes: SYNCED })
  disk.apply({ kind: 'sync', handle: '1' })
  disk.apply({ kind: 'sync-folder', path: '/disk' })
  disk.apply({ kind: 'write', handle: '1', offset: 512, bytes: LATER })
  disk.apply({ kind: 'rename', from: '/disk/a', to: '/disk/b' })
  disk.apply({ kind: 'open', handle: '2', path: '/disk/new', emptied: false })
  return disk
}

function after(t: TestContext, disk: Disk, loss: Loss, seed = 1) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-disk-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  disk.materialise(folder, loss, createRandom(seed))
  const read = (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : undefined)
  return { a: read('a'), b: read('b'), new: read('new') }
}

test('a kill of the process loses nothing', (t) => {
  const left = after(t, scene(), 'killed')
  assert.equal(left.a, undefined)
  assert.deepEqual(left.b, Buffer.concat([SYNCED.subarray(0, 512), LATER]))
  assert.equal(left.new?.length, 0)
})

test('a power cut may leave exactly what was synced', (t) => {
  const left = after(t, scene(), 'least')
  assert.deepEqual(left, { a: SYNCED, b: undefined, new: undefined })
})

test('names and data may be lost apart', (t) => {
  assert.deepEqual(after(t, scene(), 'names-only').b, SYNCED)
  assert.equal(after(t, scene(), 'data-only').a?.length, 512 + LATER.length)
})

test('any part of the rest may be there, in whole sectors, and the synced part always', (t) => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 200; seed++) {
    const left = after(t, scene(), 'random', seed)
    const content = left.a ?? left.b
    if (content === undefined) {
      // The rename was cut in two: the old name is gone, and the new one is not there.
      seen.add('neither')
      continue
    }
    assert.deepEqual(content.subarray(0, 512), SYNCED.subarray(0, 512))
    for (let at = 512; at < content.length; at += 512) {
      const sector = content.subarray(at, at + 512)
      assert.ok([SYNCED, LATER, Buffer.alloc(512)].some((whole) => sector.equals(whole.subarray(0, sector.length))))
    }
    seen.add(`${content.length}`)
  }
  assert.ok(seen.size > 3, [...seen].join())
})

test('a disk that lies keeps nothing of what it said was synced', (t) => {
  const left = after(
    t,
    scene(() => true),
    'least',
  )
  assert.equal(left.a?.length, 0)
})

test('an image is the same for the same seed', (t) => {
  for (const loss of LOSSES) assert.deepEqual(after(t, scene(), loss, 7), after(t, scene(), loss, 7))
})
