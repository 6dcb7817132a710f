import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountersignError, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import fc from 'fast-check'
import { createStatementSigner, TestLog } from '../log-client/log-server.testing.ts'
import { visitLeaves } from './bundle-leaves.ts'
import { parseEvidence } from './evidence-files.ts'
import { promiseNote } from './monitor.testing.ts'
import { Operator, receiptId } from './statements.testing.ts'

const crypto = createNodeCrypto()
const log = new TestLog()
const operator = new Operator(log, createStatementSigner())
const answer = operator.answer({ receipt: receiptId(1), sequence: 0 })
const promise = promiseNote(log, { index: 0, leafHash: log.tree.read(0, 0), coverBySeconds: 1 })
const SAMPLES = {
  receipt: JSON.stringify(operator.bundle(answer)),
  dossier: JSON.stringify(operator.dossier(receiptId(1), answer, [answer])),
  promise,
  'one-line promise': `${Buffer.from(promise).toString('base64')}\n`,
}

test('a receipt, a dossier, and a promise in both of its forms are read', () => {
  const counts = Object.values(SAMPLES).map((text) => {
    const { receipts, promises } = parseEvidence(utf8(text))
    return [receipts.length, promises.length]
  })
  assert.deepEqual(counts, [
    [1, 0],
    [2, 0],
    [0, 1],
    [0, 1],
  ])
})

/** A value or one of our errors. */
function isTyped(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch (thrown) {
    return thrown instanceof CountersignError
  }
}

for (const [name, text] of Object.entries(SAMPLES)) {
  test(`a ${name} with any bytes changed, cut or added: a value or one of our errors`, () => {
    const sample = utf8(text)
    const changes = fc.record({ at: fc.nat(sample.length), cut: fc.nat(20), bytes: fc.uint8Array({ maxLength: 20 }) })
    fc.assert(
      fc.property(changes, ({ at, cut, bytes }) => {
        const changed = Buffer.concat([sample.subarray(0, at), bytes, sample.subarray(at + cut)])
        assert.ok(isTyped(() => parseEvidence(new Uint8Array(changed))))
      }),
      { numRuns: 400 },
    )
  })
}

test('any bytes are no evidence and no bundle, or one, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.integer({ min: 1, max: 256 }), (bytes, width) => {
      assert.ok(isTyped(() => parseEvidence(bytes)))
      assert.ok(isTyped(() => visitLeaves(crypto, bytes, { index: 0, width }, () => undefined)))
    }),
    { numRuns: 400 },
  )
})
