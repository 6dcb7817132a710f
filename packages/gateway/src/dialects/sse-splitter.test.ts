import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty, cut } from './properties.testing.ts'
import { MAX_FRAME_BYTES, SseSplitter } from './sse-splitter.ts'

const MARK = '\u00ef\u00bb\u00bf'

/** The same by the book, on a whole text of one character per byte. */
function splitWhole(text: string): { readonly frames: readonly string[]; readonly rest: string } {
  const mark = text.startsWith(MARK) ? MARK : ''
  const frames = mark === '' ? [] : [mark]
  let frame = ''
  let at = mark.length
  for (const [line, end] of text.slice(at).matchAll(/[^\r\n]*(\r\n|\r|\n)/g)) {
    at += line.length
    frame += line
    // After a lone CR at the very end an LF might have followed.
    if (line === end && !(end === '\r' && at === text.length)) {
      frames.push(frame)
      frame = ''
    }
  }
  return { frames, rest: frame + text.slice(at) }
}

function splitPieces(pieces: readonly Uint8Array[]): { readonly frames: readonly string[]; readonly rest: string } {
  const splitter = new SseSplitter()
  const frames: string[] = []
  let length = 0
  for (const piece of pieces) {
    length += piece.length
    for (const frame of splitter.push(piece)) frames.push(Buffer.from(frame).toString('latin1'))
    assert.equal(splitter.pendingBytes, length - frames.join('').length)
  }
  return { frames, rest: Buffer.from(splitter.end() ?? []).toString('latin1') }
}

const streams = fc
  .array(
    fc.constantFrom(
      'data: x',
      ':',
      'event: e',
      '\n',
      '\n',
      '\r',
      '\r',
      '\r\n',
      '\n\n',
      '\r\n\r\n',
      '\r\r',
      MARK,
      '\u00ef',
      '\u00ef\u00bb',
      'ä',
    ),
    {
      maxLength: 30,
    },
  )
  .map((parts) => parts.join(''))

test('frames are the same however the stream is cut, and nothing is lost', (t) => {
  checkProperty(t, [streams, fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 6 })], 4000, (text, sizes) => {
    const whole = splitWhole(text)
    const bytes = Buffer.from(text, 'latin1')
    assert.equal([...whole.frames, whole.rest].join(''), text)
    assert.deepEqual(splitPieces([bytes]), whole)
    assert.deepEqual(splitPieces(cut(bytes, sizes)), whole)
    assert.deepEqual(splitPieces(cut(bytes, [1])), whole)
  })
})

test('any bytes come out as they went in', (t) => {
  checkProperty(t, [fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 9 })], 500, (bytes, size) => {
    const { frames, rest } = splitPieces(cut(bytes, [size]))
    assert.equal([...frames, rest].join(''), Buffer.from(bytes).toString('latin1'))
  })
})

test('a CR LF CR LF that is cut anywhere ends one frame', () => {
  const bytes = Buffer.from('data: a\r\n\r\ndata: b\r\n\r\n')
  for (let at = 0; at <= bytes.length; at++) {
    const { frames, rest } = splitPieces([bytes.subarray(0, at), bytes.subarray(at)])
    assert.deepEqual([frames, rest], [['data: a\r\n\r\n', 'data: b\r\n\r\n'], ''])
  }
})

test('a frame leaves with its last byte: none waits for the next one', () => {
  for (const end of ['\n\n', '\r\n\r\n', '\r\n\n', '\r\r\n', '\n\r\n']) {
    assert.deepEqual(splitPieces([Buffer.from(`data: a${end}`)]).frames, [`data: a${end}`], JSON.stringify(end))
  }
  // All but the one end that LF could still be part of.
  assert.deepEqual(splitPieces([Buffer.from('data: a\r\r')]), { frames: [], rest: 'data: a\r\r' })
})

test('a frame inside one chunk is a window, what is kept does not hold the chunk', () => {
  const chunk = Buffer.from('data: a\n\ndata: b')
  const splitter = new SseSplitter()
  const [frame] = splitter.push(chunk)
  assert.equal(frame?.buffer, chunk.buffer)
  chunk.fill(0)
  const [next] = splitter.push(Buffer.from('c\n\n'))
  assert.equal(String(next && Buffer.from(next)), 'data: bc\n\n')
})

test('frames that were handed out stay as they are while more come', () => {
  const splitter = new SseSplitter()
  const frames = cut(Buffer.from('data: a\n\ndata: b\n\ndata: c\n\n'), [1]).flatMap((chunk) => splitter.push(chunk))
  assert.deepEqual(
    frames.map((frame) => Buffer.from(frame).toString()),
    ['data: a\n\n', 'data: b\n\n', 'data: c\n\n'],
  )
})

test('a frame is bounded to the byte, in one chunk or many', () => {
  const frame = Buffer.from('data: 012345\n\n')
  for (const sizes of [[100], [1], [3]]) {
    const push = (maxBytes: number) => {
      const splitter = new SseSplitter(maxBytes)
      return cut(frame, sizes).flatMap((chunk) => splitter.push(chunk)).length
    }
    assert.equal(push(frame.length), 1)
    assert.throws(() => push(frame.length - 1), { code: 'bytes/too-large' })
  }
  const splitter = new SseSplitter()
  assert.deepEqual(splitter.push(new Uint8Array(MAX_FRAME_BYTES).fill(0x61)), [])
  assert.throws(() => splitter.push(Buffer.from('a')), { code: 'bytes/too-large' })
})

test('the buffer of a frame never outgrows the greatest one, whatever its chunks', () => {
  for (const size of [1000, 1461, 65_519, 70_000]) {
    const splitter = new SseSplitter(1_000_000)
    for (let length = 0; length + size < 1_000_000; length += size) {
      splitter.push(Buffer.alloc(size, 'a'))
      assert.ok(splitter.bufferBytes <= 1_000_000, `${splitter.bufferBytes} bytes for ${length + size}`)
    }
  }
})

test('a megabyte in chunks of one byte takes time in proportion', () => {
  const start = performance.now()
  const splitter = new SseSplitter()
  const byte = Buffer.from('a')
  for (let i = 0; i < 1_000_000; i++) splitter.push(byte)
  assert.equal(splitter.pendingBytes, 1_000_000)
  assert.equal(splitter.end()?.length, 1_000_000)
  assert.equal(splitter.pendingBytes, 0)
  // Copying all that is kept at each byte would take minutes.
  assert.ok(performance.now() - start < 5000)
})
