import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseUtf8, utf8 } from './bytes/bytes.ts'
import type { Json } from './bytes/json.ts'
import { CountersignError } from './errors.ts'
import { jsonBytes } from './fixture.testing.ts'
import { checkProperty, expectTyped } from './fuzzing.testing.ts'
import { anyJson, anyText, changedBytes, changedJson } from './mutation.testing.ts'
import { allParsers, type Parser } from './parsers.testing.ts'

const RUNS = 400

/** Draws inputs for a parser and runs it on each. */
function fuzz(context: Parameters<typeof checkProperty>[0], parser: Parser, runs = RUNS): void {
  switch (parser.takes) {
    case 'bytes': {
      const values = parser.isJson ? changedValues(parser.samples) : []
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        anyText().map(utf8),
        changedBytes(parser.samples),
        ...values,
      )
      checkProperty(context, [bytes], runs, (input) => {
        expectTyped(() => parser.parse(input))
      })
      return
    }
    case 'text': {
      const samples = parser.samples.map(utf8)
      // A changed text may end inside a character: it is read as the platform reads it.
      const changed = changedBytes(samples).map((bytes) => new TextDecoder().decode(bytes))
      checkProperty(context, [fc.oneof(anyText(), changed)], runs, (input) => {
        expectTyped(() => parser.parse(input))
      })
      return
    }
    case 'json':
      checkProperty(context, [fc.oneof(anyJson(), changedJson(parser.samples))], runs, (input) => {
        expectTyped(() => parser.parse(input))
      })
  }
}

function changedValues(samples: readonly Uint8Array[]): readonly fc.Arbitrary<Uint8Array>[] {
  const values = samples.map((sample) => JSON.parse(parseUtf8(sample)) as Json)
  return [anyJson().map(jsonBytes), changedJson(values).map(jsonBytes), changedJson(values, 1).map(jsonBytes)]
}

for (const parser of allParsers()) {
  test(`${parser.name} accepts its samples`, () => {
    for (const sample of parser.samples) {
      // Some samples are there for their syntax alone, and refused.
      if (parser.name === 'parseYaml') expectTyped(() => parser.parse(sample as never))
      else assert.notEqual(parser.parse(sample as never), undefined)
    }
  })

  test(`${parser.name}: any input gives a value or an error of ours`, (t) => fuzz(t, parser))
}

/** Texts that make a careless parser recurse, backtrack or compare everything with everything. */
function hardTexts(length: number): readonly string[] {
  const units = [
    '[',
    '{',
    '{"a":',
    '[[],',
    '"',
    '\\',
    '"\\',
    '- ',
    '? ',
    ': ',
    'a: ',
    '\n',
    '\n\n',
    ' ',
    '=',
    'A',
    '+',
    '/',
    'x001/',
  ]
  const more = [
    '— a AAAAAAAA\n',
    '#\n',
    '&a ',
    '*a ',
    '!!a ',
    'é',
    '\ud800',
    '0',
    '9',
    ',',
    'log ',
    'a:\n',
    '}',
    ']',
    'group g any ',
    "'",
  ]
  return [...units, ...more].flatMap((unit) => {
    const text = unit.repeat(length / unit.length)
    return [text, `{"a":"${text}`, `tile/0/${text}`, `a+00000000+${text}`, `a: [${text}`]
  })
}

test('texts made to be hard are read or refused in time, by every parser', (t) => {
  const texts = hardTexts(8_000)
  t.diagnostic(`${texts.length} texts`)
  for (const parser of allParsers()) {
    for (const text of texts) {
      const parse = () => {
        if (parser.takes === 'bytes') return parser.parse(utf8(text))
        return parser.takes === 'text' ? parser.parse(text) : parser.parse([text])
      }
      assert.doesNotThrow(() => expectTyped(parse), `${parser.name}, ${JSON.stringify(text.slice(0, 20))}`)
    }
  }
})

test('YAML of many keys is read or refused in time', () => {
  const parser = allParsers().find(({ name }) => name === 'parseYaml')
  assert.ok(parser?.takes === 'bytes')
  for (const count of [10_000, 50_000]) {
    const keys = Array.from({ length: count }, (_, i) => `k${i}: 1`)
    expectTyped(() => parser.parse(utf8(keys.join('\n'))))
    expectTyped(() => parser.parse(utf8(`{${keys.join(', ')}}`)))
  }
})

test('control: the harness catches parsers that throw what is not ours, or hang', (t) => {
  const planted: readonly Parser[] = [
    { name: 'a TypeError', takes: 'json', samples: [{ a: 'b' }], parse: (value) => (value as { a: string }).a.length },
    {
      name: 'a RangeError',
      takes: 'bytes',
      samples: [Uint8Array.of(1)],
      parse: (input) => new Uint8Array((input[0] ?? 0) - 9),
    },
    { name: 'a SyntaxError', takes: 'text', samples: ['{}'], parse: (input) => JSON.parse(input) },
    {
      name: 'a text',
      takes: 'text',
      samples: ['abc'],
      parse: (input) => {
        if (!input.startsWith('abc')) throw 'refused'
      },
    },
  ]
  for (const parser of planted) assert.throws(() => fuzz(t, parser), /Property failed/, parser.name)
  const slow = () => {
    const end = performance.now() + 30
    while (performance.now() < end);
  }
  assert.throws(() => expectTyped(slow, 20), /it took/)
  const refuses = () => {
    throw new CountersignError('json/malformed', 'refused')
  }
  assert.equal(expectTyped(refuses), undefined)
})
