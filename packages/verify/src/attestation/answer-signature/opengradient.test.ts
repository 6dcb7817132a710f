import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { toHex, utf8 } from '../../bytes/bytes.ts'
import { keccak256 } from '../../crypto/ethereum.ts'
import { createNobleCrypto } from '../../crypto/noble-provider.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { AT_SECONDS, crypto, rsaSigner } from './answer-signature.testing.ts'
import { type OpenGradientSignature, verifyOpenGradient } from './opengradient.ts'
import { signedRequest } from './opengradient-request.ts'
import { signedResponse } from './opengradient-response.ts'
import { parseRsa2048Spki } from './rsa-public-key.ts'

const signer = rsaSigner()
const REQUEST =
  '{"messages":[{"role":"system","content":"Be short."},{"role":"user","content":"Grüß Gott","name":"eve"}],"model":"m","temperature":1,"top_p":0.5,"x_eve":1}'
const SIGNED_REQUEST =
  '{"messages": [{"content": "Be short.", "role": "system"}, {"content": "Gr\\u00fc\\u00df Gott", "role": "user"}], "model": "m", "temperature": 1.0}'
const RESPONSE =
  '{"choices":[{"index":0,"message":{"role":"assistant","content":"Servus 😀"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}'
const GIVEN = signer.sign(SIGNED_REQUEST, 'Servus 😀')

const verify = (given: OpenGradientSignature, request = REQUEST, response = RESPONSE, keys = [signer.key]) =>
  verifyOpenGradient(crypto, keys, { request: utf8(request), response: utf8(response) }, given)

test('a signed answer holds, and says what was not signed without naming what a client made up', () => {
  const signed = verify(GIVEN)
  assert.deepEqual(signed.signer, signer.key)
  assert.equal(signed.signedAtMs, AT_SECONDS * 1000)
  for (const what of [
    'usage',
    'a nonce',
    'the model that served',
    'the request’s top_p',
    'other members of the request',
  ]) {
    assert.ok(signed.doesNotCover.includes(what), what)
  }
  assert.ok(!JSON.stringify(signed).includes('eve'))
})

test('it holds in browsers too', () => {
  const answer = { request: utf8(REQUEST), response: utf8(RESPONSE) }
  const noble = createNobleCrypto()
  assert.deepEqual(verifyOpenGradient(noble, [signer.key], answer, GIVEN), verify(GIVEN))
  const changed = { ...GIVEN, signedAtSeconds: AT_SECONDS + 1 }
  assert.throws(() => verifyOpenGradient(noble, [signer.key], answer, changed), { code: 'signature/invalid' })
})

test('another request, answer, time or salt was not signed', () => {
  const invalid = { code: 'signature/invalid' }
  assert.throws(() => verify(GIVEN, REQUEST.replace('short', 'long')), invalid)
  assert.throws(() => verify(GIVEN, REQUEST.replace('"m"', '"n"')), invalid)
  assert.throws(() => verify(GIVEN, REQUEST.replace('"temperature":1', '"temperature":1.5')), invalid)
  assert.throws(() => verify(GIVEN, REQUEST.replace('"model"', '"stop":"x","model"')), invalid)
  assert.throws(() => verify(GIVEN, REQUEST, RESPONSE.replace('Servus', 'Adieu')), invalid)
  assert.throws(() => verify({ ...GIVEN, signedAtSeconds: AT_SECONDS + 1 }), invalid)
  assert.throws(
    () => verify({ ...GIVEN, signature: GIVEN.signature.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) }),
    invalid,
  )
  assert.throws(() => verify({ ...GIVEN, signature: GIVEN.signature.subarray(1) }), invalid)
  assert.throws(() => verify(signer.sign(SIGNED_REQUEST, 'Servus 😀', AT_SECONDS, 20)), invalid)
})

test('what is not signed may change, and the signature holds', () => {
  verify(GIVEN, REQUEST.replace('"top_p":0.5', '"top_p":0.9'))
  verify(GIVEN, REQUEST, RESPONSE.replace('"total_tokens":3', '"total_tokens":4'))
})

test('a key that no evidence binds signs nothing, and neither does one with the id of another', () => {
  assert.throws(() => verify(GIVEN, REQUEST, RESPONSE, []), { code: 'signature/unknown-key' })
  assert.throws(() => verify(GIVEN, REQUEST, RESPONSE, [rsaSigner().key]), { code: 'signature/unknown-key' })
  const other = { ...GIVEN, teeId: new Uint8Array(32) }
  assert.throws(() => verify(other), { code: 'evidence/mismatch' })
})

test('a bound key of another size or kind is refused', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 })
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
  const bound = { use: 'signing-key', sha256: toHex(crypto.sha256(spki)) } as const
  const given = { ...GIVEN, publicKey: spki, teeId: keccak256(spki) }
  assert.throws(() => verify(given, REQUEST, RESPONSE, [bound]), { code: 'key/malformed' })
  for (const bytes of [
    signer.spki.subarray(1),
    Uint8Array.of(...signer.spki, 0),
    signer.spki.map((byte, i) => (i === 33 ? 0 : byte)),
  ]) {
    assert.throws(() => parseRsa2048Spki(bytes), { code: 'key/malformed' })
  }
})

const CALLS = '[{"type":"function","id":"c","function":{"name":"f","arguments":"{\\"a\\":1.0}"}}]'
const SIGNED_CALLS = '[{"function": {"arguments": "{\\"a\\":1.0}", "name": "f"}, "id": "c", "type": "function"}]'

test('tool calls are signed in place of the text', () => {
  const response = `{"choices":[{"finish_reason":"tool_calls","message":{"content":"hm","tool_calls":${CALLS}}}]}`
  const signed = verify(signer.sign(SIGNED_REQUEST, SIGNED_CALLS), REQUEST, response)
  assert.ok(signed.covers.includes('the tool calls of the answer'))
  assert.ok(signed.doesNotCover.includes('text beside the tool calls'))
  assert.throws(() => verify(signer.sign(SIGNED_REQUEST, 'hm'), REQUEST, response), { code: 'signature/invalid' })
})

test('a stream is signed as the text of its pieces', () => {
  const piece = (delta: string) => `data: {"choices":[{"delta":${delta},"index":0}]}\n\n`
  const stream = `: hello\n\n${piece('{"role":"assistant","content":"Servus "}')}${piece('{"content":"😀"}')}${piece('{}')}data: [DONE]\n\n`
  verify(GIVEN, REQUEST, stream)
  for (const [cut, why] of [
    [stream.replace('data: [DONE]', ''), 'no end'],
    [`${stream}${piece('{"content":"more"}')}`, 'a piece after the end'],
    [stream.replace(': hello', 'event: x'), 'another kind of line'],
    [stream.replace('"content":"😀"', '"tool_calls":[]'), 'tool calls'],
    ['data: [DONE]\n\ndata: [DONE]', 'two ends'],
    ['', 'nothing'],
  ] as const) {
    assert.throws(() => verify(GIVEN, REQUEST, cut), /unsupported|not known here|not JSON/, why)
  }
})

test('what stands for a request, member by member', () => {
  const text = (request: string) => Buffer.from(signedRequest(utf8(request)).text).toString()
  const head = '{"messages":[],"model":"m"'
  const expect = (members: string, expected: string) => assert.equal(text(`${head}${members}}`), `{${expected}}`)
  expect('', '"messages": [], "model": "m", "temperature": 0.0')
  expect(
    ',"temperature":null,"max_tokens":null,"stop":[],"tools":null,"web_search":false',
    '"messages": [], "model": "m", "temperature": 0.0',
  )
  expect(
    ',"temperature":0.70,"max_tokens":5,"stop":"x"',
    '"max_tokens": 5, "messages": [], "model": "m", "stop": "x", "temperature": 0.7',
  )
  expect(
    ',"tools":[{"b":1E2,"a":"é"}],"response_format":{"type":"json_object"},"web_search":1',
    '"messages": [], "model": "m", "response_format": {"type": "json_object"}, "temperature": 0.0, "tools": [{"a": "\\u00e9", "b": 100.0}], "web_search": true',
  )
  const messages = `[{"role":"assistant","content":null,"tool_calls":${CALLS}},{"role":"tool","tool_call_id":"c","content":"1"},{"role":"function","name":"f","content":"2"},{"role":"user","content":[{"type":"text","text":"a"}]}]`
  assert.equal(
    text(`{"model":"m","messages":${messages}}`),
    `{"messages": [{"content": "", "role": "assistant", "tool_calls": ${SIGNED_CALLS}}, {"content": "1", "role": "tool", "tool_call_id": "c"}, {"content": "2", "name": "f", "role": "function"}, {"content": [{"text": "a", "type": "text"}], "role": "user"}], "model": "m", "temperature": 0.0}`,
  )
})

test('requests and answers whose hash is not documented are refused as such', () => {
  const unsupported = { code: 'evidence/unsupported' }
  for (const request of [
    '[]',
    '{"messages":[]}',
    '{"model":"m"}',
    '{"model":"m","messages":[1]}',
    '{"model":"m","messages":[{"role":"developer","content":"x"}]}',
    '{"model":"m","messages":[{"role":"toString","content":"x"}]}',
    '{"model":"m","messages":[{"role":"system","content":null}]}',
    '{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}',
    '{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c"}]}]}',
    '{"model":"m","messages":[{"role":"assistant","tool_calls":{"id":"c"}}]}',
    '{"model":"m","messages":[],"temperature":"1"}',
    '{"model":"m","messages":[],"temperature":1e999}',
  ]) {
    assert.throws(() => signedRequest(utf8(request)), unsupported, request)
  }
  for (const response of [
    '[]',
    '{"choices":[]}',
    '{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]}',
    '{"choices":[{"message":{"content":["a"]}}]}',
    '{"choices":[{}]}',
    '{"choices":[{"message":{"content":"\\ud800"}}]}',
    'data: {"choices":[{"delta":{"content":1}}]}\n\ndata: [DONE]\n\n',
    'data: {"choices":[{}]}\n\ndata: [DONE]\n\n',
  ]) {
    assert.throws(() => signedResponse(utf8(response)), unsupported, response)
  }
})

test('nothing that is near an answer breaks the readers', (t) => {
  checkProperty(
    t,
    [changedBytes([REQUEST, RESPONSE, 'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'].map(utf8))],
    2000,
    (bytes) => {
      expectTyped(() => signedRequest(bytes))
      expectTyped(() => signedResponse(bytes))
    },
  )
})
