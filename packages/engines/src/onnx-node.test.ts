/** The WebAssembly engine, loaded first with `require`, takes the name `cpu` for itself. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { loadModel } from './model.ts'
import { arithmeticModel, digestOf } from './onnx-model.testing.ts'
import { NATIVE_PROFILE } from './profile.ts'

test('planted cheat: a native profile that would run WebAssembly is refused', async () => {
  const web = createRequire(import.meta.url)('onnxruntime-web') as typeof import('onnxruntime-web')
  web.env.wasm.numThreads = 1
  const model = arithmeticModel()
  await assert.rejects(loadModel(NATIVE_PROFILE, model, digestOf(model)), {
    code: 'execution/profile-unmet',
    message: /runs WebAssembly in this process/,
  })
})
