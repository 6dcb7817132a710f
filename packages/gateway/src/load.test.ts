import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  openPromise,
  openReceipt,
  PAYLOAD_LIMITS,
  parseBundle,
  parseInference,
  parseJson,
  parsePromiseHeader,
  parseStatement,
} from '@countersign/verify'
import { DEFAULT_LIMITS } from './config/config.ts'
import { answered, startInNewFolder, waitFor } from './gateway.testing.ts'
import { arithmeticRequest } from './model.testing.ts'
import { logKeyOf } from './verdict.testing.ts'

const COUNT = 500

test(`${COUNT} requests at once: every one gets its own answer, its own place, and a receipt that holds`, async (context) => {
  const { gateway, errors } = await startInNewFolder(context, { limits: { ...DEFAULT_LIMITS, inFlight: 1024 } })
  const { crypto } = gateway
  const logKey = logKeyOf(gateway)
  const answers = await Promise.all(
    Array.from({ length: COUNT }, (_, i) => answered(gateway, arithmeticRequest([i, 1], [1000, 2]))),
  )
  for (const [i, { text }] of answers.entries()) assert.equal(JSON.parse(text).outputs[0].data[0], i + 1000)
  assert.equal(new Set(answers.map(({ receipt }) => receipt)).size, COUNT)
  assert.equal(new Set(answers.map(({ secret }) => secret)).size, COUNT)
  assert.equal(new Set(answers.map(({ salts }) => salts)).size, COUNT)
  const places = await Promise.all(
    answers.map(async ({ receipt, secret, promise }) => {
      const { status, bytes } = await waitFor(gateway, `/receipts/${receipt}`, secret)
      assert.equal(status, 200)
      const opened = openReceipt(crypto, parseBundle(parseJson(bytes, PAYLOAD_LIMITS), 'bundle'), logKey)
      const promised = openPromise(crypto, parsePromiseHeader(promise), logKey)
      const inference = parseInference(parseStatement(opened.payload))
      assert.deepEqual(
        [promised.receipt, promised.statement, promised.index, promised.leafHash],
        [receipt, opened.statement, opened.index, opened.leafHash],
      )
      assert.equal(inference.receipt, receipt)
      return { index: opened.index, sequence: inference.sequence }
    }),
  )
  const ascending = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
  assert.deepEqual(
    ascending(places.map(({ sequence }) => sequence)),
    Array.from({ length: COUNT }, (_, i) => i),
  )
  const first = Math.min(...places.map(({ index }) => index))
  assert.deepEqual(
    ascending(places.map(({ index }) => index)),
    Array.from({ length: COUNT }, (_, i) => first + i),
  )
  const byIndex = places.toSorted((a, b) => a.index - b.index)
  assert.deepEqual(
    byIndex.map(({ sequence }) => sequence),
    Array.from({ length: COUNT }, (_, i) => i),
    'sequence numbers follow the log',
  )
  assert.equal(gateway.health().inFlight, 0)
  assert.equal(gateway.recording.journal.inUse, 0)
  assert.deepEqual(errors, [])
})
