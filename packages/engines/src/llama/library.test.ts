import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { LLAMA_PROFILE } from '../profile.ts'
import { enginesFolder, llamaFolder, llamaPlatform, packageFolder } from './engine-folder.ts'
import { findLlama } from './library.ts'

const root = mkdtempSync(join(tmpdir(), 'countersign-library-test-'))
after(() => rmSync(root, { recursive: true }))

/** A folder of engines with packages of these versions, whose code says that it ran. */
function engines(name: string, versions: { readonly [packageName: string]: string }): string {
  const folder = join(root, name)
  for (const [packageName, version] of Object.entries(versions)) {
    const at = packageFolder(llamaFolder(folder), packageName)
    mkdirSync(join(at, 'dist'), { recursive: true })
    writeFileSync(join(at, 'package.json'), JSON.stringify({ name: packageName, version, type: 'module' }))
    writeFileSync(join(at, 'dist', 'index.js'), 'export const getLlama = async () => { throw new Error("it ran") }')
  }
  return folder
}

const LIBRARY = 'node-llama-cpp'
const BUILD = `@node-llama-cpp/${llamaPlatform()}`

test('the environment names the folder of engines, or it is in the home', () => {
  assert.equal(enginesFolder({ COUNTERSIGN_ENGINES: '/srv/engines' }), '/srv/engines')
  for (const environment of [{}, { COUNTERSIGN_ENGINES: '' }]) {
    assert.equal(enginesFolder(environment), join(homedir(), '.countersign', 'engines'))
  }
})

test('an engine that is not there is missing, and the message names the command', async () => {
  const { version } = LLAMA_PROFILE
  for (const folder of [join(root, 'none'), engines('library alone', { [LIBRARY]: version })]) {
    await assert.rejects(findLlama(folder), (thrown: Error & { code?: string }) => {
      assert.equal(thrown.code, 'execution/engine-missing')
      assert.match(thrown.message, /run countersign engine install llama$/)
      return true
    })
  }
})

test('another version of the library or of its build is refused', async () => {
  const { version } = LLAMA_PROFILE
  for (const versions of [
    { [LIBRARY]: '3.22.0', [BUILD]: version },
    { [LIBRARY]: version, [BUILD]: '3.22.2' },
  ]) {
    const folder = engines(Object.values(versions).join(), versions)
    await assert.rejects(findLlama(folder), { code: 'execution/profile-unmet' })
  }
})

test('the right versions are found without running anything; what does not start meets no profile', async () => {
  const folder = engines('broken', { [LIBRARY]: LLAMA_PROFILE.version, [BUILD]: LLAMA_PROFILE.version })
  const engine = await findLlama(folder)
  await assert.rejects(engine.start(), (thrown: Error & { code?: string }) => {
    assert.equal(thrown.code, 'execution/profile-unmet')
    assert.match(String(thrown.cause), /it ran/)
    return true
  })
})

for (const [what, runtime] of [
  ['a graphics card', `{ gpu: 'cuda', buildType: 'prebuilt' }`],
  ['a build of its own', `{ gpu: false, buildType: 'localBuild' }`],
] as const) {
  test(`a library that uses ${what} meets no profile`, async () => {
    const folder = engines(what, { [LIBRARY]: LLAMA_PROFILE.version, [BUILD]: LLAMA_PROFILE.version })
    const entry = join(packageFolder(llamaFolder(folder), LIBRARY), 'dist', 'index.js')
    writeFileSync(entry, `export const getLlama = async () => ({ ...${runtime}, dispose: async () => {} })`)
    await assert.rejects((await findLlama(folder)).start(), { code: 'execution/profile-unmet' })
  })
}
