import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Tensor } from '@countersign/verify'
import type { LoadedModel } from './model.ts'
import { createModelStore } from './model-store.ts'
import { arithmeticModel, digestOf, integerModel } from './onnx-model.testing.ts'
import { NATIVE_PROFILE } from './profile.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
after(() => rmSync(folder, { recursive: true }))

/** Digests of five models in the folder. */
const digests = [4, 5, 6, 7, 8].map((width) => {
  const bytes = integerModel(width)
  writeFileSync(join(folder, `${width}.onnx`), bytes)
  return digestOf(bytes)
})

async function isClosed(model: LoadedModel): Promise<boolean> {
  const width = model.inputs[0]?.shape[1] ?? 0
  const input: Tensor = { name: 'input', datatype: 'UINT8', shape: [1, width], data: new Uint8Array(width) }
  return model.run([input]).then(
    () => false,
    () => true,
  )
}

const keep = async (model: LoadedModel): Promise<LoadedModel> => model

test('a model stays loaded until enough others were used after it', async () => {
  const store = createModelStore({ folders: [folder], maxLoaded: 2 })
  const [a = '', b = '', c = ''] = digests
  const first = await store.use(NATIVE_PROFILE, a, keep)
  const second = await store.use(NATIVE_PROFILE, b, keep)
  assert.equal(await store.use(NATIVE_PROFILE, a, keep), first)
  await store.use(NATIVE_PROFILE, c, keep)
  assert.deepEqual([await isClosed(first), await isClosed(second)], [false, true])
  assert.notEqual(await store.use(NATIVE_PROFILE, b, keep), second)
  await store.close()
  assert.equal(await isClosed(first), true)
})

test('a model in use is not closed, however many others are used', async () => {
  const store = createModelStore({ folders: [folder], maxLoaded: 1 })
  const [a = '', ...others] = digests
  await store.use(NATIVE_PROFILE, a, async (model) => {
    await Promise.all(others.map((digest) => store.use(NATIVE_PROFILE, digest, keep)))
    await store.close()
    assert.equal(await isClosed(model), false)
  })
  await store.close()
})

test('two uses at once load a model once', async () => {
  const store = createModelStore({ folders: [folder] })
  const [a = ''] = digests
  const [first, second] = await Promise.all([store.use(NATIVE_PROFILE, a, keep), store.use(NATIVE_PROFILE, a, keep)])
  assert.equal(first, second)
  await store.close()
})

test('what was not found is looked for again', async () => {
  const store = createModelStore({ folders: [folder] })
  const bytes = arithmeticModel()
  const use = (): Promise<LoadedModel> => store.use(NATIVE_PROFILE, digestOf(bytes), keep)
  await assert.rejects(Promise.all([use(), use()]), { code: 'execution/model-not-found' })
  writeFileSync(join(folder, 'late.onnx'), bytes)
  assert.equal((await use()).digest, digestOf(bytes))
  await store.close()
})

test('an error of the work is passed on, and the model is given back', async () => {
  const store = createModelStore({ folders: [folder], maxLoaded: 0 })
  const [a = ''] = digests
  const used: LoadedModel[] = []
  await assert.rejects(
    store.use(NATIVE_PROFILE, a, async (model) => {
      used.push(model)
      throw new Error('work')
    }),
    { message: 'work' },
  )
  assert.deepEqual(await Promise.all(used.map(isClosed)), [true])
})
