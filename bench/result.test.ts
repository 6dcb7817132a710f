import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printResult } from './result.ts'

/** What is printed, and whether every goal was reached. */
function print(figure: number | null): { readonly isGood: boolean; readonly text: string } {
  const { write } = process.stdout
  let text = ''
  process.stdout.write = (chunk: string | Uint8Array) => {
    text += String(chunk)
    return true
  }
  try {
    const benchmark = { method: 'by hand', figures: { some_ms: figure }, goals: { some_ms: { max: 2 } } }
    return { isGood: printResult('some', benchmark), text }
  } finally {
    process.stdout.write = write
  }
}

test('a goal that is missed shows; one whose figure is missing does not count', () => {
  assert.equal(print(2).isGood, true)
  const missed = print(2.1)
  assert.equal(missed.isGood, false)
  assert.match(missed.text, /FALLS SHORT/)
  const missing = print(null)
  assert.equal(missing.isGood, true)
  assert.match(missing.text, /some_ms +missing/)
  // Not a number is no missing figure: something was measured, and wrongly.
  assert.equal(print(Number.NaN).isGood, false)
})
