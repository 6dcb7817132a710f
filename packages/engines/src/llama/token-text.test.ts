import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createTokenText, MAX_HELD_TOKENS } from './token-text.ts'

/** A vocabulary of bytes: what a tokenizer that cuts inside characters comes down to. */
const fromBytes = (tokens: readonly number[]) =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(tokens))

function pieces(tokens: readonly number[]): readonly string[] {
  const text = createTokenText(fromBytes)
  return [...tokens.map((token) => text.push(token)), text.end()]
}

const isWhole = (text: string) => Buffer.from(text).toString() === text

test('a character comes when its last byte does', () => {
  assert.deepEqual(pieces([...Buffer.from('a🙂é')]), ['a', '', '', '', '🙂', '', 'é', ''])
})

test('without holding back, the same bytes would be spoilt', () => {
  const spoilt = [...Buffer.from('é')].map((byte) => fromBytes([byte])).join('')
  assert.notEqual(spoilt, 'é')
})

test('the pieces of any text are whole and make up the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      const text = Buffer.from(value).toString()
      const cut = pieces([...Buffer.from(text)])
      assert.equal(cut.join(''), text)
      assert.ok(cut.every(isWhole))
    }),
  )
})

test('bytes that are no text read as they would at once, and never hold on for ever', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: MAX_HELD_TOKENS - 1 }), (bytes) => {
      assert.equal(pieces([...bytes]).join(''), fromBytes([...bytes]))
    }),
  )
  const endless = pieces(Array.from({ length: 100 }, () => 0xff))
  assert.equal(endless.join(''), '\ufffd'.repeat(100))
  assert.ok(endless.slice(0, -1).some((piece) => piece !== ''))
})

test('a character that is never finished comes at the end', () => {
  assert.deepEqual(pieces([0x61, 0xf0, 0x9f]), ['a', '', '', '\ufffd'])
})
