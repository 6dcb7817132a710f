/**
 * Reads values of known shape out of parsed JSON or YAML. Fields that a format does not name are refused: a field that
 * one program acts on and another skips is how two verdicts come to differ.
 */
import { CountersignError, quote } from '../errors.ts'
import { parseBase64 } from './base64.ts'
import { parseHex } from './bytes.ts'
import type { Json } from './json.ts'

/** Where a value stands in its file, as in `predicate.attempts[2].upstream`; named in each error. */
export type Path = string

export interface TextLimits {
  readonly maxLength?: number
  readonly pattern?: RegExp
  /** Whether line feeds may stand in it. */
  readonly isMultiline?: boolean
  readonly mayBeEmpty?: boolean
}

/**
 * Characters that a terminal or a page shows as something else or as nothing: control and format characters, halves of
 * characters, private ones, blanks other than the space.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|(?! )\p{Zs}/u
const PLAIN = /^[\u0020-\u007e]*$/

/** Longest text of a field unless it says otherwise, in UTF-16 units. */
const DEFAULT_MAX_TEXT_LENGTH = 1024

/**
 * A shape error; its `path` lets a caller point at the line. The code is one of `shape/*`.
 */
export class ShapeError extends CountersignError {
  readonly path: Path
  constructor(
    code: 'shape/wrong-type' | 'shape/missing-field' | 'shape/unknown-field' | 'shape/bad-value',
    path: Path,
    why: string,
  ) {
    super(code, `${path}: ${why}`)
    this.path = path
  }
}

/** The fields of one object, each taken once; `end` refuses what is left. */
export class Fields {
  readonly path: Path
  readonly #object: { readonly [key: string]: Json }
  readonly #taken = new Set<string>()

  constructor(value: Json | undefined, path: Path) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new ShapeError('shape/wrong-type', path, 'expected an object')
    }
    this.#object = value as { readonly [key: string]: Json }
    this.path = path
  }

  /** Path of one of the fields. */
  at(name: string): Path {
    return `${this.path}.${name}`
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name)
  }

  /** Takes a field that may be anything, or be missing. */
  any(name: string): Json | undefined {
    this.#taken.add(name)
    return this.has(name) ? this.#object[name] : undefined
  }

  required(name: string): Json {
    const value = this.any(name)
    if (value === undefined) throw new ShapeError('shape/missing-field', this.at(name), 'this field is required')
    return value
  }

  text(name: string, limits?: TextLimits): string {
    return readText(this.required(name), this.at(name), limits)
  }

  /** Bytes in strict base64, of at most `maxLength` characters; may be empty. @throws {CountersignError} `bytes/bad-base64` */
  base64(name: string, maxLength: number): Uint8Array {
    const value = this.required(name)
    if (typeof value !== 'string') throw new ShapeError('shape/wrong-type', this.at(name), 'expected base64')
    if (value.length > maxLength) {
      throw new ShapeError('shape/bad-value', this.at(name), `expected at most ${maxLength} characters`)
    }
    return parseBase64(value)
  }

  /** A text that must be `expected`. */
  literal<T extends string | boolean>(name: string, expected: T): T {
    const value = this.required(name)
    if (value !== expected)
      throw new ShapeError('shape/bad-value', this.at(name), `expected ${JSON.stringify(expected)}`)
    return expected
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.required(name)
    const choice = choices.find((each) => each === value)
    if (choice === undefined)
      throw new ShapeError('shape/bad-value', this.at(name), `expected one of ${choices.join(', ')}`)
    return choice
  }

  /** A safe integer from `minimum` (0 unless said) to `maximum`. */
  integer(name: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): number {
    const value = this.required(name)
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw new ShapeError('shape/wrong-type', this.at(name), 'expected an integer')
    }
    if (value < minimum || value > maximum) {
      throw new ShapeError('shape/bad-value', this.at(name), `expected ${minimum} to ${maximum}`)
    }
    return value
  }

  boolean(name: string): boolean {
    const value = this.required(name)
    if (typeof value !== 'boolean') throw new ShapeError('shape/wrong-type', this.at(name), 'expected true or false')
    return value
  }

  /** Lower-case hexadecimal of `byteLength` bytes, kept as text. */
  hex(name: string, byteLength: number): string {
    return readHex(this.required(name), this.at(name), byteLength)
  }

  object(name: string): Fields {
    return new Fields(this.required(name), this.at(name))
  }

  list<T>(name: string, maxItems: number, readItem: (item: Json, path: Path) => T): readonly T[] {
    const value = this.required(name)
    const path = this.at(name)
    if (!Array.isArray(value)) throw new ShapeError('shape/wrong-type', path, 'expected a list')
    if (value.length > maxItems) throw new ShapeError('shape/bad-value', path, `expected at most ${maxItems} items`)
    return value.map((item: Json, i) => readItem(item, `${path}[${i}]`))
  }

  /** `read` when the field is there, `undefined` when it is not. */
  optional<T>(name: string, read: () => T): T | undefined {
    if (this.has(name)) return read()
    this.#taken.add(name)
    return undefined
  }

  /** Names of the fields, for objects whose keys are data. */
  names(maxNames: number): readonly string[] {
    const names = Object.keys(this.#object)
    if (names.length > maxNames)
      throw new ShapeError('shape/bad-value', this.path, `expected at most ${maxNames} fields`)
    return names
  }

  /** Refuses fields that nobody took. */
  end(): void {
    for (const name of Object.keys(this.#object)) {
      if (this.#taken.has(name)) continue
      const known = [...this.#taken].join(', ')
      throw new ShapeError('shape/unknown-field', this.path, `unknown field ${quote(name)}; known are ${known}`)
    }
  }
}

/** @throws {ShapeError} `shape/wrong-type`, `shape/bad-value` */
export function readText(value: Json, path: Path, limits: TextLimits = {}): string {
  const maxLength = limits.maxLength ?? DEFAULT_MAX_TEXT_LENGTH
  if (typeof value !== 'string') throw new ShapeError('shape/wrong-type', path, 'expected a text')
  if (value.length > maxLength)
    throw new ShapeError('shape/bad-value', path, `expected at most ${maxLength} characters`)
  if (value === '' && limits.mayBeEmpty !== true) throw new ShapeError('shape/bad-value', path, 'expected a text')
  const line = limits.isMultiline === true ? value.replaceAll('\n', '') : value
  if (!PLAIN.test(line) && UNPRINTABLE.test(line)) {
    throw new ShapeError('shape/bad-value', path, 'the text has control characters')
  }
  if (limits.pattern !== undefined && !limits.pattern.test(value)) {
    throw new ShapeError('shape/bad-value', path, `${quote(value)} is not of the form ${limits.pattern.source}`)
  }
  return value
}

/** @throws {ShapeError} `shape/wrong-type`, `shape/bad-value` */
export function readHex(value: Json, path: Path, byteLength: number): string {
  const text = readText(value, path, { maxLength: byteLength * 2 })
  try {
    parseHex(text, byteLength)
  } catch {
    throw new ShapeError('shape/bad-value', path, `expected ${byteLength * 2} lower-case hexadecimal digits`)
  }
  return text
}
