import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf } from './fixture.testing.ts'
import { checkIdleTests, checkMarks } from './leftovers.ts'

test('marks for later are caught in comments and pages, and pass in strings and within words', () => {
  const files = {
    'tools/a.ts': `// TODO: more\nconst a = 'TODO'\n/* FIXME */\nconst XXXL = 1`,
    'docs/a.md': '# A\n\nXXX',
    'vectors/a.json': '"TODO"',
  }
  assert.deepEqual(findingsOf(checkMarks, files), [
    'tools/a.ts:1 left-for-later',
    'tools/a.ts:3 left-for-later',
    'docs/a.md:3 left-for-later',
  ])
})

const inTest = (text: string) => findingsOf(checkIdleTests, { 'tools/a.test.ts': text })

for (const text of [
  `test.only('a', run)`,
  `describe.only('a', run)`,
  `it.todo('a')`,
  `test.skip('a', run)`,
  `test('a', { only: true }, run)`,
  `test('a', { todo: 'later' }, run)`,
]) {
  test(`caught: ${text}`, () => assert.deepEqual(inTest(`\n${text}`), ['tools/a.test.ts:2 idle-test']))
}

test('tests that decide while they run pass', () => {
  assert.deepEqual(inTest(`test('a', (t) => t.skip('no data'))\ntest('b', { skip: !available }, run)\nlist.only()`), [])
})
