import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Answer, ResponseReader } from './response-reader.ts'

const PLAIN = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const STREAM = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: {}\n\r\nF\r\n\ndata: {}\n\ndata\r\nf\r\n: [DONE]\n\ndata:\r\n4\r\n {}\n\r\n0\r\n\r\n`

/** Pushes the text in pieces of these lengths, the last as long as the rest. */
function read(reader: ResponseReader, text: string, lengths: readonly number[]): readonly Answer[] {
  const bytes = Buffer.from(text)
  const answers: Answer[] = []
  let at = 0
  for (const length of [...lengths, bytes.length]) {
    const answer = at < bytes.length ? reader.push(bytes.subarray(at, at + length)) : undefined
    if (answer !== undefined) answers.push(answer)
    at += length
  }
  return answers
}

test('responses are read one after another, however they are cut', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 })
  fc.assert(
    fc.property(cuts, cuts, (first, second) => {
      let clockMs = 0
      const reader = new ResponseReader(() => ++clockMs)
      const [plain, ...more] = read(reader, PLAIN, first)
      assert.deepEqual([plain, more], [{ status: 200, bodyBytes: 5, events: 0, firstEventAtMs: undefined }, []])
      const [stream] = read(reader, STREAM, second)
      assert.deepEqual(stream, { status: 200, bodyBytes: 43, events: 3, firstEventAtMs: 1 })
    }),
  )
})

test('an answer is not whole before its last byte', () => {
  for (const text of [PLAIN, STREAM]) {
    const reader = new ResponseReader(() => 0)
    assert.equal(reader.push(Buffer.from(text.slice(0, -1))), undefined)
    assert.equal(reader.push(Buffer.from(text.slice(-1)))?.status, 200)
  }
})

test('what is no such response is refused', () => {
  const head = 'HTTP/1.1 200 OK\r\n'
  for (const text of [
    'SSH-2.0-x\r\n\r\n',
    `${head}\r\n`,
    `${head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\nxyz\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\n0\r\nname: value\r\n\r\n`,
    `${PLAIN}!`,
    `${head}${'x'.repeat(70_000)}`,
  ]) {
    assert.throws(() => new ResponseReader(() => 0).push(Buffer.from(text)), Error, text.slice(0, 80))
  }
})
