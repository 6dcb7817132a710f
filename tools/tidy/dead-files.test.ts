import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDeadFiles } from './dead-files.ts'
import { findingsOf, manifestOf } from './fixture.testing.ts'

const EXPORTS = {
  '.': { types: './dist/index.d.ts', default: './dist/index.js' },
  './side': { types: './dist/side.d.ts', default: './dist/side.js' },
}

const TREE = {
  'packages/gateway/package.json': manifestOf('gateway', { exports: EXPORTS, bin: { run: 'bin/run.js' } }),
  'packages/gateway/bin/run.js': `import '../dist/main.js'`,
  'packages/gateway/src/main.ts': `import { c } from './c.ts'`,
  'packages/gateway/src/index.ts': `export { a } from './a.ts'`,
  'packages/gateway/src/side.ts': '',
  'packages/gateway/src/a.ts': `const w = () => new Worker(new URL('./worker.js', import.meta.url))`,
  'packages/gateway/src/worker.ts': `import type { B } from './b.ts'`,
  'packages/gateway/src/b.ts': '',
  'packages/gateway/src/c.ts': '',
  'packages/gateway/src/a.test.ts': `import { d } from './d.testing.ts'`,
  'packages/gateway/src/d.testing.ts': '',
}

test('what exports, commands, workers and tests reach is alive', () => {
  assert.deepEqual(findingsOf(checkDeadFiles, TREE), [])
})

test('a file that nothing reaches is caught, and one that only a test reaches', () => {
  const files = {
    ...TREE,
    'packages/gateway/src/dead.ts': `import { a } from './a.ts'`,
    'packages/gateway/src/tested.ts': '',
    'packages/gateway/src/a.test.ts': `import { t } from './tested.ts'`,
  }
  assert.deepEqual(findingsOf(checkDeadFiles, files), [
    'packages/gateway/src/d.testing.ts:1 dead-file',
    'packages/gateway/src/dead.ts:1 dead-file',
    'packages/gateway/src/tested.ts:1 dead-file',
  ])
})

test('an entry without a source is caught', () => {
  const { 'packages/gateway/src/side.ts': _, ...files } = TREE
  assert.deepEqual(findingsOf(checkDeadFiles, files), ['packages/gateway/package.json:1 missing-entry'])
})
