import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes, changedJson } from '../../mutation.testing.ts'
import {
  aciReceipt,
  addressOf,
  crypto,
  ED25519_KEY,
  nearSignature,
  nearText,
  rsaSigner,
  signReceipt,
} from './answer-signature.testing.ts'
import { appraiseAnswerSignature } from './appraise-answer-signature.ts'
import {
  formatProviderSignature,
  type ProviderSignature,
  parseProviderSignature,
  readProviderSignature,
} from './provider-signature.ts'

const ANSWER = {
  request: utf8('{"model":"m","messages":[]}'),
  response: utf8('{"choices":[{"message":{"content":"a"}}]}'),
}
const signer = rsaSigner()
const SIGNATURES: readonly ProviderSignature[] = [
  signer.sign('{"messages": [], "model": "m", "temperature": 0.0}', 'a'),
  nearSignature(nearText(ANSWER, 'm')),
  signReceipt(aciReceipt(ANSWER)),
]
const KEYS = [signer.key, addressOf(1), ED25519_KEY]
const FILES = SIGNATURES.map(formatProviderSignature)

test('a signature survives its file', () => {
  for (const [i, signature] of SIGNATURES.entries())
    assert.deepEqual(parseProviderSignature(FILES[i] ?? new Uint8Array()), signature)
})

test('files of another format, scheme or with surplus members are refused', () => {
  const base = { format: 'countersign-provider-signature/v1', scheme: 'near-ai', text: 'x', signature: 'ab'.repeat(65) }
  readProviderSignature(base, 'it')
  assert.throws(() => readProviderSignature({ ...base, format: 'x' }, 'it'), { code: 'shape/bad-value' })
  assert.throws(() => readProviderSignature({ ...base, scheme: 'x' }, 'it'), { code: 'shape/bad-value' })
  assert.throws(() => readProviderSignature({ ...base, more: 1 }, 'it'), { code: 'shape/unknown-field' })
  assert.throws(() => readProviderSignature({ ...base, text: 'x'.repeat(513) }, 'it'), { code: 'shape/bad-value' })
  assert.throws(() => readProviderSignature({ ...base, signature: 'ab' }, 'it'), { code: 'shape/bad-value' })
  assert.throws(() => readProviderSignature({ format: base.format, scheme: 'aci', receipt: [] }, 'it'), {
    code: 'shape/wrong-type',
  })
})

test('no file breaks the reader, and what it reads is written as it was', (t) => {
  const samples = FILES.map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as Json)
  checkProperty(
    t,
    [
      fc.oneof(
        changedBytes(FILES),
        changedJson(samples).map((value) => utf8(JSON.stringify(value))),
      ),
    ],
    1500,
    (bytes) => {
      const signature = expectTyped(() => parseProviderSignature(bytes))
      if (signature !== undefined)
        assert.deepEqual(parseProviderSignature(formatProviderSignature(signature)), signature)
    },
  )
})

test('a signature by a bound key is appraised as one, whatever the scheme', () => {
  for (const file of FILES) {
    const appraised = appraiseAnswerSignature(crypto, KEYS, ANSWER, file)
    assert.deepEqual(
      appraised.checks.map(({ name, result }) => `${name} ${result}`),
      ['answer-signature/format pass', 'answer-signature/keys pass', 'answer-signature/signature pass'],
    )
    assert.match(appraised.reason, /^a key that is bound to the place \(/)
    assert.ok(appraised.signed?.doesNotCover.every((what) => appraised.doesNotProve[0]?.includes(what)))
  }
})

test('each check fails, or stays open, for its own reason', () => {
  const [file = new Uint8Array()] = FILES
  const results = (...[keys, answer, bytes]: [typeof KEYS, typeof ANSWER, Uint8Array]) => {
    const appraised = appraiseAnswerSignature(crypto, keys, answer, bytes)
    assert.equal(appraised.signed, undefined)
    assert.ok(appraised.reason.length > 0)
    return appraised.checks.map(({ result, code }) => code ?? result)
  }
  assert.deepEqual(results(KEYS, ANSWER, utf8('{')), ['json/malformed', 'pass', 'not-checked'])
  assert.deepEqual(results([], ANSWER, file), ['pass', 'not-checked', 'not-checked'])
  assert.deepEqual(results([addressOf(1)], ANSWER, file), ['pass', 'pass', 'signature/unknown-key'])
  const other = { ...ANSWER, response: utf8('{"choices":[{"message":{"content":"b"}}]}') }
  assert.deepEqual(results(KEYS, other, file), ['pass', 'pass', 'signature/invalid'])
})
