import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, utf8 } from '@countersign/verify'
import fc from 'fast-check'
import { MAX_PROMISE_CHARACTERS, PromiseComments } from './promise-comments.ts'

interface Read {
  readonly kept: string
  readonly promises: readonly string[]
  readonly count: number
}

/** Reads a stream in chunks that begin at these places. */
function readIn(bytes: Uint8Array, cuts: readonly number[]): Read {
  const comments = new PromiseComments()
  const kept: Uint8Array[] = []
  const places = [...cuts, 0, bytes.length].map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b)
  places.forEach((place, i) => {
    // Copies: what comes out must not change when the caller's buffer does.
    kept.push(...comments.push(bytes.slice(place, places[i + 1] ?? place)))
  })
  kept.push(...comments.end())
  return { kept: Buffer.from(concat(...kept)).toString('latin1'), promises: comments.promises, count: comments.count }
}

/** The same of a whole text, in another way: what a reader of the specification would write. */
function readWhole(text: string): Read {
  const promises: string[] = []
  let [kept, rest, count] = ['', text, 0]
  const line = /(?:^|(?<=[\r\n])): countersign-promise ([^\r\n]*)(\n\n)?/g
  for (;;) {
    line.lastIndex = 0
    const match = line.exec(rest)
    if (match === null) return { kept: kept + rest, promises: promises.slice(0, 2), count }
    count++
    const [whole, value = '', ending] = match
    if (ending !== undefined) promises.push(value)
    kept += rest.slice(0, match.index) + (ending === undefined ? whole : '')
    rest = rest.slice(match.index + whole.length)
    // Without its ending the rest goes on in the same line, which is nobody's beginning.
    if (ending === undefined && rest !== '') {
      kept += rest.slice(0, 1)
      rest = rest.slice(1)
    }
  }
}

const STREAM = 'data: {"a":1}\n\n: countersign-promise QUJD\n\ndata: [DONE]\n\n'
const KEPT = 'data: {"a":1}\n\ndata: [DONE]\n\n'

test('a comment is found, and left out, wherever the stream is cut in two', () => {
  const bytes = utf8(STREAM)
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.deepEqual(readIn(bytes, [cut]), { kept: KEPT, promises: ['QUJD'], count: 1 }, `cut at ${cut}`)
  }
})

test('byte by byte', () => {
  const bytes = utf8(STREAM)
  assert.deepEqual(readIn(bytes, [...bytes.keys()]), { kept: KEPT, promises: ['QUJD'], count: 1 })
})

for (const [name, text, expected] of [
  ['at the start', ': countersign-promise QQ==\n\ndata: 1\n\n', { kept: 'data: 1\n\n', promises: ['QQ=='], count: 1 }],
  ['at the end', 'data: 1\n\n: countersign-promise QQ==\n\n', { kept: 'data: 1\n\n', promises: ['QQ=='], count: 1 }],
  [
    'after a line that ends with CR',
    'a\r: countersign-promise QQ==\n\n',
    { kept: 'a\r', promises: ['QQ=='], count: 1 },
  ],
  ['two', ': countersign-promise A\n\n: countersign-promise B\n\nx', { kept: 'x', promises: ['A', 'B'], count: 2 }],
] as const) {
  test(`a comment ${name}`, () => assert.deepEqual(readIn(utf8(text), []), expected))
}

for (const [name, text, count] of [
  ['inside a line', 'data: : countersign-promise QQ==\n\n', 0],
  ['of another name', ': countersign-promises QQ==\n\n', 0],
  ['without its space', ':countersign-promise QQ==\n\n', 0],
  ['ended by CR LF', ': countersign-promise QQ==\r\n\r\n', 1],
  ['without its blank line', ': countersign-promise QQ==\ndata: 1\n\n', 1],
  ['cut off', 'data: 1\n\n: countersign-promise QQ', 1],
  ['cut off in its name', 'data: 1\n\n: countersign-prom', 0],
  ['that is too long', `: countersign-promise ${'A'.repeat(MAX_PROMISE_CHARACTERS + 1)}\n\n`, 1],
] as const) {
  test(`no promise: a comment ${name} stays in`, () => {
    assert.deepEqual(readIn(utf8(text), [3, 30]), { kept: text, promises: [], count })
  })
}

test('the longest promise is read', () => {
  const value = 'A'.repeat(MAX_PROMISE_CHARACTERS)
  assert.deepEqual(readIn(utf8(`: countersign-promise ${value}\n\n`), [100]).promises, [value])
})

test('a byte order mark before the comment is passed over, and stays in', () => {
  const mark = Buffer.from('\ufeff')
  const bytes = Buffer.concat([mark, utf8(': countersign-promise QUJD\n\ndata: [DONE]\n\n')])
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { kept, promises, count } = readIn(bytes, [cut])
    assert.deepEqual([Buffer.from(kept, 'latin1').toString(), promises, count], ['\ufeffdata: [DONE]\n\n', ['QUJD'], 1])
  }
  // Half a mark, two marks, or one that is not at the start make the line another one.
  const comment = Buffer.from(': countersign-promise QQ==\n\n')
  for (const start of [mark.subarray(0, 2), Buffer.concat([mark, mark]), Buffer.concat([Buffer.from('\n'), mark])]) {
    const whole = Buffer.concat([start, comment])
    assert.deepEqual(readIn(whole, [1]), { kept: whole.toString('latin1'), promises: [], count: 0 })
  }
  assert.equal(readIn(mark.subarray(0, 2), []).kept, mark.subarray(0, 2).toString('latin1'))
})

test('any text in any chunks gives what the whole text gives', () => {
  const piece = fc.constantFrom(
    ': countersign-promise ',
    ': countersign',
    '\n',
    '\n\n',
    '\r',
    '\r\n',
    'QQ==',
    ' ',
    ':',
    'x',
  )
  const text = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(text, fc.array(fc.nat({ max: 200 }), { maxLength: 12 }), (stream, cuts) => {
      assert.deepEqual(readIn(utf8(stream), cuts), readWhole(stream))
    }),
    { numRuns: 3000 },
  )
})
