import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { digestOf } from './engines.testing.ts'
import { copyModel } from './model-copy.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-copy-test-'))
const path = join(folder, 'model.gguf')
const bytes = Uint8Array.from({ length: 3 * 1024 * 1024 + 5 }, (_, i) => i % 251)
writeFileSync(path, bytes)
const digest = digestOf(path)
after(() => rmSync(folder, { recursive: true }))

const copies = () => readdirSync(tmpdir()).filter((name) => name.startsWith('countersign-model-')).length

test('the copy is the file, for this user alone, and stays what it was', async () => {
  const copy = await copyModel(path, digest)
  try {
    writeFileSync(path, 'something else')
    assert.deepEqual(new Uint8Array(readFileSync(copy.path)), bytes)
    assert.deepEqual({ bytes: copy.bytes, head: new Uint8Array(copy.head) }, { bytes: bytes.length, head: bytes })
    assert.equal(statSync(copy.path).mode & 0o777, 0o600)
    assert.equal(statSync(dirname(copy.path)).mode & 0o777, 0o700)
  } finally {
    writeFileSync(path, bytes)
    await copy.remove()
  }
  assert.equal(existsSync(dirname(copy.path)), false)
})

test('one flipped bit anywhere is refused by the digest, and leaves no copy', async () => {
  const before = copies()
  for (const at of [0, 1024 * 1024, bytes.length - 1]) {
    const flipped = Uint8Array.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ 1
    writeFileSync(join(folder, 'flipped.gguf'), flipped)
    await assert.rejects(copyModel(join(folder, 'flipped.gguf'), digest), { code: 'execution/model-digest-mismatch' })
  }
  assert.equal(copies(), before)
})

test('what is missing, closed to us or no file is not found', async () => {
  await assert.rejects(copyModel(join(folder, 'none'), digest), { code: 'execution/model-not-found' })
  await assert.rejects(copyModel(folder, digest), { code: 'execution/model-not-found' })
  if (process.getuid?.() === 0) return
  chmodSync(path, 0o000)
  await assert.rejects(copyModel(path, digest), { code: 'execution/model-not-found' })
  chmodSync(path, 0o600)
})
