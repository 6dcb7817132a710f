/** JSON texts that differ in what readers lose: spellings of numbers, escapes, lone surrogates, order of keys. */
import fc from 'fast-check'

const digits = (maxLength: number) => fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength })

const whole = fc.oneof(
  fc.constantFrom('0', '1', '10', '9007199254740993', '18446744073709551616'),
  fc.tuple(fc.integer({ min: 1, max: 9 }), digits(25)).map(([first, rest]) => `${first}${rest}`),
)

/** A number in any spelling that JSON has, with values near the edges of doubles. */
export const numberTexts: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '-0',
    '0.0',
    '-0.0',
    '1.0',
    '1E5',
    '1e16',
    '1e15',
    '9999999999999998.0',
    '1e-4',
    '1e-5',
    '0.0001',
    '5e-324',
    '2.5E-324',
  ),
  fc.constantFrom(
    '1.7976931348623157e308',
    '1.7976931348623159e308',
    '1e400',
    '-1e400',
    '123456789012345678.0',
    '0.1e1',
    '1e22',
    '1e21',
    '-0e9',
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      whole,
      fc.option(digits(25)),
      fc.option(fc.integer({ min: -330, max: 320 })),
      fc.constantFrom('e', 'E', 'e+'),
    )
    .map(([sign, integer, fraction, exponent, mark]) => {
      const tail = exponent === null ? '' : exponent < 0 ? `e${exponent}` : `${mark}${exponent}`
      return `${sign}${integer}${fraction === null ? '' : `.${fraction}`}${tail}`
    }),
)

const escapes = fc.constantFrom(
  '\\n',
  '\\/',
  '\\"',
  '\\\\',
  '\\b',
  '\\f',
  '\\r',
  '\\t',
  '\\u00e9',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\ude00',
  '\\uFFFF',
  '\\u0000',
)
const letters = fc.constantFrom('a', 'B', ' ', '/', '~', '\u007f', 'é', '€', '\u2028', '\uffff', '\uf8ff', '😀', '𝒳')
const stringTexts = fc.array(fc.oneof(escapes, letters), { maxLength: 6 }).map((parts) => `"${parts.join('')}"`)

const space = fc.constantFrom('', '', ' ', '\n', '\t\r ')

/** A whole JSON text. */
export function jsonTexts(): fc.Arbitrary<string> {
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(numberTexts, stringTexts, fc.constantFrom('null', 'true', 'false', '[]', '{}')),
      fc
        .tuple(fc.array(tie('value'), { maxLength: 4 }), space)
        .map(([items, gap]) => `[${gap}${items.join(`${gap},`)}]`),
      fc
        .tuple(fc.array(fc.tuple(stringTexts, tie('value')), { maxLength: 4 }), space)
        .map(([members, gap]) => `{${members.map(([name, item]) => `${gap}${name}${gap}:${item}`).join(',')}${gap}}`),
    ),
  }))
  return value
}
