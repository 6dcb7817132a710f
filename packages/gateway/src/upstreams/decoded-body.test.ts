import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, createGzip, deflateSync, gzipSync } from 'node:zlib'
import { CountersignError } from '@countersign/verify'
import { decodeBody, MAX_DECODED_BYTES, MAX_DECODED_RATIO, RATIO_FREE_BYTES } from './decoded-body.ts'

const TEXT = Buffer.from(JSON.stringify({ text: 'Grüße '.repeat(500) }))
const ENCODERS = { gzip: gzipSync, 'x-gzip': gzipSync, deflate: deflateSync, br: brotliCompressSync }

function inPieces(bytes: Uint8Array, pieceBytes = 7): Readable {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes))
  return Readable.from(pieces, { objectMode: false })
}

test('decodes what it knows, however it is cut', async () => {
  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    assert.deepEqual(await buffer(decodeBody(inPieces(encode(TEXT)), encoding)), TEXT, encoding)
  }
  for (const nothing of [gzipSync(''), Buffer.alloc(0)]) {
    assert.deepEqual(await buffer(decodeBody(inPieces(nothing), 'gzip')), Buffer.alloc(0))
  }
  assert.deepEqual(await buffer(decodeBody(inPieces(Buffer.alloc(0)), 'br')), Buffer.alloc(0))
})

test('refuses what it does not know, is not what it says, or breaks off', async () => {
  for (const encoding of ['zstd', 'gzip, br', 'toString', '']) {
    assert.throws(() => decodeBody(inPieces(TEXT), encoding), { code: 'upstream/malformed' })
  }
  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    await assert.rejects(buffer(decodeBody(inPieces(TEXT), encoding)), { code: 'upstream/malformed' }, encoding)
    const half = encode(TEXT).subarray(0, -9)
    await assert.rejects(buffer(decodeBody(inPieces(half), encoding)), { code: 'upstream/malformed' }, encoding)
  }
})

test('a piece that is flushed comes at once', async () => {
  const gzip = createGzip()
  const source = new PassThrough()
  gzip.pipe(source)
  const body = decodeBody(source, 'gzip')
  gzip.write('data: 1\n\n')
  gzip.flush()
  const [first] = await once(body, 'data')
  assert.equal(String(first), 'data: 1\n\n')
  body.destroy()
  gzip.destroy()
})

test('a bomb ends, and no more of it is decoded than that', async () => {
  const source = inPieces(gzipSync(Buffer.alloc(MAX_DECODED_BYTES * 2)), 4096)
  let decoded = 0
  const body = decodeBody(source, 'gzip').on('data', (chunk: Buffer) => {
    decoded += chunk.length
  })
  await assert.rejects(once(body, 'end'), { code: 'upstream/too-large' })
  assert.ok(decoded <= RATIO_FREE_BYTES + MAX_DECODED_RATIO * 8192, `${decoded} bytes`)
  assert.equal(source.destroyed, true)
})

test('what does not compress well still has a limit', async () => {
  const gzip = createGzip({ level: 1 })
  const piece = randomBytes(1024 * 1024)
  const pieces = Array.from({ length: MAX_DECODED_BYTES / piece.length + 1 }, () => piece)
  const source = Readable.from(pieces, { objectMode: false }).pipe(gzip)
  await assert.rejects(buffer(decodeBody(source, 'gzip')), { code: 'upstream/too-large' })
})

test('decodes no further than it is read', async () => {
  const source = inPieces(gzipSync(randomBytes(8 * 1024 * 1024)), 65_536)
  let taken = 0
  source.on('data', (chunk: Buffer) => {
    taken += chunk.length
  })
  const body = decodeBody(source, 'gzip')
  await once(body, 'readable')
  body.read(1)
  await sleep(300)
  assert.ok(body.readableLength < 512 * 1024, `${body.readableLength} bytes wait`)
  assert.ok(taken < 1024 * 1024, `${taken} bytes taken`)
  body.destroy()
})

test('fails as its source fails, and takes it along', async () => {
  const source = new PassThrough()
  const body = decodeBody(source, 'gzip')
  source.write(gzipSync(TEXT).subarray(0, 20))
  source.destroy(new CountersignError('upstream/reset', 'broken off'))
  await assert.rejects(buffer(body), { code: 'upstream/reset' })
  const other = new PassThrough()
  decodeBody(other, 'gzip').destroy()
  await once(other, 'close')
})
