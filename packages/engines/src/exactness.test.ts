/** The bundled credit model is one that every profile runs to the same bits. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import onnxProto from 'onnx-proto'
import { INT8, UINT8 } from './onnx-model.testing.ts'
import { NATIVE_PROFILE, type Profile, REFERENCE_PROFILE } from './profile.ts'

const { onnx } = onnxProto
const folder = fileURLToPath(new URL('../../../models/credit', import.meta.url))
const bytes = readFileSync(join(folder, 'credit.onnx'))

/** The largest weight whose products, added in pairs, fit the 16 bits that processors without VNNI add them in. */
const LARGEST_WEIGHT = 63

function runApart(profile: Profile, seed: number): { digest: string; distinct: number } {
  const script = fileURLToPath(new URL('./exactness.testing.js', import.meta.url))
  const args = [script, profile.id, `${seed}`, folder]
  const stdout = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 })
  return JSON.parse(stdout) as { digest: string; distinct: number }
}

test('10,000 applications, odd ones among them, give the same bits natively and in WebAssembly', () => {
  const native = runApart(NATIVE_PROFILE, 1)
  assert.deepEqual(runApart(REFERENCE_PROFILE, 1), native)
  assert.ok(native.distinct > 100, 'the outputs vary')
  assert.notEqual(runApart(NATIVE_PROFILE, 2).digest, native.digest, 'the digest tells other outputs apart')
})

test('its weights are u8, or i8 within ±63', () => {
  const { graph } = onnx.ModelProto.decode(bytes)
  const products = graph?.node?.filter(({ opType }) => opType === 'MatMulInteger') ?? []
  assert.ok(products.length > 0)
  for (const { input } of products) {
    const weights = graph?.initializer?.find(({ name }) => name === input?.[1])
    assert.ok(weights?.rawData, `the weights ${input?.[1]} are in the model`)
    const raw = Uint8Array.from(weights.rawData)
    if (weights.dataType === UINT8) continue
    assert.equal(weights.dataType, INT8)
    assert.ok(new Int8Array(raw.buffer).every((weight) => Math.abs(weight) <= LARGEST_WEIGHT))
  }
})

test('nothing in it computes with fractions', () => {
  const { graph } = onnx.ModelProto.decode(bytes)
  const floats = new Set(graph?.input?.map(({ name }) => name))
  for (const { name, dataType } of graph?.initializer ?? []) {
    if (dataType === onnx.TensorProto.DataType.FLOAT) floats.add(name)
  }
  for (const { opType, input, output } of graph?.node ?? []) {
    const takesFloats = input?.some((name) => floats.has(name)) ?? false
    if (!takesFloats) continue
    assert.match(opType ?? '', /^(Gather|Equal|Less|Greater|LessOrEqual|GreaterOrEqual)$/, `${opType} on fractions`)
    if (opType === 'Gather') for (const name of output ?? []) floats.add(name)
  }
})
