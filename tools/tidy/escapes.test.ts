import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkEscapes } from './escapes.ts'
import { findingsOf } from './fixture.testing.ts'

const inFile = (text: string, path = 'tools/a.ts') => findingsOf(checkEscapes, { [path]: text })

test('any is caught wherever a type stands', () => {
  assert.deepEqual(inFile('let a: any\nlet b = c as any\ntype D = Map<string, any[]>'), [
    'tools/a.ts:1 any',
    'tools/a.ts:2 any',
    'tools/a.ts:3 any',
  ])
})

test('switched-off checks are caught in comments', () => {
  const text = '// @ts-ignore\na()\n/* @ts-nocheck */\n// @ts-expect-error: says so when it is no longer needed\nb()'
  assert.deepEqual(inFile(text), ['tools/a.ts:1 ts-ignore', 'tools/a.ts:3 ts-ignore'])
})

test('letters outside ASCII are caught in names, and pass in text', () => {
  assert.deepEqual(inFile(`const \u0430ccept = 1`), ['tools/a.ts:1 ascii-names'])
  assert.deepEqual(inFile(`const arrow = '→' // …`), [])
})

test('default exports are caught in every form, except in configuration', () => {
  assert.deepEqual(inFile('export default 1'), ['tools/a.ts:1 default-export'])
  assert.deepEqual(inFile('export default function f() {}'), ['tools/a.ts:1 default-export'])
  assert.deepEqual(inFile('const a = 1\nexport { a as default }'), ['tools/a.ts:2 default-export'])
  assert.deepEqual(inFile('export default {}', 'esbuild.config.js'), [])
})

test('the same words in strings, and default cases, pass', () => {
  const text = `const text = '// @ts-ignore any' + \`@ts-nocheck \${any} x\` + 'export default'
    switch (text) { default: run() }
    import { default as sax } from 'sax'`
  assert.deepEqual(inFile(text), [])
})
