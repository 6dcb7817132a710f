import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf } from './fixture.testing.ts'
import { checkMachinePaths } from './machine-paths.ts'

// Written in pieces, so that this file passes the rule that it tests.
for (const text of [
  ['see /wor', 'k/main'],
  ['cp a /roo', 't/a'],
  ['https://registry.npm', 'js.org/yaml'],
  ['"resolved": "htt', 'p://mirror/yaml.tgz"'],
]) {
  test(`caught: ${text.join('…')}`, () => {
    const files = { 'docs/a.md': `\n\n${text.join('')}` }
    assert.deepEqual(findingsOf(checkMachinePaths, files), ['docs/a.md:3 machine-path'])
  })
}

test('paths in the repository pass', () => {
  const files = { 'docs/a.md': 'packages/verify/src, ../data, framework/a, "resolved": "packages/cli"' }
  assert.deepEqual(findingsOf(checkMachinePaths, files), [])
})
