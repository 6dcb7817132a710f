import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VaultKey } from './key-store.ts'
import { createSubjectKeys, MAX_SUBJECT_KEYS } from './subject-keys.ts'

const tagOf = (subject: number) => new Uint8Array(new Uint32Array([subject]).buffer)
const keyOf = (id: number): VaultKey => ({ id, secret: new Uint8Array(32) })

/** Keys that come when the test says so. */
function createStage() {
  const asked: { readonly resolve: (key: VaultKey) => void; readonly reject: (error: Error) => void }[] = []
  const keys = createSubjectKeys(() => new Promise((resolve, reject) => void asked.push({ resolve, reject })))
  return { asked, keys }
}

test('a key is asked for once, also by many at once, and is at hand afterwards', async () => {
  const { asked, keys } = createStage()
  const taken = [keys.take(tagOf(1)), keys.take(tagOf(1)), keys.take(tagOf(2))]
  assert.equal(asked.length, 2)
  asked[0]?.resolve(keyOf(-1))
  asked[1]?.resolve(keyOf(-2))
  assert.deepEqual(
    (await Promise.all(taken)).map(({ id }) => id),
    [-1, -1, -2],
  )
  assert.deepEqual(keys.take(tagOf(1)), keyOf(-1), 'at hand: no promise')
  assert.equal(asked.length, 2)
})

test('what is forgotten is asked for again', async () => {
  const { asked, keys } = createStage()
  const first = keys.take(tagOf(1))
  asked[0]?.resolve(keyOf(-1))
  await first
  keys.forget(tagOf(1))
  const second = keys.take(tagOf(1))
  assert.equal(asked.length, 2)
  asked[1]?.resolve(keyOf(-2))
  assert.deepEqual(await second, keyOf(-2))
})

test('a key that was on its way when its subject was forgotten goes to who waited for it, and to nobody after', async () => {
  const { asked, keys } = createStage()
  const early = keys.take(tagOf(1))
  keys.forget(tagOf(1))
  const late = keys.take(tagOf(1))
  assert.equal(asked.length, 2, 'asked for anew')
  asked[1]?.resolve(keyOf(-2))
  asked[0]?.resolve(keyOf(-1))
  assert.deepEqual(await Promise.all([early, late]), [keyOf(-1), keyOf(-2)])
  assert.deepEqual(keys.take(tagOf(1)), keyOf(-2))
})

test('a key that could not be made is asked for again', async () => {
  const { asked, keys } = createStage()
  const first = keys.take(tagOf(1))
  asked[0]?.reject(new Error('no room'))
  await assert.rejects(async () => first, /no room/)
  const second = keys.take(tagOf(1))
  asked[1]?.resolve(keyOf(-1))
  assert.deepEqual(await second, keyOf(-1))
})

test('beyond the limit, those that were not used for longest are asked for again', async () => {
  let asks = 0
  const keys = createSubjectKeys(async () => keyOf(-++asks))
  for (let i = 0; i < MAX_SUBJECT_KEYS; i++) await keys.take(tagOf(i))
  keys.take(tagOf(0))
  await keys.take(tagOf(MAX_SUBJECT_KEYS))
  assert.equal(asks, MAX_SUBJECT_KEYS + 1)
  await keys.take(tagOf(0))
  assert.equal(asks, MAX_SUBJECT_KEYS + 1, 'used lately')
  await keys.take(tagOf(1))
  assert.equal(asks, MAX_SUBJECT_KEYS + 2, 'not used for longest')
})
