import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { LLAMA_PROFILE } from '../profile.ts'
import { LLAMA_PLATFORMS } from './engine-folder.ts'
import { installLlama } from './engine-installation.ts'

const root = mkdtempSync(join(tmpdir(), 'countersign-installation-test-'))
after(() => rmSync(root, { recursive: true, force: true }))

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly optional?: boolean
  readonly link?: boolean
}

for (const platform of LLAMA_PLATFORMS) {
  test(`the lock file for ${platform} pins every package by digest, and one build, without graphics cards`, () => {
    const file = fileURLToPath(new URL(`../../llama/${platform}/package-lock.json`, import.meta.url))
    const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockedPackage> }
    const fetched = Object.entries(packages).filter(([path, each]) => path.startsWith('node_modules/') && !each.link)
    const installed = fetched.filter(([path, each]) => !each.optional && !path.endsWith('/absent'))
    assert.ok(installed.length > 50)
    for (const [path, { integrity }] of installed) assert.match(integrity ?? '', /^sha512-/, path)
    const builds = installed.filter(([path]) => path.startsWith('node_modules/@node-llama-cpp/'))
    assert.deepEqual(
      builds.map(([path]) => path),
      [`node_modules/@node-llama-cpp/${platform}`],
    )
    for (const name of [`@node-llama-cpp/${platform}`, 'node-llama-cpp']) {
      assert.equal(packages[`node_modules/${name}`]?.version, LLAMA_PROFILE.version)
    }
  })
}

test('a platform without a build is refused, and nothing is made', async () => {
  const folder = join(root, 'no build')
  await assert.rejects(installLlama(folder, { platform: 'win32-x64' }), { code: 'execution/profile-unmet' })
  assert.equal(existsSync(folder), false)
})

test('when npm cannot do it, the engine is missing, and nothing stays behind', async () => {
  const folder = join(root, 'no npm')
  const path = process.env.PATH
  process.env.PATH = root
  try {
    const [platform = ''] = LLAMA_PLATFORMS
    await assert.rejects(installLlama(folder, { platform }), { code: 'execution/engine-missing' })
  } finally {
    process.env.PATH = path
  }
  assert.deepEqual(readdirSync(folder), [])
})

test('a folder that cannot be made is said to be one', async () => {
  const file = join(root, 'file')
  writeFileSync(file, '')
  const [platform = ''] = LLAMA_PLATFORMS
  await assert.rejects(installLlama(join(file, 'engines'), { platform }), { code: 'execution/engine-missing' })
})
