import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkCycles, checkOwnIndex } from './cycles.ts'
import { findingsOf, manifestOf } from './fixture.testing.ts'

test('a cycle is caught where it closes, through types and compiled names too', () => {
  const files = {
    'packages/verify/src/a.ts': `import { b } from './b.ts'`,
    'packages/verify/src/b.ts': `import type { C } from './c.js'`,
    'packages/verify/src/c.ts': `\nexport { a } from './a.ts'`,
  }
  assert.deepEqual(findingsOf(checkCycles, files), ['packages/verify/src/c.ts:2 import-cycle'])
  assert.deepEqual(findingsOf(checkCycles, { 'tools/a.ts': `import { a } from './a.ts'` }), [
    'tools/a.ts:1 import-cycle',
  ])
})

test('two ways to one file are no cycle', () => {
  const files = {
    'packages/verify/src/a.ts': `import { b } from './b.ts'\nimport { c } from './c.ts'`,
    'packages/verify/src/b.ts': `import { c } from './c.ts'`,
    'packages/verify/src/c.ts': '',
  }
  assert.deepEqual(findingsOf(checkCycles, files), [])
})

test("imports of one's own face are caught, except in tests", () => {
  const files = {
    'packages/verify/package.json': manifestOf('verify'),
    'packages/verify/src/index.ts': '',
    'packages/verify/src/log/a.ts': `import { b } from '../index.ts'`,
    'packages/verify/src/log/b.ts': `import { b } from '@countersign/verify'`,
    'packages/verify/src/log/a.test.ts': `import { b } from '../index.ts'`,
  }
  assert.deepEqual(findingsOf(checkOwnIndex, files), [
    'packages/verify/src/log/a.ts:1 own-index',
    'packages/verify/src/log/b.ts:1 own-index',
  ])
})
