import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { LLAMA_PLATFORMS, LLAMA_PROFILE } from '@countersign/engines'
import { countersign } from '../run.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-engine-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const platform = `${process.platform}-${process.arch}`
const skip = LLAMA_PLATFORMS.includes(platform) ? false : `there is no build of llama.cpp for ${platform}`

interface Listed {
  readonly engine: string
  readonly isMet: boolean
  readonly installed: string | null
}

async function llama(): Promise<Listed | undefined> {
  const { code, stdout } = await countersign('engine', 'list', '--dir', folder, '--json')
  assert.equal(code, 0)
  return (JSON.parse(stdout) as Listed[]).find(({ engine }) => engine === LLAMA_PROFILE.engine)
}

async function install(): Promise<{ wasThere: boolean; folder: string; version: string }> {
  const { code, stdout, stderr } = await countersign('engine', 'install', 'llama', '--dir', folder, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

test('llama is installed once, loads, and is installed again when it is damaged', { skip }, async () => {
  assert.equal((await llama())?.isMet, false)
  const first = await install()
  assert.deepEqual(first, { ...first, wasThere: false, folder: join(folder, 'llama'), version: LLAMA_PROFILE.version })
  assert.equal(statSync(first.folder).mode & 0o777, 0o700)
  assert.deepEqual(readdirSync(folder), ['llama'])
  const builds = readdirSync(join(first.folder, 'node_modules', '@node-llama-cpp'))
  assert.deepEqual(builds, [platform])
  assert.equal((await llama())?.isMet, true)
  assert.equal((await install()).wasThere, true)
  writeFileSync(join(first.folder, 'node_modules', 'node-llama-cpp', 'package.json'), '{"version":"3.22.0"}')
  assert.deepEqual((await llama())?.installed, '3.22.0')
  assert.equal((await install()).wasThere, false)
  assert.equal((await llama())?.isMet, true)
})

test('another engine is refused', async () => {
  const { code, stderr } = await countersign('engine', 'install', 'other', '--dir', folder)
  assert.equal(code, 2)
  assert.match(stderr, /usage\/invalid: "other" is not llama/)
})
