import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf } from './fixture.testing.ts'
import { checkLinks } from './links.ts'

const TREE = {
  'README.md':
    '# One\n\n[spec](spec/log.md#the-log-0-leaf_hash) [docs](docs/) [self](#one) ![x](docs/x.svg)\n[top][t]\n\n[t]: docs/deep/a.md',
  'spec/log.md':
    '## The *log*: `0`, leaf_hash!\n\n[up](../README.md#one) [root](/docs/README.md) <a href="../README.md">x</a>',
  'docs/README.md':
    '# Docs\n# Docs\n\n[again](#docs-1) [site](https://example.org/none#x) [mail](mailto:a@example.org)',
  'docs/deep/a.md': '<a id="here"></a>\n\n[here](#here)',
  'docs/x.svg': '',
}

const withPage = (text: string) => findingsOf(checkLinks, { ...TREE, 'NEW.md': text })

test('links that lead somewhere pass', () => {
  assert.deepEqual(findingsOf(checkLinks, TREE), [])
})

for (const text of [
  '[a](docs/none.md)',
  '[a](../README.md)',
  '![a](none.png)',
  '[![a](docs/x.svg)](none.md)',
  '[a]: none.md',
  '<img src="none.png">',
  '[a](README.md#two)',
  '[a](#nowhere)',
  '[a](docs/#nowhere)',
  '[a](docs/none.md "title")',
]) {
  test(`caught: ${text}`, () => assert.deepEqual(withPage(`# New\n\n${text}`), ['NEW.md:3 dead-link']))
}

test('links in code are shown, not made', () => {
  assert.deepEqual(
    withPage('`[a](none.md)`\n\n```md\n[a](none.md)\n# not a heading\n```\n\n~~~\n[a](none.md)\n~~~'),
    [],
  )
  assert.deepEqual(withPage('```\n# Inside\n```\n[a](#inside)'), ['NEW.md:4 dead-link'])
})

test('a page of spec or docs that no other page links is caught', () => {
  const files = { ...TREE, 'docs/lost.md': '# Lost\n\n[me](lost.md) [me](#lost)', 'examples/README.md': '' }
  assert.deepEqual(findingsOf(checkLinks, files), ['docs/lost.md:1 lost-page'])
})
