import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import * as browser from './browser.ts'
import * as node from './index.ts'

/** Fails the build on a module of Node's, whoever imports it. */
const noNode: Plugin = {
  name: 'no-node',
  setup({ onResolve }) {
    onResolve({ filter: /^node:/ }, ({ path, importer }) => ({ errors: [{ text: `${importer} imports ${path}` }] }))
  },
}

async function bundle(face: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL(face, import.meta.url))],
    ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, logLevel: 'silent' },
    plugins: [noNode],
  })
}

test('what browsers get needs nothing of Node', () => bundle('./browser.js'))

test('control: the face for Node does not bundle', () => assert.rejects(bundle('./index.js'), /imports node:crypto/))

test('both faces have the same names, but for the platform of Node', () => {
  const { createNodePlatform, ...rest } = node
  assert.equal(typeof createNodePlatform, 'function')
  assert.deepEqual(Object.keys(browser).sort(), Object.keys(rest).sort())
})
