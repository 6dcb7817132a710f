import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountersignError } from '@countersign/verify'
import fc from 'fast-check'
import { createKeyReserve } from './key-reserve.ts'
import type { VaultKey } from './key-store.ts'

function keysFrom(first: number, count: number): VaultKey[] {
  return Array.from({ length: count }, (_, i) => ({ id: first + i, secret: new Uint8Array(32) }))
}

test('every key is given once, to those who waited first, and no key is asked for twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }), async (sizes) => {
      let asked = 0
      const reserve = createKeyReserve(() => asked++)
      const wanted = sizes.reduce((sum, size) => sum + size, 0)
      const taken = Array.from({ length: wanted }, () => reserve.take())
      assert.equal(asked, 1)
      let next = 1
      for (const size of sizes) {
        const before = asked
        reserve.add(keysFrom(next, size))
        next += size
        assert.ok(asked - before <= 1)
      }
      const ids = (await Promise.all(taken)).map(({ id }) => id)
      assert.equal(new Set(ids).size, wanted)
    }),
  )
})

test('whoever waits is refused, and the next one asks again', async () => {
  let asked = 0
  const reserve = createKeyReserve(() => asked++)
  const waiting = reserve.take()
  reserve.refuse(new CountersignError('disk/full', 'no room'))
  await assert.rejects(Promise.resolve(waiting), { code: 'disk/full' })
  const again = reserve.take()
  assert.equal(asked, 2)
  reserve.add(keysFrom(7, 1))
  assert.equal((await again).id, 7)
})
