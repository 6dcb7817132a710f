import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkProperty, expectTyped, windowOn } from './properties.testing.ts'
import { readFrame, stripOurComments } from './sse-frames.ts'

const latin1 = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('latin1')

/** What the standard says about one frame, on text. */
function byTheBook(text: string) {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line !== '')
  const fields = lines.filter((line) => !line.startsWith(':'))
  const valuesOf = (name: string) =>
    fields.flatMap((line) => {
      const [, field, value = ''] = /^([^:]*)(?::[ ]?(.*))?$/s.exec(line) ?? []
      return field === name ? [value] : []
    })
  const data = valuesOf('data')
  return {
    event: valuesOf('event').at(-1) || undefined,
    data: data.length === 0 ? undefined : data.join('\n'),
    isComment: lines.length > 0 && fields.length === 0,
    comments: lines.filter((line) => line.startsWith(':')).map((line) => line.slice(1)),
  }
}

function read(text: string) {
  const { event, data, isComment, comments } = readFrame(windowOn(Buffer.from(text, 'latin1')))
  return { event, data: latin1(data), isComment, comments: comments.map((comment) => latin1(comment)) }
}

const lines = fc.constantFrom(
  'data: x',
  'data:x',
  'data:  x',
  'data',
  'data:',
  'data: ',
  'datax: 1',
  'Data: 1',
  ' data: 1',
  'event: e',
  'event',
  'event:',
  'events: x',
  'id: 1',
  ':',
  ': a',
  ':countersign',
  ': Countersign-promise AAAA',
  ':x counterSIGN',
  ': counter sign',
  ': countersig',
)
const ends = fc.constantFrom('\n', '\r', '\r\n')
const frames = fc
  .array(fc.tuple(lines, ends), { maxLength: 8 })
  .chain((parts) => ends.map((end) => `${parts.map(([line, each]) => line + each).join('')}${end}`))

test('a frame says what the standard says it does', (t) => {
  checkProperty(t, [frames], 3000, (text) => assert.deepEqual(read(text), byTheBook(text)))
  assert.deepEqual(read('event: a\ndata: 1\ndata: 2\n: c\n\n'), {
    event: 'a',
    data: '1\n2',
    isComment: false,
    comments: [' c'],
  })
  assert.deepEqual(read(': ping\n\n'), { event: undefined, data: undefined, isComment: true, comments: [' ping'] })
  assert.deepEqual(read('\n'), { event: undefined, data: undefined, isComment: false, comments: [] })
  assert.equal(readFrame(Buffer.from('event: é\n\n')).event, 'é')
  assert.equal(readFrame(Buffer.from(`event: ${'e'.repeat(1000)}\n\n`)).event?.length, 128)
})

test('data of one line is a window on the frame', () => {
  const frame = Buffer.from('event: a\ndata: {"x":1}\n\n')
  assert.equal(readFrame(frame).data?.buffer, frame.buffer)
})

test('a comment with our name is taken out, and nothing else changes', (t) => {
  let stripped = 0
  checkProperty(t, [frames], 3000, (text) => {
    const frame = windowOn(Buffer.from(text, 'latin1'))
    const before = byTheBook(text)
    const result = stripOurComments(frame)
    const after = read(latin1(result.frame) ?? '')
    const others = before.comments.filter((comment) => !/countersign/i.test(comment))
    assert.deepEqual([after.event, after.data, after.comments], [before.event, before.data, others])
    assert.equal(result.stripped, others.length < before.comments.length)
    if (result.stripped) stripped++
    else assert.equal(result.frame, frame)
    // The frame ends where it did: as many blank lines as before.
    const blanks = (each: string) => each.split(/\r\n|\r|\n/).filter((line) => line === '').length
    assert.equal(blanks(latin1(result.frame) ?? ''), blanks(text))
  })
  assert.ok(stripped > 500, String(stripped))
})

test('forged promises are found in every spelling', () => {
  const strip = (text: string) => latin1(stripOurComments(Buffer.from(text)).frame)
  for (const forged of [
    ': countersign-promise x',
    ':countersign-promise x',
    ':\tCOUNTERSIGN-Promise',
    ': x countersign',
    ':   countersign',
  ]) {
    for (const end of ['\n', '\r', '\r\n']) {
      assert.equal(strip(`${forged}${end}data: 1${end}${end}`), `data: 1${end}${end}`)
      assert.equal(strip(`data: 1${end}${forged}${end}${end}`), `data: 1${end}${end}`)
      assert.equal(strip(`${forged}${end}${forged}${end}${end}`), end)
    }
    assert.equal(strip(forged), '')
  }
  // Without the comment, CR and LF would meet and the blank line would be gone.
  assert.equal(strip('data: 1\r: countersign\n\n'), 'data: 1\r\n\n')
  for (const same of ['data: : countersign\n\n', 'data: x\n: counter-sign\n\n', 'countersign: 1\n\n'])
    assert.equal(strip(same), same)
})

test('any bytes, and frames of many lines, are read in time', (t) => {
  checkProperty(t, [fc.uint8Array({ maxLength: 200 })], 1000, (bytes) => {
    expectTyped(() => [readFrame(bytes), stripOurComments(bytes)])
  })
  for (const unit of ['data: x\n', ': countersign\n', ':\r', ': countersig', '\r']) {
    const frame = Buffer.from(unit.repeat(2_000_000 / unit.length))
    assert.ok('value' in expectTyped(() => [readFrame(frame), stripOurComments(frame)]), unit)
  }
})
