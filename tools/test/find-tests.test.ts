import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { findTests } from './find-tests.ts'

test('finds compiled and uncompiled tests, passes by stale ones, names unbuilt ones', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'find-tests-'))
  t.after(() => rmSync(root, { recursive: true }))
  const paths = [
    ...['packages/a/src/log/merkle.test.ts', 'packages/a/dist/log/merkle.test.js'],
    ...['packages/a/src/late.test.ts', 'packages/a/dist/stale.test.js', 'packages/a/src/log/merkle.ts'],
    ...['tools/deep/tool.test.ts', 'tools/node_modules/x/x.test.ts', 'bench/bench.test.ts', 'docs/page.test.ts'],
  ]
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), '')
  }
  assert.deepEqual(findTests(root, []), {
    files: ['packages/a/dist/log/merkle.test.js', 'tools/deep/tool.test.ts', 'bench/bench.test.ts'],
    unbuilt: ['packages/a/dist/late.test.js'],
  })
  assert.deepEqual(findTests(root, ['merkle', 'bench/']), {
    files: ['packages/a/dist/log/merkle.test.js', 'bench/bench.test.ts'],
    unbuilt: [],
  })
  assert.deepEqual(findTests(root, ['nothing']), { files: [], unbuilt: [] })
})
