import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findLlamaProfile, findProfile, LLAMA_PROFILE, PROFILES } from './profile.ts'

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

test('profiles of language models are apart from those of tensors', () => {
  const { id, version, provider, threads } = LLAMA_PROFILE
  assert.equal(id, `llama-${version}-${provider}-${threads}t`)
  assert.equal(findLlamaProfile(id), LLAMA_PROFILE)
  assert.throws(() => findProfile(id), { code: 'execution/unsupported', message: /language models/ })
  for (const { id: other } of PROFILES) assert.throws(() => findLlamaProfile(other), { code: 'execution/unsupported' })
})
