import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountersignError } from '@countersign/verify'
import fc from 'fast-check'
import { MAX_SUBJECT_BYTES, parseSubject, readSubject } from './subject-header.ts'

test('a name is read whatever part of it is percent-encoded: one subject, all its spellings', () => {
  const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(names, (name) => {
      const whole = [...Buffer.from(name)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
      assert.equal(parseSubject(encodeURIComponent(name)), name)
      assert.equal(parseSubject(whole), name)
    }),
  )
})

test('any text: a name within the limit, or request/malformed without a word of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 1000 }), (value) => {
      try {
        const subject = parseSubject(value)
        assert.ok(subject !== '' && Buffer.byteLength(subject) <= MAX_SUBJECT_BYTES)
      } catch (thrown) {
        assert.ok(thrown instanceof CountersignError)
        assert.equal(thrown.code, 'request/malformed')
        if (value.length > 8) assert.equal(thrown.message.includes(value), false)
      }
    }),
  )
})

for (const [what, value] of [
  ['nothing', ''],
  ['a space', 'a b'],
  ['two of them', 'a, b'],
  ['bytes beyond ASCII', 'Zo\u00eb'],
  ['a bare percent sign', '100%'],
  ['half an escape', '%4'],
  ['what is no UTF-8', '%ff'],
  ['a byte too many', 'a'.repeat(MAX_SUBJECT_BYTES + 1)],
  ['a byte too many, encoded', '%61'.repeat(MAX_SUBJECT_BYTES + 1)],
] as const) {
  test(`${what} is refused`, () => assert.throws(() => parseSubject(value), { code: 'request/malformed' }))
}

test('the limit itself passes, encoded or not; without the header there is no subject', () => {
  assert.equal(parseSubject('a'.repeat(MAX_SUBJECT_BYTES)), 'a'.repeat(MAX_SUBJECT_BYTES))
  assert.equal(parseSubject('%61'.repeat(MAX_SUBJECT_BYTES)), 'a'.repeat(MAX_SUBJECT_BYTES))
  assert.equal(readSubject({ headers: {} }), undefined)
  assert.equal(readSubject({ headers: { 'countersign-subject': 'a%2fb' } }), 'a/b')
})
