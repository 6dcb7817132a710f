/** Changes to real inputs, as fast-check draws and shrinks them: what is nearly right reaches furthest into a parser. */
import fc from 'fast-check'
import { concat } from './bytes/bytes.ts'
import type { Json } from './bytes/json.ts'
import { pathsIn, valueAt, withValueAt } from './bytes/json-edit.testing.ts'

/** What stands where something else should: every type, and the values at their edges. */
const JUNK: readonly Json[] = [
  ...[null, true, false, 0, -0, 1, -1, 0.5, 1e308, 2 ** 53, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  ...[
    '',
    'x',
    '0',
    '-1',
    '00',
    'AAAA',
    'none',
    '__proto__',
    '\ud800',
    '\u0000',
    '\n',
    '— a AAAAAAAA\n',
    'é'.repeat(300),
  ],
  ...[[], [[]], [null], {}, { '': null }, JSON.parse('{"__proto__":{"x":1}}'), { constructor: 1 }, { length: 9 }],
]

type ByteChange = readonly [kind: 'flip' | 'cut' | 'insert' | 'double', at: number, value: number]

const byteChange: fc.Arbitrary<ByteChange> = fc.tuple(
  fc.constantFrom('flip', 'cut', 'insert', 'double'),
  fc.nat(),
  fc.integer({ min: 1, max: 255 }),
)

function changeBytes(bytes: Uint8Array, [kind, place, value]: ByteChange): Uint8Array {
  const at = place % (bytes.length + 1)
  const [before, after] = [bytes.slice(0, at), bytes.slice(at)]
  switch (kind) {
    case 'flip':
      return concat(
        before,
        after.map((byte, i) => (i === 0 ? byte ^ value : byte)),
      )
    case 'cut':
      return concat(before, after.slice(value))
    case 'insert':
      return concat(before, Uint8Array.of(value), after)
    case 'double':
      return concat(before, before.slice(-value), after)
  }
}

/** A sample with a few bytes changed, taken out, put in, or doubled. */
export function changedBytes(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(byteChange, { minLength: 1, maxLength: 4 }))
    .map(([sample, changes]) => changes.reduce(changeBytes, sample))
}

type JsonChange = readonly [kind: 'delete' | 'double' | 'replace' | 'move' | 'add', place: number, other: number]

const jsonChange: fc.Arbitrary<JsonChange> = fc.tuple(
  fc.constantFrom('delete', 'double', 'replace', 'move', 'add'),
  fc.nat(),
  fc.nat(),
)

function changeJson(value: Json, [kind, place, other]: JsonChange): Json {
  const paths = pathsIn(value)
  const path = paths[place % paths.length] ?? []
  const found = valueAt(value, path)
  const junk = JUNK[other % JUNK.length] ?? null
  switch (kind) {
    case 'delete':
      return path.length === 0 ? value : withValueAt(value, path, undefined)
    case 'double':
      return withValueAt(value, path, Array.isArray(found) ? [...found, ...found] : [found, found])
    case 'replace':
      return withValueAt(value, path, junk)
    case 'move':
      return withValueAt(value, path, valueAt(value, paths[other % paths.length] ?? []))
    case 'add':
      return withValueAt(value, path, addTo(found, junk))
  }
}

function addTo(found: Json, junk: Json): Json {
  if (Array.isArray(found)) return [junk, ...found]
  if (found !== null && typeof found === 'object') return { ...found, surplus: junk }
  return typeof found === 'string' ? `${found}A` : junk
}

/** A sample with a few fields or items deleted, doubled, moved, added, or replaced by values of other types. */
export function changedJson(samples: readonly Json[], maxChanges = 3): fc.Arbitrary<Json> {
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(jsonChange, { minLength: 1, maxLength: maxChanges }))
    .map(([sample, changes]) => changes.reduce(changeJson, sample))
}

/** Any JSON value, prototype keys and edge values included. */
export function anyJson(): fc.Arbitrary<Json> {
  return fc.oneof(fc.jsonValue() as fc.Arbitrary<Json>, fc.constantFrom(...JUNK))
}

/** Any text: plain, beyond ASCII, and with lone surrogates. */
export function anyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\ud800', '\n', '—', ' ', 'A', '=') }),
  )
}
