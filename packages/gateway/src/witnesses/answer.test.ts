import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import {
  concat,
  cosignatureMessage,
  formatSignatureLine,
  NOTE_COSIGNATURE,
  noteKey,
  uint64BigEndian,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import fc from 'fast-check'
import { MAX_FUTURE_SECONDS, type Reply, readAnswer } from './answer.ts'

const crypto = createNodeCrypto()
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const raw = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
const witness = noteKey(crypto, 'w.example.org', NOTE_COSIGNATURE, raw)
const TEXT = 'example.org/log\n5\nAAAA\n'
const NOW = 1_790_000_000

function line(timeSeconds: number, name = witness.name): string {
  const signature = sign(null, cosignatureMessage(timeSeconds, TEXT), privateKey)
  const time = uint64BigEndian(BigInt(timeSeconds))
  return formatSignatureLine({ name, id: witness.id, signature: concat(time, signature) })
}

function answer(reply: Reply, lastTimeSeconds = 0) {
  const asked = { witness, checkpoint: { text: TEXT, signatures: [] }, lastTimeSeconds, nowSeconds: NOW }
  return readAnswer(crypto, asked, reply)
}

function ok(body: string, lastTimeSeconds = 0) {
  return answer({ status: 200, retryAfter: undefined, body: utf8(body) }, lastTimeSeconds)
}

test('the one line of the witness counts, whatever stands beside it', () => {
  for (const body of [line(NOW), `${line(NOW, 'x.example.org')}${line(NOW)}`, `${line(NOW - 9)}${line(NOW)}`]) {
    const read = ok(body)
    assert.equal(read.kind === 'cosigned' && read.timeSeconds, NOW)
  }
})

test('times that cannot be are ignored', () => {
  assert.equal(ok(line(NOW + MAX_FUTURE_SECONDS)).kind, 'cosigned')
  assert.equal(ok(line(NOW + MAX_FUTURE_SECONDS + 1)).kind, 'unusable')
  assert.equal(ok(line(NOW), NOW).kind, 'cosigned')
  assert.equal(ok(line(NOW - 1), NOW).kind, 'unusable')
})

test('a line that names the witness and does not check spoils the answer', () => {
  const forged = formatSignatureLine({ name: witness.name, id: witness.id, signature: new Uint8Array(72) })
  assert.equal(ok(`${line(NOW)}${forged}`).kind, 'unusable')
})

test('statuses are told apart', () => {
  const of = (status: number, body = '', retryAfter?: string) => answer({ status, retryAfter, body: utf8(body) })
  assert.deepEqual(of(409, '17\n'), { kind: 'conflict', size: 17 })
  for (const body of ['', '-1\n', '017\n', '17 ', '9007199254740992\n']) {
    assert.deepEqual(of(409, body), { kind: 'conflict', size: undefined })
  }
  assert.equal(of(422).kind, 'unprovable')
  for (const status of [201, 204, 301, 400, 403, 404]) assert.equal(of(status).kind, 'refused')
  for (const status of [429, 500, 503]) assert.equal(of(status).kind, 'unavailable')
  assert.deepEqual(of(503, '', '7'), { kind: 'unavailable', why: 'status 503', retryAfterMs: 7000 })
  assert.deepEqual(of(503, '', 'Sat, 01 Jan 2050'), { kind: 'unavailable', why: 'status 503', retryAfterMs: 0 })
})

test('any bytes are an answer', () => {
  const body = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string().map(utf8), fc.constant(utf8(line(NOW))))
  const reply = fc.record({
    status: fc.integer({ min: 100, max: 599 }),
    retryAfter: fc.option(fc.string(), { nil: undefined }),
    body,
  })
  fc.assert(
    fc.property(reply, (each) => {
      assert.ok(typeof answer(each).kind === 'string')
    }),
  )
})
