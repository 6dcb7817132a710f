/**
 * What Python's `json.dumps(json.loads(text), sort_keys=True)` gives, byte for byte: some providers sign a hash of that.
 *
 * Separators are `, ` and `: `, everything beyond ASCII is escaped, keys go by code points. Whole numbers stay as they are, others
 * are written as Python's `repr` of the nearest double.
 */
import { CountersignError } from '../../errors.ts'
import { isJsonList, isJsonNumber, isJsonObject, type JsonTree } from './json-tree.ts'

/** Python reads no longer whole number, unless told to. */
const MAX_INTEGER_DIGITS = 4300

/** Exponents from which on, and up to which, Python writes doubles without one. */
const MIN_PLAIN_EXPONENT = -4
const MAX_PLAIN_EXPONENT = 15

/**
 * The text that Python writes.
 *
 * @throws {CountersignError} `evidence/unsupported` for a number that Python refuses or takes for infinite
 */
export function pythonJson(value: JsonTree): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return pythonString(value)
  if (isJsonNumber(value)) return pythonNumber(value.lexeme)
  if (isJsonList(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (!isJsonObject(value)) throw new Error('no such value')
  const members = [...value].sort(([a], [b]) => compareCodePoints(a, b))
  return `{${members.map(([name, item]) => `${pythonString(name)}: ${pythonJson(item)}`).join(', ')}}`
}

/**
 * Python's `repr(float(lexeme))`.
 *
 * @throws {CountersignError} `evidence/unsupported`
 */
export function pythonFloat(lexeme: string): string {
  const value = Number(lexeme)
  if (!Number.isFinite(value)) {
    throw new CountersignError('evidence/unsupported', 'the text has a number that Python takes for infinite')
  }
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const [coefficient = '', power = ''] = Math.abs(value).toExponential().split('e')
  const digits = coefficient.replace('.', '')
  const exponent = Number(power)
  if (exponent < MIN_PLAIN_EXPONENT || exponent > MAX_PLAIN_EXPONENT) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${coefficient}e${exponent < 0 ? '-' : '+'}${size}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

function pythonNumber(lexeme: string): string {
  if (/[.eE]/.test(lexeme)) return pythonFloat(lexeme)
  if (lexeme === '-0') return '0'
  if (lexeme.replace('-', '').length <= MAX_INTEGER_DIGITS) return lexeme
  throw new CountersignError('evidence/unsupported', `the text has a number of more than ${MAX_INTEGER_DIGITS} digits`)
}

const SHORT_ESCAPES: { readonly [character: string]: string } = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
}

function pythonString(text: string): string {
  const escaped = text.replace(
    /["\\]|[^ -~]/g,
    (unit) => SHORT_ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `"${escaped}"`
}

/** JavaScript compares UTF-16 units, which is another order beyond U+FFFF. Halves of a pair that stand alone are code points of their own. */
function compareCodePoints(a: string, b: string): number {
  let at = 0
  while (at < a.length && at < b.length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  if (at === a.length || at === b.length) return a.length - b.length
  // What differs may be the second half of a pair.
  if (at > 0 && isFirstHalf(a.charCodeAt(at - 1))) at--
  return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0) || a.charCodeAt(at + 1) - b.charCodeAt(at + 1)
}

function isFirstHalf(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}
