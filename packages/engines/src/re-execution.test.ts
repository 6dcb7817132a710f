import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { ExecutionRequest, Tensor } from '@countersign/verify'
import { createModelStore } from './model-store.ts'
import { arithmeticModel, digestOf } from './onnx-model.testing.ts'
import { NATIVE_PROFILE, REFERENCE_PROFILE } from './profile.ts'
import { compareRuns, reexecute } from './re-execution.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
const model = arithmeticModel()
writeFileSync(join(folder, 'model.onnx'), model)
const models = createModelStore({ folders: [folder] })
after(async () => {
  await models.close()
  rmSync(folder, { recursive: true })
})

function fp32(name: string, ...data: readonly number[]): Tensor {
  return { name, datatype: 'FP32', shape: [1, data.length], data: Float32Array.from(data) }
}

const request: ExecutionRequest = {
  statement: 'ab'.repeat(32),
  modelDigest: digestOf(model),
  servedProfile: NATIVE_PROFILE.id,
  referenceProfile: REFERENCE_PROFILE.id,
  inputs: [fp32('left', 1, 2), fp32('right', 10, 20)],
  outputs: ['sum'],
}

test('runs in the reference profile', async () => {
  assert.deepEqual(await reexecute(request, { models }), {
    statement: request.statement,
    outcome: 'ran',
    modelDigest: request.modelDigest,
    profile: REFERENCE_PROFILE.id,
    outputs: [fp32('sum', 11, 22)],
  })
})

test('runs in another profile when told', async () => {
  const result = await reexecute({ ...request, outputs: [] }, { models, profile: NATIVE_PROFILE.id })
  assert.equal(result.outcome, 'ran')
  assert.equal(result.outcome === 'ran' && result.profile, NATIVE_PROFILE.id)
  assert.equal(result.outcome === 'ran' && result.outputs.length, 2)
})

test('what cannot be run is unavailable, with its code', async () => {
  for (const [change, code] of [
    [{ referenceProfile: 'ort-web-1.29.0-wasm-disabled-1t' }, 'execution/unsupported'],
    [{ modelDigest: '00'.repeat(32) }, 'execution/model-not-found'],
    [{ inputs: [fp32('left', 1, 2)] }, 'tensor/wrong-name'],
    [{ inputs: [fp32('left', 1, 2), fp32('right', 1)] }, 'tensor/wrong-shape'],
    [{ outputs: ['product'] }, 'tensor/wrong-name'],
  ] as const) {
    const result = await reexecute({ ...request, ...change }, { models })
    assert.equal(result.outcome, 'unavailable')
    assert.equal(result.outcome === 'unavailable' && result.code, code)
    assert.equal(result.statement, request.statement)
  }
})

test('two runs are exact, or the first difference is named', () => {
  const claimed = [fp32('sum', 0.5, 1), fp32('difference', 2)]
  assert.deepEqual(compareRuns(claimed, structuredClone(claimed)), { agreement: 'exact' })
  assert.deepEqual(compareRuns(claimed, [fp32('sum', 0.5, 1 + 2 ** -23), fp32('difference', 3)]), {
    agreement: 'differs',
    difference: { tensor: 'sum', position: 1, claimed: '1', computed: '1.0000001192092896' },
  })
  assert.equal(compareRuns(claimed, claimed.slice(0, 1)).agreement, 'differs')
  assert.equal(compareRuns(claimed, claimed.toReversed()).agreement, 'differs')
})
