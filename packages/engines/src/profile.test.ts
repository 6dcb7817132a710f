import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findProfile, PROFILES } from './profile.ts'

test('each profile is found by its name, and names are unique', () => {
  for (const profile of PROFILES) assert.equal(findProfile(profile.id), profile)
  assert.equal(new Set(PROFILES.map(({ id }) => id)).size, PROFILES.length)
})

test('a name says what the profile is', () => {
  for (const { id, engine, version, provider, optimisation, threads } of PROFILES) {
    assert.equal(id, `ort-${engine.slice('onnxruntime-'.length)}-${version}-${provider}-${optimisation}-${threads}t`)
  }
})

test('an unknown profile is unsupported', () => {
  for (const id of ['', 'ort-web-1.29.0-wasm-disabled-1t', 'toString', '__proto__']) {
    assert.throws(() => findProfile(id), { code: 'execution/unsupported' })
  }
})
