import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFolderDirection, checkPackageDirection } from './direction.ts'
import { findingsOf, manifestOf } from './fixture.testing.ts'

const PACKAGES = Object.fromEntries(
  ['verify', 'engines', 'watch', 'gateway', 'client', 'web', 'cli'].map((name) => [
    `packages/${name}/package.json`,
    manifestOf(name),
  ]),
)

const inPackage = (folder: string, text: string) =>
  findingsOf(checkPackageDirection, { ...PACKAGES, [`packages/${folder}/src/a.ts`]: text })

test('packages may import along the drawing', () => {
  assert.deepEqual(inPackage('engines', `import { a } from '@countersign/verify'`), [])
  assert.deepEqual(inPackage('watch', `import { a } from '@countersign/engines'`), [])
  assert.deepEqual(inPackage('cli', `import { a } from '@countersign/gateway'\nimport b from 'hono'`), [])
})

test('imports against the drawing are caught, in every form', () => {
  const caught = ['packages/verify/src/a.ts:1 package-direction']
  assert.deepEqual(inPackage('verify', `import { a } from '@countersign/engines'`), caught)
  assert.deepEqual(inPackage('verify', `import type { A } from '@countersign/engines'`), caught)
  assert.deepEqual(inPackage('verify', `export { a } from '@countersign/engines'`), caught)
  assert.deepEqual(inPackage('verify', `const a = () => import('@countersign/engines')`), caught)
  assert.deepEqual(inPackage('verify', `type A = import('@countersign/engines').A`), caught)
  assert.deepEqual(inPackage('engines', `import { a } from '@countersign/gateway'`).length, 1)
  assert.deepEqual(inPackage('gateway', `import { a } from '@countersign/watch'`).length, 1)
  assert.deepEqual(inPackage('client', `import { a } from '@countersign/engines'`).length, 1)
})

test('relative and deep imports of another package are caught', () => {
  assert.equal(inPackage('gateway', `import { a } from '../../verify/src/log/merkle.ts'`).length, 1)
  assert.equal(inPackage('gateway', `import { a } from '@countersign/verify/dist/log/merkle.js'`).length, 1)
})

test('a package that the drawing lacks is caught', () => {
  const files = { ...PACKAGES, 'packages/novel/src/a.ts': `import { a } from '@countersign/verify'` }
  const manifest = { 'packages/novel/package.json': manifestOf('novel') }
  assert.equal(findingsOf(checkPackageDirection, { ...files, ...manifest }).length, 1)
})

const TARGETS = Object.fromEntries(
  [
    'bytes',
    'crypto',
    'statement',
    'log',
    'trust',
    'execution',
    'independence',
    'dossier',
    'misbehaviour',
    'verdict',
  ].map((folder) => [`packages/verify/src/${folder}/b.ts`, 'export const b = 1']),
)

const inFolder = (path: string, text: string) =>
  findingsOf(checkFolderDirection, {
    ...TARGETS,
    'packages/verify/src/errors.ts': '',
    [`packages/verify/src/${path}`]: text,
  })

test('folders of verify may import downwards, and tests anything', () => {
  assert.deepEqual(inFolder('log/a.ts', `import { b } from '../statement/b.ts'\nimport { c } from './b.ts'`), [])
  assert.deepEqual(inFolder('crypto/a.ts', `import { b } from '../bytes/b.ts'\nimport '../errors.ts'`), [])
  assert.deepEqual(inFolder('verdict/a.ts', `import { b } from '../dossier/b.ts'`), [])
  assert.deepEqual(inFolder('index.ts', `export { b } from './verdict/b.ts'`), [])
  assert.deepEqual(inFolder('bytes/a.test.ts', `import { b } from '../verdict/b.ts'`), [])
})

test('folders of verify that import upwards or sideways are caught', () => {
  const caught = (path: string, target: string) =>
    assert.deepEqual(inFolder(path, `\nimport { b } from '${target}'`), [
      `packages/verify/src/${path}:2 folder-direction`,
    ])
  caught('bytes/a.ts', '../crypto/b.ts')
  caught('statement/a.ts', '../log/b.ts')
  caught('statement/deeper/a.ts', '../../log/b.ts')
  caught('independence/a.ts', '../execution/b.ts')
  caught('misbehaviour/a.ts', '../dossier/b.ts')
  caught('dossier/a.ts', '../verdict/b.ts')
  caught('errors.ts', './bytes/b.ts')
})

test('a folder or a root file that the drawing lacks is caught', () => {
  assert.deepEqual(inFolder('novelty/a.ts', ''), ['packages/verify/src/novelty/a.ts:1 folder-direction'])
  assert.deepEqual(inFolder('stray.ts', ''), ['packages/verify/src/stray.ts:1 folder-direction'])
})
