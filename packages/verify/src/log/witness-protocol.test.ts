import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toBase64 } from '../bytes/base64.ts'
import { concat, utf8 } from '../bytes/bytes.ts'
import { logSigner, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { checkProperty } from '../fuzzing.testing.ts'
import { formatCheckpoint } from './checkpoint.ts'
import { MAX_NOTE_BYTES, parseNote } from './note.ts'
import {
  formatAddCheckpoint,
  MAX_ADD_CHECKPOINT_BYTES,
  MAX_WITNESS_PROOF_HASHES,
  parseAddCheckpoint,
  parseCosignatureLines,
} from './witness-protocol.ts'

const root = new Uint8Array(32).fill(7)
const text = formatCheckpoint({ origin: ORIGIN, size: 9, root })
const log = logSigner(ORIGIN)
const note = `${text}\n${log.sign(text)}`
const HASH_LINE = `${toBase64(root)}\n`
const isMalformed = { code: 'witness/malformed' }

const parse = (body: string) => parseAddCheckpoint(utf8(body))

test('requests survive their text', (t) => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const proofs = fc.array(hash, { maxLength: MAX_WITNESS_PROOF_HASHES })
  checkProperty(t, [fc.maxSafeNat(), proofs], 200, (oldSize, proof) => {
    const request = { oldSize, proof, checkpoint: parseNote(utf8(note)) }
    assert.deepEqual(parse(formatAddCheckpoint(request)), request)
  })
})

test('extension lines, even blank ones, stay in the signed text', () => {
  for (const extension of ['more\n', 'old 7\n', 'a\n\nb\n']) {
    const extended = text + extension
    assert.equal(parse(`old 0\n\n${extended}\n${log.sign(extended)}`).checkpoint.text, extended)
  }
})

test('the proof has 63 lines, and no more', () => {
  const body = (count: number) => `old 5\n${HASH_LINE.repeat(count)}\n${note}`
  assert.equal(parse(body(63)).proof.length, 63)
  assert.throws(() => parse(body(64)), isMalformed)
  assert.throws(() => parse(`old 5\n${'A\n'.repeat(64)}\n${note}`), isMalformed)
  const checkpoint = parseNote(utf8(note))
  assert.throws(() => formatAddCheckpoint({ oldSize: 5, proof: Array(64).fill(root), checkpoint }), isMalformed)
})

test('the longest request is read, one byte more is not', () => {
  const space = MAX_NOTE_BYTES - utf8(note).length
  const origin = `${ORIGIN}\n9\n${toBase64(root)}\n${'x'.repeat(space - 1)}\n`
  const longest = `old ${Number.MAX_SAFE_INTEGER}\n${HASH_LINE.repeat(63)}\n${origin}\n${log.sign(origin)}`
  assert.equal(utf8(longest).length, MAX_ADD_CHECKPOINT_BYTES)
  assert.equal(parse(longest).oldSize, Number.MAX_SAFE_INTEGER)
  assert.throws(() => parseAddCheckpoint(concat(utf8(longest), utf8('\n'))), isMalformed)
})

test('what is no request is refused with one code', () => {
  const wrong = [
    ['empty', ''],
    ['a checkpoint alone', note],
    ['no old line', `\n\n${note}`],
    ['a leading zero', `old 01\n\n${note}`],
    ['a sign', `old -1\n\n${note}`],
    ['two spaces', `old  1\n\n${note}`],
    ['a size that is not safe', `old 9007199254740992\n\n${note}`],
    ['a carriage return', `old 1\r\n\r\n${note}`],
    ['a hash that is too short', `old 1\n${toBase64(root.slice(1))}\n\n${note}`],
    ['no base64', `old 1\n${'!'.repeat(44)}\n\n${note}`],
    ['no signature', `old 1\n\n${text}\n`],
    ['a note that is cut off', `old 1\n\n${note.slice(0, -9)}`],
    ['nothing after the blank line', 'old 1\n\n'],
    ['129 signatures', `old 1\n\n${note}${log.sign(text).repeat(128)}`],
  ] as const
  for (const [name, body] of wrong) assert.throws(() => parse(body), isMalformed, name)
  assert.throws(
    () => parseAddCheckpoint(concat(utf8('old 1\n'), Uint8Array.of(0xff), utf8(`\n\n${note}`))),
    isMalformed,
  )
  assert.equal(parse(`old 1\n\n${note}${log.sign(text).repeat(99)}`).checkpoint.signatures.length, 100)
})

test('replies are signature lines and nothing else', () => {
  const lines = [witnessSigner('w1'), witnessSigner('w2')].map((witness) => witness.cosign(text, 1_790_000_000))
  assert.deepEqual(
    parseCosignatureLines(lines.join('')).map(({ name, signature }) => [name, signature.length]),
    [
      ['w1', 72],
      ['w2', 72],
    ],
  )
  const [line = ''] = lines
  for (const reply of ['', '\n', line.trimEnd(), `\n${line}`, `${line}\n`, `${line}more\n`, line.repeat(129)]) {
    assert.throws(() => parseCosignatureLines(reply), isMalformed)
  }
  assert.throws(() => parseCosignatureLines(`— w1 ${'A'.repeat(MAX_NOTE_BYTES)}\n`), isMalformed)
})
