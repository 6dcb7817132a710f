/** Both packages in one registry, as `require` gives them: what the check is there to catch. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { before, test } from 'node:test'
import { encodeModel, FLOAT, INT32, node, value } from './onnx-model.testing.ts'
import { NATIVE_PROFILE, REFERENCE_PROFILE } from './profile.ts'
import { PROBE_MODEL, verifyProvider } from './provider-check.ts'
import { type Runtime, sessionOptions } from './runtime.ts'

const require = createRequire(import.meta.url)
const native = require('onnxruntime-node') as typeof import('onnxruntime-node')
const web = require('onnxruntime-web') as typeof import('onnxruntime-web')

/** The web package's own sessions, with whatever providers it is told. */
function webRuntime(executionProviders: readonly string[]): Runtime {
  return {
    createSession: (model) =>
      web.InferenceSession.create(model, { ...sessionOptions(REFERENCE_PROFILE), executionProviders }),
    createTensor: (type, data, shape) => new web.Tensor(type, data, shape),
  }
}

before(() => {
  web.env.wasm.numThreads = 1
})

test('the probe is the model that its comment describes', () => {
  const rebuilt = encodeModel({
    input: [value('left', FLOAT, [2, 2]), value('right', FLOAT, [2, 16]), value('large', FLOAT, [1])],
    output: [value('product', FLOAT, [2, 16]), value('whole', INT32, [1])],
    node: [node('MatMul', ['left', 'right'], ['product']), node('Cast', ['large'], ['whole'], { to: INT32 })],
  })
  assert.deepEqual(new Uint8Array(PROBE_MODEL), new Uint8Array(rebuilt))
})

test('required together, the two packages are one: this is the trap', () => {
  assert.equal(native.InferenceSession, web.InferenceSession)
})

test('planted cheat: a web session that silently runs native is caught', async () => {
  for (const providers of [[], ['cpu'], ['cpu', 'wasm']]) {
    await assert.rejects(verifyProvider(webRuntime(providers), REFERENCE_PROFILE), {
      code: 'execution/profile-unmet',
      message: /runs native code in this process/,
    })
  }
})

test('a web session that runs WebAssembly passes, in the same process', async () => {
  await verifyProvider(webRuntime(['wasm']), REFERENCE_PROFILE)
})

test('planted cheat: WebAssembly that passes for native is caught', async () => {
  await assert.rejects(verifyProvider(webRuntime(['wasm']), NATIVE_PROFILE), {
    code: 'execution/profile-unmet',
    message: /runs WebAssembly in this process/,
  })
})

const fuses =
  process.arch === 'arm64' || (process.platform === 'linux' && /\bfma\b/.test(readFileSync('/proc/cpuinfo', 'utf8')))

test('the product alone tells a processor with fused multiply-add', { skip: !fuses }, async () => {
  const products: number[] = []
  for (const providers of [['cpu'], ['wasm']]) {
    const session = await webRuntime(providers).createSession(PROBE_MODEL)
    const odd = 1 + 2 ** -12
    const { product } = await session.run({
      left: new web.Tensor('float32', Float32Array.of(-1, odd, -1, odd), [2, 2]),
      right: new web.Tensor('float32', new Float32Array(32).fill(1, 0, 16).fill(odd, 16), [2, 16]),
      large: new web.Tensor('float32', Float32Array.of(0), [1]),
    })
    products.push(Number(product?.data[0]))
  }
  assert.deepEqual(products, [2 ** -11 + 2 ** -24, 2 ** -11])
})
