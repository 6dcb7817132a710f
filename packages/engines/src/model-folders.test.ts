import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { MAX_FOLDER_DEPTH, MAX_FOLDER_ENTRIES, ModelFolders } from './model-folders.ts'
import { digestOf } from './onnx-model.testing.ts'

const root = mkdtempSync(join(tmpdir(), 'countersign-'))
after(() => rmSync(root, { recursive: true }))

let count = 0
function makeFolder(): string {
  const folder = join(root, `${count++}`)
  mkdirSync(folder)
  return folder
}

const ONE = Buffer.from('one')
const TWO = Buffer.from('two')
const notFound = { code: 'execution/model-not-found' }

test('finds a file by its digest, in any of the folders, at any allowed depth', async () => {
  const [first, second] = [makeFolder(), makeFolder()]
  const deep = join(second, ...Array.from({ length: MAX_FOLDER_DEPTH }, (_, i) => `${i}`))
  mkdirSync(deep, { recursive: true })
  writeFileSync(join(first, 'one.onnx'), ONE)
  writeFileSync(join(deep, 'whatever'), TWO)
  const folders = new ModelFolders([first, second])
  assert.equal(await folders.find(digestOf(ONE)), join(first, 'one.onnx'))
  assert.equal(await folders.find(digestOf(TWO)), join(deep, 'whatever'))
})

test('finds nothing deeper than that', async () => {
  const folder = makeFolder()
  const deep = join(folder, ...Array.from({ length: MAX_FOLDER_DEPTH + 1 }, (_, i) => `${i}`))
  mkdirSync(deep, { recursive: true })
  writeFileSync(join(deep, 'one.onnx'), ONE)
  await assert.rejects(new ModelFolders([folder]).find(digestOf(ONE)), notFound)
})

test('says how much was searched, and no path', async () => {
  const folder = makeFolder()
  writeFileSync(join(folder, 'one.onnx'), ONE)
  await assert.rejects(new ModelFolders([folder, join(folder, 'missing')]).find(digestOf(TWO)), {
    ...notFound,
    message: `none of the 1 files of 2 model folders has SHA-256 ${digestOf(TWO)}`,
  })
})

test('follows no symbolic link out of a folder, to a file or to a folder', async () => {
  const [folder, outside] = [makeFolder(), makeFolder()]
  writeFileSync(join(outside, 'one.onnx'), ONE)
  symlinkSync(join(outside, 'one.onnx'), join(folder, 'link.onnx'))
  symlinkSync(outside, join(folder, 'link'))
  await assert.rejects(new ModelFolders([folder]).find(digestOf(ONE)), notFound)
})

test('refuses folders that hold too much', async () => {
  const folder = makeFolder()
  for (let i = 0; i <= MAX_FOLDER_ENTRIES; i++) writeFileSync(join(folder, `${i}`), '')
  await assert.rejects(new ModelFolders([folder]).find(digestOf(ONE)), { ...notFound, message: /more than 1000 files/ })
})

test('notices that a file changed, appeared or went', async () => {
  const folder = makeFolder()
  const path = join(folder, 'model.onnx')
  const folders = new ModelFolders([folder])
  await assert.rejects(folders.find(digestOf(ONE)), notFound)
  writeFileSync(path, ONE)
  assert.equal(await folders.find(digestOf(ONE)), path)
  writeFileSync(path, TWO)
  utimesSync(path, 1, 1)
  await assert.rejects(folders.find(digestOf(ONE)), notFound)
  assert.equal(await folders.find(digestOf(TWO)), path)
  rmSync(path)
  await assert.rejects(folders.find(digestOf(TWO)), notFound)
})

test('reads a file again only when its size or time has changed', async () => {
  const folder = makeFolder()
  const path = join(folder, 'model.onnx')
  writeFileSync(path, ONE)
  const { atime, mtime } = statSync(path)
  utimesSync(path, atime, new Date(Math.floor(mtime.getTime() / 1000) * 1000))
  const folders = new ModelFolders([folder])
  assert.equal(await folders.find(digestOf(ONE)), path)
  const before = statSync(path)
  writeFileSync(path, TWO)
  utimesSync(path, before.atime, before.mtime)
  assert.equal(await folders.find(digestOf(ONE)), path, 'so whoever reads the file must check its digest')
})
