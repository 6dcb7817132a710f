import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createStopTexts } from './stop-texts.ts'

function read(parts: readonly string[], stops: readonly string[]): { text: string; isStopped: boolean } {
  const scanner = createStopTexts(stops)
  let text = ''
  for (const part of parts) {
    const found = scanner.push(part)
    text += found.text
    if (found.isStopped) return { text, isStopped: true }
  }
  return { text: text + scanner.end(), isStopped: false }
}

/** Letter by letter, by the definition. */
function expected(text: string, stops: readonly string[]): { text: string; isStopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0]
    if (ending !== undefined) return { text: text.slice(0, end - ending.length), isStopped: true }
  }
  return { text, isStopped: false }
}

test('a stop text is found across pieces, and what only looked like one is given', () => {
  assert.deepEqual(read(['one\n', '\nUs', 'er: two'], ['\nUser:']), { text: 'one\n', isStopped: true })
  assert.deepEqual(read(['one\nUs', 'ual'], ['\nUser:']), { text: 'one\nUsual', isStopped: false })
  assert.deepEqual(createStopTexts(['\nUser:']).push('one\nUs'), { text: 'one', isStopped: false })
})

test('the answer is the same however the text is cut, with any stop texts', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })
  const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 6 }), fc.array(stop, { maxLength: 3 }), (parts, stops) => {
      assert.deepEqual(read(parts, stops), expected(parts.join(''), stops))
    }),
    { numRuns: 2000 },
  )
})
