import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf, manifestOf } from './fixture.testing.ts'
import { checkImportTime } from './import-time.ts'

const inFile = (text: string) => findingsOf(checkImportTime, { 'packages/gateway/src/a.ts': text })

for (const text of [
  'start()',
  'new Server()',
  'await ready()',
  'server.port = 1',
  'if (a) start()',
  'for (const a of b) start(a)',
  'try { start() } catch {}',
  'const a = await ready()',
  `import './b.ts'`,
]) {
  test(`caught: ${text}`, () => assert.deepEqual(inFile(`\n${text}`), ['packages/gateway/src/a.ts:2 import-time']))
}

test('declarations pass', () => {
  const text = `'use strict'
    import { b } from './b.ts'
    export * from './c.ts'
    export const TABLE = new Map([[1, b(2)]])
    const start = async () => { await TABLE }
    export class D { async e() { await TABLE } }
    export type F = string
    interface G {}`
  assert.deepEqual(inFile(text), [])
})

test('commands, workers, tests and what is no package may run', () => {
  const files = {
    'packages/cli/package.json': manifestOf('cli', { exports: {}, bin: { countersign: 'bin/countersign.js' } }),
    'packages/cli/bin/countersign.js': `import '../dist/main.js'`,
    'packages/cli/src/main.ts': 'start()',
    'packages/gateway/package.json': manifestOf('gateway'),
    'packages/gateway/src/pool.ts': `const start = () => new Worker(new URL('./commit-worker.js', import.meta.url))`,
    'packages/gateway/src/commit-worker.ts': 'start()',
    'packages/gateway/src/a.test.ts': 'start()',
    'tools/a.ts': 'start()',
  }
  assert.deepEqual(findingsOf(checkImportTime, files), [])
})
