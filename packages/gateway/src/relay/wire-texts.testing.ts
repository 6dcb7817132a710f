/** Requests and streams as clients and upstreams may spell them: nobody's serialiser would write most of these. */
import fc from 'fast-check'

const SPACE = fc.constantFrom('', '', '', ' ', '\n', '\t', ' \r\n  ')

/** Numbers that a double would change, among others. */
const NUMBER = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map(String),
  fc.constantFrom(
    '0',
    '-0',
    '1.0',
    '0.10',
    '1e3',
    '1E+2',
    '-2.5e-7',
    '9007199254740993',
    '1e400',
    '3.141592653589793238',
  ),
)

const SHORT_ESCAPES: { readonly [char: string]: string } = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\n': '\\n',
  '\t': '\\t',
}

/** A text in JSON, each unit spelled as itself or escaped. */
const TEXT: fc.Arbitrary<string> = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        fc.constantFrom('ü', '日', '🙂', '"', '\\', '/', '\n', '\u2028'),
      ),
      fc.nat({ max: 2 }),
    ),
    { maxLength: 12 },
  )
  .map((units) => `"${units.map(([unit, how]) => spelled(unit, how)).join('')}"`)

function spelled(unit: string, how: number): string {
  const short = SHORT_ESCAPES[unit]
  const mustEscape = unit < ' ' || unit === '"' || unit === '\\' || /\p{Surrogate}/u.test(unit)
  if (how === 0 && !mustEscape) return unit
  if (how === 1 && short !== undefined) return short
  return Array.from({ length: unit.length }, (_, i) => {
    const hex = unit.charCodeAt(i).toString(16).padStart(4, '0')
    return `\\u${how === 2 ? hex.toUpperCase() : hex}`
  }).join('')
}

/** Any value as JSON text. Inside an object a name may stand twice: that is the upstream's business. */
const { value: VALUE } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false'),
    NUMBER,
    TEXT,
    fc
      .array(fc.tuple(SPACE, tie('value'), SPACE), { maxLength: 3 })
      .map((items) => `[${items.map((each) => each.join('')).join()}]`),
    fc
      .array(fc.tuple(SPACE, TEXT, SPACE, SPACE, tie('value'), SPACE), { maxLength: 3 })
      .map((items) => `{${items.map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`).join()}}`),
  ),
}))

/**
 * The text of an object with these members, and others that nobody knows, in any order and spelling.
 *
 * @param known Names, each with its value as JSON text.
 */
export function objectText(known: { readonly [name: string]: string }): fc.Arbitrary<string> {
  const others = fc.uniqueArray(
    fc.tuple(
      TEXT.map((text) => `"x${text.slice(1)}`),
      VALUE,
    ),
    {
      maxLength: 6,
      selector: ([name]) => JSON.parse(name) as string,
    },
  )
  const names = Object.keys(known).map((name) => fc.tuple(escapedName(name), fc.constant(known[name] as string)))
  return fc
    .tuple(others, ...names)
    .chain(([rest, ...members]) =>
      fc.shuffledSubarray([...rest, ...members], { minLength: rest.length + members.length }),
    )
    .chain((members) =>
      fc.tuple(
        ...members.map(([name, value]) => fc.tuple(SPACE, fc.constant(name), SPACE, SPACE, fc.constant(value), SPACE)),
      ),
    )
    .chain((members) => {
      const inner = members.map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`).join()
      return fc.tuple(SPACE, SPACE).map(([before, after]) => `${before}{${inner}}${after}`)
    })
}

/** A name of which some letters are escaped. */
function escapedName(name: string): fc.Arbitrary<string> {
  return fc
    .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
    .map((flags) => `"${[...name].map((char, i) => (flags[i] && i % 3 === 0 ? spelled(char, 2) : char)).join('')}"`)
}

const LINE_END = fc.constantFrom('\n', '\r\n', '\r')
/** No line end, no name of ours, and nothing that a client takes for an error. */
const LINE = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, ' ')),
  fc.constantFrom('{"choices":[{"delta":{"content":"ü"},"index":0}]}', '{"choices":[]}', '[]', ''),
  fc.integer({ min: 1, max: 40_000 }).map((length) => 'x'.repeat(length)),
)
const FIELD = fc.constantFrom('data: ', 'data:', ': ', ':', 'id: ', 'event: chunk', 'retry: ', 'nonsense')

const FRAME = fc
  .tuple(fc.array(fc.tuple(FIELD, LINE), { maxLength: 3 }), LINE_END)
  .map(([lines, end]) => [...lines.map((line) => line.join('') + end), end].join(''))

/** A stream of server-sent events, whose terminal frame begins at `terminalAt`. */
export interface StreamText {
  readonly bytes: Buffer
  readonly terminalAt: number
}

/** What ends the terminal frame: its blank line, or less of it at the very end. */
const TERMINAL_END = fc.constantFrom('\n\n', '\r\n\r\n', '\r\r', '\n', '')

/** A gateway may leave out what comes behind this much, by how reads fall. */
const MAX_BEHIND_BYTES = 60 * 1024

export const streamText: fc.Arbitrary<StreamText> = fc
  .tuple(
    fc.constantFrom('', '\ufeff'),
    fc.array(FRAME, { maxLength: 8 }),
    TERMINAL_END,
    fc.array(FRAME, { maxLength: 2 }).filter((behind) => Buffer.byteLength(behind.join('')) <= MAX_BEHIND_BYTES),
  )
  .map(([mark, frames, end, behind]) => {
    const before = Buffer.from(mark + frames.join(''))
    const rest = end.length < 2 ? '' : behind.join('')
    return { bytes: Buffer.concat([before, Buffer.from(`data: [DONE]${end}${rest}`)]), terminalAt: before.length }
  })
