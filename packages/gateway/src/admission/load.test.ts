import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLoad } from './load.ts'

test('requests and bytes are counted, each given back once', () => {
  const load = createLoad({ inFlight: 2, bytesInFlight: 10 })
  const first = load.admit()
  load.admit()
  assert.throws(() => load.admit(), { code: 'queue/full' })
  first()
  first()
  assert.equal(load.requests, 1)
  const taken = load.take(8)
  assert.throws(() => load.take(3), { code: 'queue/full' })
  taken()
  taken()
  assert.equal(load.bytes, 0)
})

test('whatever comes and goes, the limits hold and nothing is left over', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 6 }), { maxLength: 60 }), (sizes) => {
      const load = createLoad({ inFlight: 5, bytesInFlight: 12 })
      const releases: (() => void)[] = []
      for (const size of sizes) {
        try {
          releases.push(load.admit())
          releases.push(load.take(size))
        } catch {
          releases.shift()?.()
        }
        assert.ok(load.requests <= 5 && load.bytes <= 12)
      }
      for (const release of releases) release()
      assert.equal(load.requests + load.bytes, 0)
    }),
  )
})

test('idle is when the last one is over, or when the time is up', async () => {
  const load = createLoad({ inFlight: 2, bytesInFlight: 1 })
  await load.untilIdle(1)
  const release = load.admit()
  await load.untilIdle(5)
  assert.equal(load.requests, 1)
  const idle = load.untilIdle(60_000)
  release()
  await idle
})
