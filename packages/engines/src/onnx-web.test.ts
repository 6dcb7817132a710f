/** A native engine that has taken the name `wasm`, before the WebAssembly engine could. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { type Backend, type InferenceSession, registerBackend } from 'onnxruntime-common'
import { loadModel } from './model.ts'
import { arithmeticModel, digestOf } from './onnx-model.testing.ts'
import { REFERENCE_PROFILE } from './profile.ts'

const { onnxruntimeBackend } = createRequire(import.meta.url)('onnxruntime-node/dist/backend.js') as {
  onnxruntimeBackend: Backend
}

test('planted cheat: a reference profile that would silently run native is refused', async () => {
  let sessions = 0
  const nativeAsWasm: Backend = {
    init: (name) => onnxruntimeBackend.init(name),
    createInferenceSessionHandler(model: string | Uint8Array, options?: InferenceSession.SessionOptions) {
      sessions++
      const native = { ...options, executionProviders: ['cpu'] }
      return onnxruntimeBackend.createInferenceSessionHandler(model as Uint8Array, native)
    },
  }
  registerBackend('wasm', nativeAsWasm, 1000)
  const model = arithmeticModel()
  await assert.rejects(loadModel(REFERENCE_PROFILE, model, digestOf(model)), {
    code: 'execution/profile-unmet',
    message: /runs native code in this process/,
  })
  assert.equal(sessions, 2, 'the model and the probe were both run by the cheat')
})
