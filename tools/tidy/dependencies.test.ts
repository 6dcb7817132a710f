import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDependencies } from './dependencies.ts'
import { findingsOf, manifestOf } from './fixture.testing.ts'

const MANIFESTS = {
  'package.json': JSON.stringify({ devDependencies: { 'fast-check': '1' } }),
  'packages/verify/package.json': manifestOf('verify', { dependencies: { '@noble/curves': '1', yaml: '1' } }),
}

test('declared, built-in and relative modules pass; tests and tools may use the root tools', () => {
  const files = {
    'packages/verify/src/a.ts': `import '@noble/curves/nist.js'\nimport 'node:fs'\nimport 'yaml'\nimport './b.ts'`,
    'packages/verify/src/a.test.ts': `import 'fast-check'`,
    'bench/a.ts': `import 'fast-check'\nimport '@countersign/verify'`,
  }
  assert.deepEqual(findingsOf(checkDependencies, { ...MANIFESTS, ...files }), [])
})

test('an undeclared module is caught', () => {
  const files = {
    'packages/verify/src/a.ts': `import 'fast-check'\nimport 'hono/cors'`,
    'packages/verify/src/a.test.ts': `import 'vitest'`,
    'tools/a.ts': `import 'yaml'`,
  }
  assert.deepEqual(findingsOf(checkDependencies, { ...MANIFESTS, ...files }), [
    'packages/verify/src/a.ts:1 undeclared-dependency',
    'packages/verify/src/a.ts:2 undeclared-dependency',
    'packages/verify/src/a.test.ts:1 undeclared-dependency',
    'tools/a.ts:1 undeclared-dependency',
  ])
})
