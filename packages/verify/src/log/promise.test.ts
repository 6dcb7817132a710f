import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toHex, utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { CountersignError } from '../errors.ts'
import { logSigner, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { changedBytes } from '../mutation.testing.ts'
import { formatCheckpoint, openCheckpoint, openCosignature, parseCheckpoint } from './checkpoint.ts'
import { formatNote, formatNoteKey, openNote, parseNote, parseNoteKey } from './note.ts'
import { formatPromise, formatPromiseHeader, openPromise, parsePromise, parsePromiseHeader } from './promise.ts'

const crypto = createNodeCrypto()
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const origin = fc.oneof(
  fc.string({ minLength: 1 }).filter((text) => !/[\n\u0000-\u001f]/.test(text)),
  fc.constantFrom('5', '0', 'countersign-promise/v1', ORIGIN),
)
const promise = fc.record(
  {
    origin,
    receipt: bytes(16).map(toHex),
    statement: bytes(32).map(toHex),
    index: fc.maxSafeNat(),
    leafHash: bytes(32),
    coverBySeconds: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
)
const checkpoint = fc.record({ origin, size: fc.maxSafeNat(), root: bytes(32) }, { noNullPrototype: true })

function reads(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text)
    return true
  } catch (thrown) {
    if (thrown instanceof CountersignError) return false
    throw thrown
  }
}

test('promises and checkpoints survive their texts, and neither is ever the other', (t) => {
  checkProperty(t, [promise, checkpoint], 500, (promised, head) => {
    const [promiseText, headText] = [formatPromise(promised), formatCheckpoint(head)]
    assert.deepEqual(parsePromise(promiseText), promised)
    assert.deepEqual(parseCheckpoint(headText), head)
    assert.ok(!reads(parseCheckpoint, promiseText))
    assert.ok(!reads(parsePromise, headText))
  })
})

test('no text at all is both', (t) => {
  const samples = fc.sample(promise, { numRuns: 20, seed: 1 }).map((each) => utf8(formatPromise(each)))
  const lines = fc.array(
    fc.constantFrom(
      'countersign-promise/v1',
      '5',
      ORIGIN,
      'A'.repeat(43).concat('='),
      'ab'.repeat(16),
      'ab'.repeat(32),
    ),
    {
      maxLength: 8,
    },
  )
  const texts = fc.oneof(
    changedBytes(samples).map((changed) => new TextDecoder().decode(changed)),
    lines.map((each) => `${each.join('\n')}\n`),
  )
  checkProperty(t, [texts], 2000, (text) => {
    assert.ok(!(reads(parsePromise, text) && reads(parseCheckpoint, text)))
  })
})

test('one signature does not serve for the other', () => {
  const log = logSigner(ORIGIN)
  const [promised] = fc.sample(promise, { numRuns: 1, seed: 2 })
  assert.ok(promised)
  const text = formatPromise({ ...promised, origin: ORIGIN })
  const note = parsePromiseHeader(formatPromiseHeader(`${text}\n${log.sign(text)}`))
  assert.equal(openPromise(crypto, note, log.key).index, promised.index)
  assert.throws(() => openCheckpoint(crypto, note, log.key), { code: 'checkpoint/malformed' })
  const witness = witnessSigner(ORIGIN)
  const head = formatCheckpoint({ origin: ORIGIN, size: 1, root: new Uint8Array(32) })
  const cosigned = parseNote(utf8(`${head}\n${witness.cosign(head, 1)}`))
  assert.throws(() => openNote(crypto, cosigned, witness.key), { code: 'note/no-known-signature' })
  assert.equal(openCosignature(crypto, cosigned, witness.key)?.timeSeconds, 1)
  assert.equal(openCosignature(crypto, cosigned, log.key), undefined)
})

test('notes and keys survive their texts', (t) => {
  const log = logSigner(ORIGIN)
  assert.deepEqual(parseNoteKey(crypto, formatNoteKey(log.key)), log.key)
  const text = fc.array(origin, { minLength: 1, maxLength: 5 }).map((lines) => `${lines.join('\n')}\n`)
  checkProperty(t, [text], 200, (body) => {
    const note = parseNote(utf8(`${body}\n${log.sign(body)}`))
    assert.equal(openNote(crypto, note, log.key), body)
    assert.deepEqual(parseNote(utf8(formatNote(note))), note)
  })
})

test('a note with any byte of its text changed is refused', (t) => {
  const log = logSigner(ORIGIN)
  const body = `${ORIGIN}\n5\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n`
  const line = log.sign(body)
  checkProperty(t, [changedBytes([utf8(body)])], 500, (changed) => {
    const text = new TextDecoder().decode(changed)
    if (text === body) return
    assert.throws(() => openNote(crypto, parseNote(utf8(`${text}\n${line}`)), log.key), CountersignError)
  })
})
