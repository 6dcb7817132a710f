import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { listEngines } from './engine-list.ts'
import { llamaFolder, packageFolder } from './llama/engine-folder.ts'
import { LLAMA_PROFILE, PROFILES } from './profile.ts'

const engines = mkdtempSync(join(tmpdir(), 'countersign-list-test-'))
after(() => rmSync(engines, { recursive: true }))

const llama = async () => (await listEngines(engines)).find(({ engine }) => engine === 'node-llama-cpp')

test('every profile is listed; those of tensors come with the product', async () => {
  const states = await listEngines(engines)
  assert.deepEqual(
    states.map(({ profile }) => profile),
    [...PROFILES, LLAMA_PROFILE].map(({ id }) => id),
  )
  for (const { isMet, folder } of states.slice(0, -1))
    assert.deepEqual({ isMet, folder }, { isMet: true, folder: null })
})

test('llama.cpp is missing, there in another version, or there', async () => {
  const { version } = LLAMA_PROFILE
  const folder = llamaFolder(engines)
  const about = { profile: LLAMA_PROFILE.id, engine: LLAMA_PROFILE.engine, version, folder }
  assert.deepEqual(await llama(), { ...about, installed: null, isMet: false })
  const manifest = join(packageFolder(folder, 'node-llama-cpp'), 'package.json')
  mkdirSync(join(manifest, '..'), { recursive: true })
  writeFileSync(manifest, JSON.stringify({ version: '3.0.0' }))
  assert.deepEqual(await llama(), { ...about, installed: '3.0.0', isMet: false })
  writeFileSync(manifest, JSON.stringify({ version }))
  assert.deepEqual(await llama(), { ...about, installed: version, isMet: true })
})
