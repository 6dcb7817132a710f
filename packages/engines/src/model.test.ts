import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Datatype, Tensor, TensorData } from '@countersign/verify'
import { type LoadedModel, loadModel } from './model.ts'
import {
  arithmeticModel,
  BOOL,
  constant,
  DOUBLE,
  digestOf,
  encodeModel,
  FLOAT,
  FLOAT16,
  INT8,
  INT32,
  INT64,
  integerModel,
  node,
  UINT8,
  value,
} from './onnx-model.testing.ts'
import { PROFILES, type Profile } from './profile.ts'

const opened: LoadedModel[] = []
after(async () => {
  for (const model of opened) await model.close()
})

async function load(profile: Profile, bytes: Uint8Array): Promise<LoadedModel> {
  const model = await loadModel(profile, bytes, digestOf(bytes))
  opened.push(model)
  return model
}

function fp32(name: string, shape: readonly number[], ...data: readonly number[]): Tensor {
  return { name, datatype: 'FP32', shape, data: Float32Array.from(data) }
}

const left = fp32('left', [1, 2], 1, 2)
const right = fp32('right', [1, 2], 10, 20)

/** One of each type, with the values that are most easily lost on the way. */
const SAMPLES: readonly (readonly [Datatype, number, TensorData])[] = [
  ['BOOL', BOOL, Uint8Array.of(0, 1)],
  ['UINT8', UINT8, Uint8Array.of(0, 255)],
  ['INT8', INT8, Int8Array.of(-128, 127)],
  ['INT32', INT32, Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
  ['INT64', INT64, BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
  ['FP32', FLOAT, Float32Array.of(-0, 2 ** -149)],
  ['FP64', DOUBLE, Float64Array.of(Number.MAX_VALUE, 5e-324)],
]

for (const profile of PROFILES) {
  test(`${profile.id}: other bytes than the digest says are not loaded`, async () => {
    const digest = '00'.repeat(32)
    await assert.rejects(loadModel(profile, arithmeticModel(), digest), { code: 'execution/model-digest-mismatch' })
  })

  test(`${profile.id}: another version is not run`, async () => {
    const bytes = arithmeticModel()
    const other = { ...profile, version: '1.29.0' }
    await assert.rejects(loadModel(other, bytes, digestOf(bytes)), { code: 'execution/profile-unmet' })
  })

  test(`${profile.id}: says what the model takes and gives`, async () => {
    const model = await load(profile, arithmeticModel())
    assert.deepEqual(model.inputs, [
      { name: 'left', datatype: 'FP32', shape: [-1, 2] },
      { name: 'right', datatype: 'FP32', shape: [-1, 2] },
    ])
    assert.deepEqual(
      model.outputs.map(({ name }) => name),
      ['sum', 'difference'],
    )
  })

  test(`${profile.id}: gives the outputs that were asked for, in that order`, async () => {
    const model = await load(profile, arithmeticModel())
    const sum = fp32('sum', [1, 2], 11, 22)
    const difference = fp32('difference', [1, 2], -9, -18)
    assert.deepEqual(await model.run([left, right]), [sum, difference])
    assert.deepEqual(await model.run([right, left].reverse(), []), [sum, difference])
    assert.deepEqual(await model.run([right, left], ['difference', 'sum']), [difference, sum])
    assert.deepEqual(await model.run([left, right], ['difference']), [difference])
  })

  test(`${profile.id}: no rows give no rows`, async () => {
    const model = await load(profile, arithmeticModel())
    const [sum] = await model.run([fp32('left', [0, 2]), fp32('right', [0, 2])], ['sum'])
    assert.deepEqual(sum, fp32('sum', [0, 2]))
  })

  for (const [name, inputs, outputs, code, message] of [
    [
      'unknown input',
      [left, right, fp32('third', [1], 0)],
      [],
      'tensor/wrong-name',
      /^inputs\[2\]\.name: .*"third".*"left"/,
    ],
    ['missing input', [left], [], 'tensor/wrong-name', /^inputs: "right" is missing/],
    ['duplicate input', [left, right, left], [], 'tensor/wrong-name', /^inputs\[2\]\.name: "left" is given twice/],
    ['unknown output', [left, right], ['sum', 'x'], 'tensor/wrong-name', /^outputs\[1\]: .*"x"; it has "sum"/],
    ['duplicate output', [left, right], ['sum', 'sum'], 'tensor/wrong-name', /^outputs\[1\]: "sum" is named twice/],
    ['no input', [], [], 'tensor/wrong-name', /^inputs: "left" is missing/],
    [
      'datatype',
      [left, { name: 'right', datatype: 'FP64', shape: [1, 2], data: new Float64Array(2) }],
      [],
      'tensor/wrong-datatype',
      /^inputs\[1\]\.datatype: "right" is FP32, not FP64/,
    ],
    [
      'rank',
      [fp32('left', [2], 1, 2), right],
      [],
      'tensor/wrong-shape',
      /^inputs\[0\]\.shape: .*\[any, 2\], not \[2\]/,
    ],
    [
      'dimension',
      [left, fp32('right', [1, 3], 1, 2, 3)],
      [],
      'tensor/wrong-shape',
      /^inputs\[1\]\.shape: .*not \[1, 3\]/,
    ],
    [
      'too few values',
      [left, fp32('right', [1, 2], 1)],
      [],
      'tensor/malformed',
      /^inputs\[1\]\.data: expected 2 values/,
    ],
    [
      'array of another type',
      [left, { name: 'right', datatype: 'FP32', shape: [1, 2], data: new Int32Array(2) }],
      [],
      'tensor/malformed',
      /^inputs\[1\]\.data: expected 2 values of FP32/,
    ],
  ] as const satisfies readonly (readonly [string, readonly Tensor[], readonly string[], string, RegExp])[]) {
    test(`${profile.id}: refuses ${name}`, async () => {
      const model = await load(profile, arithmeticModel())
      await assert.rejects(model.run(inputs, outputs), { code, message })
    })
  }

  for (const [datatype, elemType, data] of SAMPLES) {
    test(`${profile.id}: carries ${datatype} unchanged`, async () => {
      const model = await load(
        profile,
        encodeModel({
          input: [value('in', elemType, ['n'])],
          output: [value('out', elemType, ['n'])],
          node: [node('Identity', ['in'], ['out'])],
        }),
      )
      assert.deepEqual(model.inputs, [{ name: 'in', datatype, shape: [-1] }])
      const [out] = await model.run([{ name: 'in', datatype, shape: [2], data }])
      assert.deepEqual(out, { name: 'out', datatype, shape: [2], data })
    })
  }

  test(`${profile.id}: refuses a BOOL that is neither`, async () => {
    const bytes = encodeModel({
      input: [value('in', BOOL, [1])],
      output: [value('out', BOOL, [1])],
      node: [node('Not', ['in'], ['out'])],
    })
    const model = await load(profile, bytes)
    const input: Tensor = { name: 'in', datatype: 'BOOL', shape: [1], data: Uint8Array.of(2) }
    await assert.rejects(model.run([input]), { code: 'tensor/malformed' })
  })

  test(`${profile.id}: a type that we do not carry is unsupported`, async () => {
    const bytes = encodeModel({
      input: [value('in', FLOAT16, [1])],
      output: [value('out', FLOAT16, [1])],
      node: [node('Identity', ['in'], ['out'])],
    })
    await assert.rejects(load(profile, bytes), {
      code: 'execution/unsupported',
      message: /"in" is a tensor of float16/,
    })
  })

  test(`${profile.id}: what is no model fails, and the message quotes nothing of the engine's`, async () => {
    const opaque = { code: 'execution/failed', message: 'the engine could not load the model' }
    await assert.rejects(load(profile, Uint8Array.of(1, 2, 3)), opaque)
    await assert.rejects(load(profile, new Uint8Array()), opaque)
  })

  test(`${profile.id}: a failure while running has no paths in its message, and the next run works`, async () => {
    const bytes = encodeModel({
      input: [value('index', INT64, [1])],
      output: [value('entry', FLOAT, [1])],
      node: [node('Gather', ['table', 'index'], ['entry'], { axis: 0 })],
      initializer: [constant('table', [2], FLOAT, Float32Array.of(5, 6))],
    })
    const model = await load(profile, bytes)
    const index = (at: bigint): Tensor => ({ name: 'index', datatype: 'INT64', shape: [1], data: BigInt64Array.of(at) })
    await assert.rejects(model.run([index(2n)]), {
      code: 'execution/failed',
      message: 'the engine could not run the model on this input',
    })
    assert.deepEqual(await model.run([index(1n)]), [fp32('entry', [1], 6)])
  })

  test(`${profile.id}: weights in another file than the one with the digest are refused`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
    const home = process.cwd()
    t.after(() => {
      process.chdir(home)
      rmSync(folder, { recursive: true })
    })
    process.chdir(folder)
    writeFileSync('weights.bin', new Uint8Array(Float32Array.of(1, 2).buffer))
    for (const location of ['weights.bin', './weights.bin', join(folder, 'weights.bin'), '*/_ORT_MEM_ADDR_/*']) {
      const weights = {
        name: 'weights',
        dims: [2],
        dataType: FLOAT,
        dataLocation: 1,
        externalData: [
          { key: 'location', value: location },
          { key: 'length', value: '8' },
        ],
      }
      const bytes = encodeModel({
        input: [value('in', FLOAT, [2])],
        output: [value('out', FLOAT, [2])],
        node: [node('Add', ['in', 'weights'], ['out'])],
        initializer: [weights],
      })
      await assert.rejects(load(profile, bytes), { code: 'execution/failed' })
    }
  })

  test(`${profile.id}: closes after what is running, and then refuses`, async () => {
    const model = await load(profile, arithmeticModel())
    const run = model.run([left, right], ['sum'])
    await Promise.all([model.close(), model.close()])
    assert.deepEqual(await run, [fp32('sum', [1, 2], 11, 22)])
    await assert.rejects(model.run([left, right]), { code: 'execution/failed', message: 'the model has been closed' })
  })
}

test('an exact model gives the same in every profile, side by side in one process', async () => {
  const width = 64
  const bytes = integerModel(width)
  const data = Uint8Array.from({ length: 100 * width }, (_, i) => (i * 151 + (i >> 3)) % 256)
  const input: Tensor = { name: 'input', datatype: 'UINT8', shape: [100, width], data }
  const results = []
  for (const profile of PROFILES) results.push(await (await load(profile, bytes)).run([input]))
  assert.equal(results[0]?.[0]?.data.length, 100 * width)
  assert.ok(results[0]?.[0]?.data.some((item) => item !== 0))
  assert.deepEqual(results[0], results[1])
})
