import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { requireFolderPath, writeOutput } from './files.ts'
import { countersign } from './run.testing.ts'

/** A file and a folder, in a folder. */
function testFolder(context: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'countersign-files-test-'))
  context.after(() => rmSync(root, { recursive: true, force: true }))
  writeFileSync(join(root, 'file'), 'kept')
  mkdirSync(join(root, 'folder'))
  return { root, file: join(root, 'file'), folder: join(root, 'folder') }
}

test('output that cannot be written is an error that names the path and why', (context) => {
  const { root, file, folder } = testFolder(context)
  for (const path of [folder, join(file, 'below'), join(file, 'far', 'below')]) {
    assert.throws(() => writeOutput(path, 'new'), {
      code: 'usage/invalid',
      message: /cannot be written \(E[A-Z]+: .*a f/,
    })
  }
  writeOutput(join(root, 'new', 'file'), 'new')
  assert.equal(readFileSync(join(root, 'new', 'file'), 'utf8'), 'new')
})

test('a folder may be where none is yet, and not where a file is', (context) => {
  const { root, file, folder } = testFolder(context)
  for (const path of [folder, join(root, 'new'), join(root, 'far', 'new')]) requireFolderPath('--data', path)
  for (const path of [file, join(file, 'below')]) {
    assert.throws(() => requireFolderPath('--data', path), { code: 'usage/invalid', message: /^--data: / })
  }
  assert.deepEqual(readdirSync(root), ['file', 'folder'])
})

test('commands say that a file is where their folder must be', async (context) => {
  const { file } = testFolder(context)
  const audit = ['audit', 'http://127.0.0.1:9', '--trust', file, '--rate', '0.1', '--key', file]
  const runs = [
    await countersign('serve', '--port', '0', '--data', file),
    await countersign('demo', '--out', file),
    await countersign(...audit, '--state', file),
  ]
  for (const { code, stderr } of runs) {
    assert.equal(code, 2)
    assert.match(stderr, /^usage\/invalid: .*file is a file, and must be a folder\n$/)
  }
  assert.equal(readFileSync(file, 'utf8'), 'kept')
})
