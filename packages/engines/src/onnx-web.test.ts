/** A native engine that has taken the name `wasm`, before the WebAssembly engine could. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Backend, InferenceSession } from 'onnxruntime-node'
import { loadModel } from './model.ts'
import { arithmeticModel, digestOf } from './onnx-model.testing.ts'
import { REFERENCE_PROFILE } from './profile.ts'

const { onnxruntimeBackend } = createRequire(import.meta.url)('onnxruntime-node/dist/backend.js') as {
  onnxruntimeBackend: Backend
}

/** The registry that the web package will register in: its dependency rather than ours, hence not imported by name. */
const REGISTRY = 'onnxruntime-common'

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
  const { registerBackend } = (await import(REGISTRY)) as typeof import('onnxruntime-node')
  registerBackend('wasm', nativeAsWasm, 1000)
  const model = arithmeticModel()
  await assert.rejects(loadModel(REFERENCE_PROFILE, model, digestOf(model)), {
    code: 'execution/profile-unmet',
    message: /runs native code in this process/,
  })
  assert.equal(sessions, 2, 'the model and the probe were both run by the cheat')
})

test('an engine that other code configured first is refused', () => {
  const script = `
    const { env } = await import('onnxruntime-web')
    env.wasm.numThreads = 2
    const { startWebRuntime } = await import('./onnx-web.js')
    const { REFERENCE_PROFILE } = await import('./profile.js')
    await startWebRuntime(REFERENCE_PROFILE).catch(({ code }) => console.log(code))`
  const stdout = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(stdout, 'execution/profile-unmet\n')
})
