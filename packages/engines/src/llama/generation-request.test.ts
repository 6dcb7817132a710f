import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_STOP_LENGTH, MAX_STOPS, samplingOf } from './generation-request.ts'

const REQUEST = { prompt: 'a', maxTokens: 1, temperature: 1 }
const RANDOM_SEED = 2 ** 32 - 1

test('any seed becomes one that the sampler keeps, the same one each time', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (seed) => {
      const { seed: reduced } = samplingOf({ ...REQUEST, seed })
      assert.ok(Number.isInteger(reduced) && reduced >= 0 && reduced < RANDOM_SEED)
      assert.equal(samplingOf({ ...REQUEST, seed }).seed, reduced)
    }),
  )
  for (const seed of [-1n, 2n ** 32n - 1n, 2n ** 64n - 1n]) {
    assert.notEqual(samplingOf({ ...REQUEST, seed }).seed, RANDOM_SEED)
  }
  assert.notEqual(samplingOf({ ...REQUEST, seed: 1n }).seed, samplingOf({ ...REQUEST, seed: 2n }).seed)
})

test('without a seed, one is drawn', () => {
  const drawn = new Set(Array.from({ length: 8 }, () => samplingOf(REQUEST).seed))
  assert.ok(drawn.size > 1)
})

test('what cannot be asked for is malformed', () => {
  const refused = [
    ...[0, -1, 1.5, Number.NaN, 2 ** 53].map((maxTokens) => ({ maxTokens })),
    ...[-0.1, 2.1, Number.NaN, Number.POSITIVE_INFINITY].map((temperature) => ({ temperature })),
    ...[0, 1.1, Number.NaN].map((topP) => ({ topP })),
    ...[[''], ['a'.repeat(MAX_STOP_LENGTH + 1)], ['\ud83d'], Array(MAX_STOPS + 1).fill('a')].map((stop) => ({ stop })),
  ]
  for (const each of refused) assert.throws(() => samplingOf({ ...REQUEST, ...each }), { code: 'request/malformed' })
  samplingOf({ ...REQUEST, topP: 0.1, temperature: 0, stop: Array(MAX_STOPS).fill('a') })
})
