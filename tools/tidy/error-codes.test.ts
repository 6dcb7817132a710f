import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkErrorCodes } from './error-codes.ts'
import { findingsOf } from './fixture.testing.ts'

const TREE = {
  'packages/verify/src/errors.ts': `export const ERROR_CODES = [\n  'a/one',\n  'a/two',\n] as const`,
  'packages/verify/src/a.ts': `throw new CountersignError('a/one', '')`,
  'packages/gateway/src/b.ts': `const code = odd ? 'a/two' : undefined`,
  'spec/errors.md': '# Errors\n\n| code | what to do |\n|---|---|\n| `a/one` | this |\n| `a/two` | that |\n',
}

test('codes that are declared, raised and listed pass', () => {
  assert.deepEqual(findingsOf(checkErrorCodes, TREE), [])
})

test('a code without a row is caught', () => {
  const files = { ...TREE, 'spec/errors.md': '| `a/one` | this; `a/two` is only mentioned |' }
  assert.deepEqual(findingsOf(checkErrorCodes, files), ['packages/verify/src/errors.ts:3 error-codes'])
})

test('a row without a code is caught', () => {
  const files = { ...TREE, 'spec/errors.md': `${TREE['spec/errors.md']}| \`a/three\` | other |\n` }
  assert.deepEqual(findingsOf(checkErrorCodes, files), ['spec/errors.md:7 error-codes'])
})

test('a code that is only looked up, compared or tested is caught', () => {
  for (const text of [
    `const STATUS = { 'a/two': 404 }`,
    `switch (code) { case 'a/two': break }`,
    `const known = code === 'a/two'`,
    `type Known = 'a/two'`,
    '',
  ]) {
    const files = { ...TREE, 'packages/gateway/src/b.ts': text, 'packages/gateway/src/b.test.ts': `raise('a/two')` }
    assert.deepEqual(findingsOf(checkErrorCodes, files), ['packages/verify/src/errors.ts:3 error-codes'])
  }
})

test('a missing list is caught', () => {
  const { 'spec/errors.md': _, ...files } = TREE
  assert.deepEqual(findingsOf(checkErrorCodes, files), ['packages/verify/src/errors.ts:1 error-codes'])
})
