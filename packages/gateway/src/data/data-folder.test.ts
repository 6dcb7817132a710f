import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { DATA_VERSION, openDataFolder } from './data-folder.ts'

function newRoot(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-data-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'deep', 'data')
}

/** Makes a folder as release `version` would leave it, without a database. */
function writeVersion(root: string, version: string): void {
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'version'), version)
}

test('makes a new folder: its version, and folders and files for its owner alone', (context) => {
  const root = newRoot(context)
  const folder = openDataFolder(root)
  context.after(() => folder.release())
  assert.equal(readFileSync(join(root, 'version'), 'utf8'), `${DATA_VERSION}\n`)
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777
    assert.equal(mode, entry.isDirectory() ? 0o700 : 0o600, entry.name)
  }
  assert.equal(statSync(root).mode & 0o777, 0o700)
  for (const path of [folder.keys, folder.log, join(root, 'store'), join(root, 'vault-keys'), join(root, 'journal')]) {
    assert.ok(statSync(path).isDirectory())
  }
})

test('opens again once it is released, and not before', (context) => {
  const root = newRoot(context)
  const first = openDataFolder(root)
  assert.throws(() => openDataFolder(root), { code: 'data/locked' })
  first.release()
  const second = openDataFolder(root)
  assert.throws(() => openDataFolder(root), { code: 'data/locked' })
  second.release()
})

test('is locked against another process, until that dies, however it dies', async (context) => {
  const root = newRoot(context)
  const program = `
    const { openDataFolder } = await import(${JSON.stringify(new URL('./data-folder.js', import.meta.url).href)})
    openDataFolder(${JSON.stringify(root)})
    process.stdout.write('open')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  context.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  assert.throws(() => openDataFolder(root), { code: 'data/locked' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  openDataFolder(root).release()
})

test('a newer version is refused, and nothing is made', (context) => {
  const root = newRoot(context)
  writeVersion(root, `${DATA_VERSION + 1}\n`)
  assert.throws(() => openDataFolder(root), { code: 'data/newer-version' })
  assert.equal(existsSync(join(root, 'keys')), false)
  assert.equal(readFileSync(join(root, 'version'), 'utf8'), `${DATA_VERSION + 1}\n`)
  writeVersion(root, `${DATA_VERSION}\n`)
  openDataFolder(root).release()
})

test('a version that cannot be read is refused', (context) => {
  for (const version of ['', '0', '01', '-1', '1.0', 'one', '1 2', '9999999']) {
    const root = newRoot(context)
    writeVersion(root, version)
    assert.throws(() => openDataFolder(root), { code: 'data/damaged' }, JSON.stringify(version))
  }
})

test('a database without a version is refused', (context) => {
  const root = newRoot(context)
  mkdirSync(join(root, 'store'), { recursive: true })
  writeFileSync(join(root, 'store', 'countersign.db'), '')
  assert.throws(() => openDataFolder(root), { code: 'data/damaged' })
  assert.equal(existsSync(join(root, 'version')), false)
})
