import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from './bytes.ts'
import { flawOfYaml, parseYaml } from './yaml.ts'

test('YAML has no duplicate keys, aliases, anchors, tags, merges or second documents', () => {
  for (const text of [
    'a: 1\na: 2\n',
    'a: 1\n"a": 2\n',
    'a: 1\n"\\x61": 2\n',
    '{a: 1, a: 2}',
    '1: a\n"1": b\n',
    'a: &x 1\nb: *x\n',
    'a: &x [1]\n',
    'a: !!binary aGk=\n',
    'a: !local b\n',
    '%YAML 1.1\n---\na: yes\n',
    '--- 1\n--- 2\n',
    '? [a]\n: b\n',
    'a: [1\n',
    'a: b: c\n',
    '\ta: 1\n',
    '}'.repeat(1000),
    '{'.repeat(100_000),
    '- '.repeat(1000),
  ]) {
    assert.throws(() => parseYaml(utf8(text)), { code: 'yaml/malformed' }, text.slice(0, 20))
  }
  assert.throws(() => parseYaml(utf8(' '.repeat(1024 * 1024 + 1))), { code: 'bytes/too-large' })
})

test('a billion laughs are not even begun', () => {
  const lines = Array.from({ length: 9 }, (_, i) => `x${i + 1}: &x${i + 1} [${`*x${i}, `.repeat(9)}]`)
  const text = `x0: &x0 ha\n${lines.join('\n')}\n`
  const start = performance.now()
  assert.throws(() => parseYaml(utf8(text)), { code: 'yaml/malformed' })
  assert.ok(performance.now() - start < 500)
})

test('YAML that we write ourselves is read: texts with marks in them, block texts, comments', () => {
  const text = '# comment\na: "!x &y *z"\nb: |\n  !x &y\n  *z [[[\nc: [1, {d: null}] # more\n"e f": -1.5\n'
  const value = { a: '!x &y *z', b: '!x &y\n*z [[[\n', c: [1, { d: null }], 'e f': -1.5 }
  assert.deepEqual(parseYaml(utf8(text)), value)
  assert.throws(() => parseYaml(utf8('a: 1\nb: [\nc: 2\n')), { message: /at line [234]/ })
})

test('what makes a text no plain YAML is found at its line, whatever stands before it', () => {
  for (const [text, line] of [
    ['a: 1\nb: &x 1\n', 2],
    ['a: |\n  !x\n  *y\nb: !t 1\n', 4],
    ['# é\r\n\r\n- "x\n  y": 1\n- *z\n', 5],
    ['--- # one\na: 1\n...\n%TAG ! x\n', 4],
    [`a:\n  - ${'['.repeat(33)}`, 2],
    [`\n\n${'- '.repeat(33)}`, 3],
    ['a: "b\n\n  c"\nd: }\n', 4],
  ] as const) {
    assert.equal(flawOfYaml(text)?.line, line, JSON.stringify(text))
  }
  assert.equal(flawOfYaml('a: [1, {b: c}]\n'), undefined)
  assert.throws(() => parseYaml(utf8('a: 1\nb: &x 1\n')), { message: /at line 2$/ })
})
