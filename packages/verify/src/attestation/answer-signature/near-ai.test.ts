import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../../bytes/bytes.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { addressOf, crypto, nearSignature, nearText } from './answer-signature.testing.ts'
import { type NearAiSignature, verifyNearAi } from './near-ai.ts'

const ANSWER = { request: utf8('{"model":"m"}'), response: utf8('data: [DONE]\n\n') }
const KEY = addressOf(1)
const verify = (given: NearAiSignature, answer = ANSWER, keys = [KEY]) => verifyNearAi(crypto, keys, answer, given)

test('a signed answer holds, with the model and without, whatever v begins with', () => {
  for (const [model, base] of [
    [undefined, 27],
    ['org/model:tag', 27],
    ['m', 0],
  ] as const) {
    const signed = verify(nearSignature(nearText(ANSWER, model), 1, base))
    assert.deepEqual(signed.signer, KEY)
    assert.equal(signed.signedAtMs, undefined)
    assert.equal(signed.covers.includes('the name of the model, as the signer gives it'), model !== undefined)
    assert.ok(signed.doesNotCover.includes('the time'))
  }
})

test('another request or answer was not signed', () => {
  const given = nearSignature(nearText(ANSWER, 'm'))
  assert.throws(() => verify(given, { ...ANSWER, request: utf8('{"model":"n"}') }), {
    code: 'evidence/mismatch',
    message: /another request/,
  })
  assert.throws(() => verify(given, { ...ANSWER, response: utf8('') }), {
    code: 'evidence/mismatch',
    message: /another answer/,
  })
  const swapped = { request: ANSWER.response, response: ANSWER.request }
  assert.throws(() => verify(given, swapped), { code: 'evidence/mismatch' })
})

test('a key that no evidence binds signs nothing, and a changed text is signed by nobody known', () => {
  const given = nearSignature(nearText(ANSWER, 'm'), 2)
  assert.throws(() => verify(given), { code: 'signature/unknown-key' })
  const genuine = nearSignature(nearText(ANSWER, 'm'))
  assert.throws(() => verify({ ...genuine, text: nearText(ANSWER, 'n') }), { code: 'signature/unknown-key' })
  assert.throws(() => verify(genuine, ANSWER, []), { code: 'signature/unknown-key' })
})

test('texts and signatures of another form are refused', () => {
  const given = nearSignature(nearText(ANSWER))
  for (const text of [
    '',
    'a:b',
    nearText(ANSWER).toUpperCase(),
    `${nearText(ANSWER)}:x`,
    `:${nearText(ANSWER)}`,
    nearText(ANSWER, 'x'.repeat(500)),
    nearText(ANSWER, 'a\nb'),
  ]) {
    assert.throws(() => verify({ ...given, text }), { code: 'evidence/malformed' }, text)
  }
  const malformed = { code: 'signature/malformed' }
  assert.throws(() => verify({ ...given, signature: given.signature.subarray(1) }), malformed)
  for (const v of [2, 26, 29, 255]) {
    assert.throws(
      () => verify({ ...given, signature: given.signature.map((byte, i) => (i === 64 ? v : byte)) }),
      malformed,
    )
  }
  assert.throws(() => verify({ ...given, signature: new Uint8Array(65) }), { code: 'signature/invalid' })
})

test('no changed signature is one of the same key', (t) => {
  const given = nearSignature(nearText(ANSWER))
  checkProperty(t, [changedBytes([given.signature])], 300, (signature) => {
    const signed = expectTyped(() => verify({ ...given, signature }))
    // 27 and 0 are two spellings of one parity.
    if (signed !== undefined) assert.deepEqual(signature.subarray(0, 64), given.signature.subarray(0, 64))
  })
})
