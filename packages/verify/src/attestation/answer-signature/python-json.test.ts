import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../../bytes/bytes.ts'
import { FILE_LIMITS } from '../../bytes/json.ts'
import { CountersignError } from '../../errors.ts'
import { checkProperty, SEED } from '../../fuzzing.testing.ts'
import { jsonTexts, numberTexts } from './json-texts.testing.ts'
import { parseJsonTree } from './json-tree.ts'
import { pythonFloat, pythonJson } from './python-json.ts'

const dumps = (text: string) => pythonJson(parseJsonTree(utf8(text), FILE_LIMITS))

test('what Python writes, for what others write otherwise', () => {
  for (const [text, expected] of [
    ['{"b":1.0,"a":[1,2]}', '{"a": [1, 2], "b": 1.0}'],
    ['1E5', '100000.0'],
    ['-0', '0'],
    ['-0.0', '-0.0'],
    ['1e16', '1e+16'],
    ['1e15', '1000000000000000.0'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['12345678901234567890123', '12345678901234567890123'],
    ['"é\u007f/\\u2028😀\\ud800"', '"\\u00e9\\u007f/\\u2028\\ud83d\\ude00\\ud800"'],
    ['{"\uff5e":1,"😀":2,"\\udc00":3}', '{"\\udc00": 3, "\\uff5e": 1, "\\ud83d\\ude00": 2}'],
    ['{"aa":1,"a":2,"":3}', '{"": 3, "a": 2, "aa": 1}'],
    [' [ ] ', '[]'],
    ['{ }', '{}'],
    ['[null,true,false]', '[null, true, false]'],
  ] as const) {
    assert.equal(dumps(text), expected)
  }
  assert.equal(pythonFloat('1'), '1.0')
})

test('keys go by code points, halves of pairs too, and long ones cost no more than their length', (t) => {
  const points = (text: string) =>
    Array.from(text, (each) => (each.codePointAt(0) ?? 0).toString(16).padStart(6, '0')).join()
  const unit = fc.constantFrom('a', 'b', '\ud83d', '\ud83e', '\ude00', '\ude01', '\uff5e')
  const key = fc.array(unit, { maxLength: 4 }).map((units) => units.join(''))
  checkProperty(t, [fc.uniqueArray(key, { maxLength: 6 })], 500, (keys) => {
    const tree = new Map(keys.map((each) => [each, null] as const))
    const sorted = [...keys].sort((a, b) => (points(a) < points(b) ? -1 : 1))
    assert.equal(pythonJson(tree), `{${sorted.map((each) => `${pythonJson(each)}: null`).join(', ')}}`)
  })
  const long = new Map(Array.from({ length: 200 }, (_, i) => ['a'.repeat(50_000) + i, null] as const))
  const start = performance.now()
  pythonJson(long)
  assert.ok(performance.now() - start < 2000)
})

test('numbers that Python refuses or takes for infinite are refused', () => {
  assert.throws(() => dumps('1e400'), { code: 'evidence/unsupported' })
  assert.throws(() => dumps('9'.repeat(4301)), { code: 'evidence/unsupported' })
  assert.equal(dumps(`-${'9'.repeat(4300)}`), `-${'9'.repeat(4300)}`)
  assert.throws(() => dumps('NaN'), { code: 'json/malformed' })
})

/** Reads one JSON text per line, itself as a JSON string; answers each with a line. */
const PROGRAM = `
import json, sys
for line in sys.stdin:
    try:
        sys.stdout.write(json.dumps(json.loads(json.loads(line)), sort_keys=True) + "\\n")
    except Exception as error:
        sys.stdout.write("!" + type(error).__name__ + "\\n")
`

test('Python itself writes the same, for thousands of texts', (t) => {
  const sample = { seed: SEED, numRuns: 3000 }
  const texts = [...fc.sample(jsonTexts(), sample), ...fc.sample(numberTexts, sample), '9'.repeat(4301)]
  const input = texts.map((text) => `${JSON.stringify(text)}\n`).join('')
  const python = spawnSync('python3', ['-c', PROGRAM], { input, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (python.error !== undefined) {
    t.skip('python3 is not on this machine')
    return
  }
  const lines = python.stdout.split('\n')
  let same = 0
  for (const [i, text] of texts.entries()) {
    const line = lines[i] ?? ''
    try {
      assert.equal(dumps(text), line, text)
      same++
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      // Python keeps the last of two equal keys, writes infinities, and has a limit on digits: these are not reproduced.
      const isRefusal = thrown.code === 'json/duplicate-key' || /Infinity/.test(line) || line.startsWith('!')
      assert.ok(isRefusal, `${text}: ${thrown.message}; Python wrote ${line}`)
    }
  }
  assert.ok(same > 5000, `${same}`)
})
