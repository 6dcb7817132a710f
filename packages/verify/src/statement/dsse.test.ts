import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64 } from '../bytes/base64.ts'
import { parseUtf8, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { statementSigner } from '../fixture.testing.ts'
import { assertRefusals } from '../refusals.testing.ts'
import { formatEnvelope, openEnvelope, parseEnvelope, preAuthEncoding } from './dsse.ts'

const crypto = createNodeCrypto()
const signer = statementSigner('operator')
const payload = utf8('{"a":1}')
const envelope = { payload, signature: signer.sign(preAuthEncoding(payload)), keyId: signer.keyId }

test('what is signed is type and payload, each with its length', () => {
  assert.equal(parseUtf8(preAuthEncoding(payload)), 'DSSEv1 28 application/vnd.in-toto+json 7 {"a":1}')
  assert.equal(parseUtf8(preAuthEncoding(new Uint8Array(0))), 'DSSEv1 28 application/vnd.in-toto+json 0 ')
})

test('an envelope is read as it was written, and opened with its key alone', () => {
  const parsed = parseEnvelope(formatEnvelope(envelope))
  assert.deepEqual(parsed, envelope)
  assert.deepEqual(openEnvelope(crypto, parsed, signer.spki), payload)
  const open = (changes: Partial<typeof envelope>, spki = signer.spki) =>
    openEnvelope(crypto, { ...envelope, ...changes }, spki)
  assert.throws(() => open({ payload: utf8('{"a":2}') }), { code: 'signature/invalid' })
  assert.throws(() => open({}, statementSigner('other').spki), { code: 'signature/invalid' })
  assert.throws(() => open({ signature: signer.sign(payload) }), { code: 'signature/invalid' })
  assert.throws(() => open({ signature: envelope.signature.slice(1) }), { code: 'signature/malformed' })
  assert.throws(() => open({}, signer.spki.slice(1)), { code: 'key/malformed' })
})

test('an envelope has one payload type and one signature', () => {
  const value = formatEnvelope(envelope)
  const [signature] = (value as { readonly signatures: readonly Json[] }).signatures
  assert.ok(signature !== undefined)
  assertRefusals(value, parseEnvelope, [
    [['payloadType'], 'application/json', 'dsse/wrong-payload-type'],
    [['payload'], 'e30', 'bytes/bad-base64'],
    [['signatures'], [], 'signature/malformed'],
    [['signatures'], [signature, signature], 'shape/bad-value'],
    [['signatures', 0, 'sig'], '*', 'bytes/bad-base64'],
    [['signatures', 0, 'cert'], '', 'shape/unknown-field'],
    [['more'], 1, 'shape/unknown-field'],
    [['payload'], toBase64(new Uint8Array(1024 * 1024 + 3)), 'shape/bad-value'],
  ])
  const { keyId } = parseEnvelope({ ...(value as object), signatures: [{ sig: 'AAAA' }] })
  assert.equal(keyId, '')
})
