import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf } from './fixture.testing.ts'
import { checkPureCore } from './pure-core.ts'

const inVerify = (text: string, path = 'packages/verify/src/log/a.ts') => findingsOf(checkPureCore, { [path]: text })

for (const text of [
  `import { readFileSync } from 'node:fs'`,
  `import { createHash } from 'crypto'`,
  'const now = () => Date.now()',
  'const now = () => new Date()',
  'const now = () => Date()',
  'const dice = () => Math.random()',
  'const home = () => process.env',
  'const all = () => globalThis',
  'const tell = () => console.log(1)',
  'const get = () => fetch(address)',
  'const wait = () => setTimeout(run, 1)',
  'const given = () => ({ process })',
  'const random = () => crypto.getRandomValues(bytes)',
]) {
  test(`caught in the core: ${text}`, () => {
    assert.deepEqual(inVerify(`\n${text}`), ['packages/verify/src/log/a.ts:2 pure-core'])
  })
}

test('names that only look like globals pass', () => {
  const text = `
    const day = (ms: number) => new Date(ms)
    const digest = (crypto: Crypto) => crypto.sha256()
    const { process } = settings; process()
    interface Tool { console: string; fetch(): void }
    const label = { fetch: 1, ['x']: step.process }
    // process, fetch, Date.now()
  `
  assert.deepEqual(inVerify(text), [])
})

test('the Node provider may import Node, and nothing else that is ambient', () => {
  const provider = 'packages/verify/src/crypto/node-provider.ts'
  assert.deepEqual(inVerify(`import { hash } from 'node:crypto'`, provider), [])
  assert.equal(inVerify('const now = () => Date.now()', provider).length, 1)
})

test('tests and other packages are not the core', () => {
  assert.deepEqual(inVerify('process.exit()', 'packages/verify/src/log/a.test.ts'), [])
  assert.deepEqual(inVerify('process.exit()', 'packages/gateway/src/a.ts'), [])
})
