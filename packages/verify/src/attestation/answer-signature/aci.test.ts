import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { withValueAt } from '../../bytes/json-edit.testing.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedJson } from '../../mutation.testing.ts'
import { verifyAci } from './aci.ts'
import { AT_SECONDS, aciReceipt, addressOf, crypto, ED25519_KEY, signReceipt } from './answer-signature.testing.ts'

const ANSWER = { request: utf8('{"model":"m"}'), response: utf8('{"choices":[]}') }
const KEYS = [addressOf(9), ED25519_KEY, addressOf(1)]
const RECEIPT = aciReceipt(ANSWER)
const verify = (receipt: Json, answer = ANSWER, keys = KEYS) =>
  verifyAci(crypto, keys, answer, { scheme: 'aci', receipt })
const changed = (path: readonly (string | number)[], value: Json | undefined) =>
  signReceipt(withValueAt(RECEIPT, path, value) as { readonly [name: string]: Json }).receipt

test('a receipt holds, signed either way', () => {
  for (const [algo, key] of [
    ['ed25519', ED25519_KEY],
    ['ecdsa-secp256k1', addressOf(1)],
  ] as const) {
    const signed = verify(signReceipt(RECEIPT, algo).receipt)
    assert.deepEqual(signed.signer, key)
    assert.equal(signed.signedAtMs, AT_SECONDS * 1000)
    assert.equal(signed.doesNotCover.length, 3)
  }
})

test('it is said when the gateway passed on another request', () => {
  const signed = verify(signReceipt(aciReceipt(ANSWER, utf8('changed'))).receipt)
  assert.ok(signed.doesNotCover.some((what) => what.startsWith('the request that the model got')))
  assert.equal(verify(changed(['event_log', 1], undefined)).doesNotCover.length, 4)
})

test('another request, another answer', () => {
  const { receipt } = signReceipt(RECEIPT)
  assert.throws(() => verify(receipt, { ...ANSWER, request: utf8('x') }), {
    code: 'evidence/mismatch',
    message: /another request/,
  })
  assert.throws(() => verify(receipt, { ...ANSWER, response: utf8('x') }), {
    code: 'evidence/mismatch',
    message: /another answer/,
  })
})

test('whatever is changed after signing, no known key signed it', () => {
  for (const algo of ['ed25519', 'ecdsa-secp256k1'] as const) {
    const { receipt } = signReceipt(RECEIPT, algo)
    for (const [path, value] of [
      [['served_at'], 1],
      [['model'], 'other'],
      [['event_log', 2, 'result'], 'failed'],
      [['signature', 'key_id'], 'other'],
    ] as const) {
      assert.throws(() => verify(withValueAt(receipt, path, value)), { code: 'signature/unknown-key' }, path.join('.'))
    }
    assert.throws(() => verify(receipt, ANSWER, [addressOf(9)]), { code: 'signature/unknown-key' })
  }
})

test('a signed receipt of another form is refused', () => {
  const malformed = { code: 'evidence/malformed' }
  assert.throws(() => verify(changed(['event_log', 0, 'seq'], 1)), malformed)
  assert.throws(() => verify(changed(['event_log', 3, 'seq'], 3)), malformed)
  assert.throws(() => verify(changed(['event_log', 0, 'type'], 'request.forwarded')), malformed)
  assert.throws(() => verify(changed(['event_log', 3, 'type'], 'other')), malformed)
  assert.throws(() => verify(changed(['event_log', 2, 'type'], 'response.returned')), malformed)
  assert.throws(() => verify(changed(['event_log'], [])), malformed)
  assert.throws(() => verify(changed(['api_version'], 'aci/2')), { code: 'shape/bad-value' })
  assert.throws(() => verify(changed(['surplus'], 1)), { code: 'shape/unknown-field' })
  assert.throws(() => verify(changed(['event_log', 3, 'wire_hash'], 'sha256:xx')), { code: 'shape/bad-value' })
  const { receipt } = signReceipt(RECEIPT)
  assert.throws(() => verify(withValueAt(receipt, ['signature', 'algo'], 'rsa')), { code: 'evidence/unsupported' })
  assert.throws(() => verify(withValueAt(receipt, ['signature', 'value'], 'ab'.repeat(63))), { code: 'bytes/bad-hex' })
  const other = signReceipt(RECEIPT, 'ecdsa-secp256k1').receipt
  assert.throws(() => verify(withValueAt(other, ['signature', 'value'], '07'.repeat(65))), {
    code: 'signature/malformed',
  })
})

test('no changed receipt holds', (t) => {
  const { receipt } = signReceipt(RECEIPT)
  const same = JSON.stringify(receipt)
  checkProperty(t, [changedJson([receipt])], 1000, (value) => {
    const signed = expectTyped(() => verify(value))
    if (signed !== undefined) assert.equal(JSON.stringify(value), same)
  })
})
