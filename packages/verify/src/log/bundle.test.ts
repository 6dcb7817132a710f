import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64 } from '../bytes/base64.ts'
import { valueAt, withValueAt } from '../bytes/json-edit.testing.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { logSigner, ORIGIN } from '../fixture.testing.ts'
import { assertRefusals, shapeRefusals } from '../refusals.testing.ts'
import { buildScene } from '../scene.testing.ts'
import { formatBundle, parseBundle } from './bundle.ts'
import { openReceipt } from './receipt.ts'

const crypto = createNodeCrypto()
const { log, index, operator } = buildScene()
const bundle = log.bundle(index)
const ENTRY = ['verificationMaterial', 'tlogEntries', 0] as const
const PROOF = [...ENTRY, 'inclusionProof'] as const

test('a bundle is read as it was written', () => {
  const checkpoint = log.checkpoint()
  assert.deepEqual(formatBundle({ ...parseBundle(bundle), checkpoint }), bundle)
})

test('a receipt is opened with its log’s key, and names the key that signed', () => {
  const opened = openReceipt(crypto, parseBundle(bundle), log.signer.key)
  assert.equal(opened.index, index)
  assert.equal(opened.keyId, operator.keyId)
  assert.equal(opened.checkpoint.size, log.size)
  const forger = logSigner(ORIGIN, 'forger').key
  assert.throws(() => openReceipt(crypto, parseBundle(bundle), forger), { code: 'note/no-known-signature' })
})

test('an index of zero may be left out, as protobuf does', () => {
  const first = log.bundle(0)
  const without = withValueAt(withValueAt(first, [...PROOF, 'logIndex'], undefined), [...ENTRY, 'logIndex'], undefined)
  assert.equal(openReceipt(crypto, parseBundle(without), log.signer.key).index, 0)
})

test('a bundle has its shape, one entry, and numbers in decimal', () => {
  const optional = ['integratedTime', 'hashes', 'keyid', 'logIndex']
  assertRefusals(bundle, parseBundle, shapeRefusals(bundle, optional))
  const entry = valueAt(bundle, ENTRY)
  assertRefusals(bundle, parseBundle, [
    [['mediaType'], 'application/vnd.dev.sigstore.bundle+json;version=0.2', 'shape/bad-value'],
    [['verificationMaterial', 'tlogEntries'], [], 'bundle/malformed'],
    [['verificationMaterial', 'tlogEntries'], [entry, entry], 'shape/bad-value'],
    [[...ENTRY, 'kindVersion', 'kind'], 'hashedrekord', 'shape/bad-value'],
    [[...ENTRY, 'integratedTime'], '5', 'shape/bad-value'],
    [[...ENTRY, 'logIndex'], undefined, 'bundle/malformed'],
    [[...ENTRY, 'logIndex'], index, 'shape/wrong-type'],
    [[...ENTRY, 'logIndex'], `0${index}`, 'bundle/malformed'],
    [[...ENTRY, 'logIndex'], '-1', 'bundle/malformed'],
    [[...ENTRY, 'logIndex'], '9007199254740992', 'bundle/malformed'],
    [[...ENTRY, 'logId', 'keyId'], toBase64(new Uint8Array(31)), 'proof/bad-hash'],
    [[...ENTRY, 'canonicalizedBody'], 'e30=', 'leaf/malformed'],
    [[...PROOF, 'treeSize'], '1e3', 'bundle/malformed'],
    [[...PROOF, 'rootHash'], toBase64(new Uint8Array(33)), 'proof/bad-hash'],
    [[...PROOF, 'hashes', 0], 'AA==', 'proof/bad-hash'],
    [[...PROOF, 'hashes'], Array.from({ length: 65 }, () => toBase64(new Uint8Array(32))), 'shape/bad-value'],
    [[...PROOF, 'checkpoint', 'envelope'], 'no note', 'note/malformed'],
  ])
})
