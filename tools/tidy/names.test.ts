import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf } from './fixture.testing.ts'
import { checkNames } from './names.ts'

for (const path of [
  'packages/verify/src/utils/a.ts',
  'packages/verify/src/common.ts',
  'packages/verify/src/log/helpers.test.ts',
  'packages/verify/src/log/string-utils.ts',
  'models/lib/a.ts',
  'docs/misc/page.md',
  'packages/verify/src/types.ts',
  'packages/verify/src/treeHead.ts',
  'packages/verify/src/tree_head.ts',
  'packages/verify/src/log/index.ts',
  'tools/index.ts',
  'docs/Getting Started.md',
]) {
  test(`caught: ${path}`, () => assert.deepEqual(findingsOf(checkNames, { [path]: '' }), [`${path}:1 name`]))
}

test('names for things pass', () => {
  const paths = [
    ...['packages/verify/src/index.ts', 'packages/verify/src/log/tree-head.test.ts', 'models/credit/MODEL_CARD.md'],
    ...['vectors/log/SomeThing_else.json', 'docs/decisions/0001-log-format.md', 'docs/README.md', 'esbuild.config.js'],
    ...['packages/cli/src/public-library.ts', 'LICENSE', '.gitignore'],
  ]
  assert.deepEqual(findingsOf(checkNames, Object.fromEntries(paths.map((path) => [path, '']))), [])
})

test('a folder is reported once', () => {
  assert.equal(findingsOf(checkNames, { 'tools/utils/a.ts': '', 'tools/utils/b.ts': '' }).length, 1)
})
