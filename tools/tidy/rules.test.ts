import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { findingsOf, manifestOf } from './fixture.testing.ts'
import { RULES } from './rules.ts'
import { readTree } from './tree.ts'

test('a tree in order gives no finding under any rule', () => {
  const files = {
    'package.json': '{}',
    'README.md': '# Product\n\n[errors](spec/errors.md)',
    'spec/errors.md': '| `a/one` | do this |',
    'packages/verify/package.json': manifestOf('verify'),
    'packages/verify/src/index.ts': `export { parseNote } from './log/note.ts'\nexport * from './errors.ts'`,
    'packages/verify/src/errors.ts': `export const ERROR_CODES = ['a/one'] as const`,
    'packages/verify/src/log/note.ts': `import { fail } from '../bytes/fail.ts'\n/** Reads. */\nexport function parseNote() { fail() }`,
    'packages/verify/src/bytes/fail.ts': `/** Throws. */\nexport function fail() { throw new Error('a/one') }`,
    'packages/verify/src/log/note.test.ts': `import { parseNote } from './note.ts'\ntest('throws', () => parseNote())`,
  }
  for (const rule of RULES) assert.deepEqual(findingsOf(rule, files), [], rule.name)
})

test('the tree is what git tracks or would track, without what is ignored or gone', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'tidy-tree-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'dist'))
  const names = ['.gitignore', 'tracked.ts', 'gone.ts', 'new.ts', 'dist/built.ts', 'image.png', 'é.md']
  for (const name of names) writeFileSync(join(root, name), name === '.gitignore' ? 'dist/' : 'const a = 1')
  writeFileSync(join(root, 'image.png'), Buffer.of(0x89, 0, 1))
  execFileSync('git', ['init', '--quiet'], { cwd: root })
  execFileSync('git', ['add', 'tracked.ts', 'gone.ts'], { cwd: root })
  rmSync(join(root, 'gone.ts'))
  const tree = readTree(root)
  assert.deepEqual(tree.paths, ['.gitignore', 'image.png', 'new.ts', 'tracked.ts', 'é.md'])
  assert.equal(tree.textOf('image.png'), '')
  assert.deepEqual(tree.sources.map(({ path }) => path).sort(), ['new.ts', 'tracked.ts'])
})
