import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf } from './fixture.testing.ts'
import { checkSizes, MAX_FILE_LINES, MAX_FUNCTION_LINES } from './sizes.ts'

const inFile = (text: string) => findingsOf(checkSizes, { 'tools/a.ts': text })
const linesOf = (count: number) => 'step()\n'.repeat(count)

test('a file of the greatest size passes, one line more is caught', () => {
  assert.deepEqual(inFile(linesOf(MAX_FILE_LINES)), [])
  assert.deepEqual(inFile(linesOf(MAX_FILE_LINES + 1)), ['tools/a.ts:401 file-size'])
})

for (const head of [
  'function work() {',
  'const work = () => {',
  'const work = function () {',
  'class Worker { work() {',
  'class Worker { constructor() {',
  'const worker = { work() {',
  `test('works', () => {`,
]) {
  test(`a function is measured: ${head}`, () => {
    const tail = head.startsWith('test') ? '})' : /^(class|const worker)/.test(head) ? '} }' : '}'
    const fits = `/** A comment\n * does not count. */\n${head}\n${linesOf(MAX_FUNCTION_LINES - 2)}${tail}`
    const tooLong = `\n${head}\n${linesOf(MAX_FUNCTION_LINES - 1)}${tail}`
    assert.deepEqual(inFile(fits), [])
    assert.deepEqual(inFile(tooLong), ['tools/a.ts:2 function-size'])
  })
}

test('a suite is not measured', () => {
  assert.deepEqual(inFile(`describe('all', () => {\n${linesOf(100)}})`), [])
})
