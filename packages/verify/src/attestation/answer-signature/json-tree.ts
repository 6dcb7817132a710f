/**
 * JSON that keeps how its numbers were spelled: `JSON.parse` makes `1.0` and `1` the same, and others do not. As strict as
 * `parseJson`: it accepts the same texts.
 *
 * @spec RFC 8259
 */
import { parseUtf8 } from '../../bytes/bytes.ts'
import type { JsonLimits } from '../../bytes/json.ts'
import { CountersignError } from '../../errors.ts'

/** A number as it stands in the text. */
export interface JsonNumber {
  readonly lexeme: string
}
export type JsonObject = ReadonlyMap<string, JsonTree>
export type JsonTree = null | boolean | string | JsonNumber | readonly JsonTree[] | JsonObject

/** Most values of one text: each costs memory many times its length. */
const MAX_VALUES = 2 ** 21

const WHITE_SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const PLAIN = /[^"\\\u0000-\u001f]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const ESCAPED: { readonly [letter: string]: string } = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }
const WORDS: readonly (readonly [word: string, value: null | boolean])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
]

/** Whether a value is an object. */
export function isJsonObject(value: JsonTree | undefined): value is JsonObject {
  return value instanceof Map
}

/** Whether a value is a number. */
export function isJsonNumber(value: JsonTree | undefined): value is JsonNumber {
  return typeof value === 'object' && value !== null && 'lexeme' in value
}

/** Whether a value is a list. */
export function isJsonList(value: JsonTree | undefined): value is readonly JsonTree[] {
  return Array.isArray(value)
}

/**
 * The value of a JSON text, its numbers as they are spelled.
 *
 * @throws {CountersignError} `bytes/too-large`, `bytes/bad-utf8`, `json/malformed`, `json/duplicate-key`, `json/too-deep`
 */
export function parseJsonTree(bytes: Uint8Array, limits: JsonLimits): JsonTree {
  if (bytes.length > limits.maxBytes) {
    throw new CountersignError('bytes/too-large', `the JSON text has ${bytes.length} bytes, at most ${limits.maxBytes}`)
  }
  const reader = new Reader(parseUtf8(bytes))
  const value = reader.value(limits.maxDepth)
  reader.end()
  return value
}

class Reader {
  readonly #text: string
  #at = 0
  #values = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depthLeft: number): JsonTree {
    if (++this.#values > MAX_VALUES) {
      throw new CountersignError('bytes/too-large', `the JSON text has more than ${MAX_VALUES} values`)
    }
    this.#match(WHITE_SPACE)
    const first = this.#text[this.#at]
    if (first === '"') return this.#string()
    if (first === '{' || first === '[') {
      if (depthLeft === 0) throw new CountersignError('json/too-deep', 'the JSON text is nested too deeply')
      this.#at++
      return first === '{' ? this.#object(depthLeft - 1) : this.#list(depthLeft - 1)
    }
    for (const [word, value] of WORDS) if (this.#takes(word)) return value
    const lexeme = this.#match(NUMBER)
    if (lexeme === '') throw malformed()
    return { lexeme }
  }

  end(): void {
    this.#match(WHITE_SPACE)
    if (this.#at !== this.#text.length) throw malformed()
  }

  #object(depthLeft: number): JsonObject {
    const members = new Map<string, JsonTree>()
    if (this.#closes('}')) return members
    do {
      this.#match(WHITE_SPACE)
      const name = this.#string()
      this.#require(':')
      const value = this.value(depthLeft)
      if (members.has(name)) throw new CountersignError('json/duplicate-key', 'an object has the same key twice')
      members.set(name, value)
    } while (this.#continues('}'))
    return members
  }

  #list(depthLeft: number): readonly JsonTree[] {
    const items: JsonTree[] = []
    if (this.#closes(']')) return items
    do items.push(this.value(depthLeft))
    while (this.#continues(']'))
    return items
  }

  #string(): string {
    if (!this.#takes('"')) throw malformed()
    let text = ''
    while (!this.#takes('"')) {
      const plain = this.#match(PLAIN)
      text += plain
      if (this.#text[this.#at] === '"') continue
      const escaped = this.#match(ESCAPE)
      if (escaped === '') throw malformed()
      text += unescaped(escaped)
    }
    return text
  }

  #closes(bracket: string): boolean {
    this.#match(WHITE_SPACE)
    return this.#takes(bracket)
  }

  #continues(bracket: string): boolean {
    if (this.#closes(bracket)) return false
    if (!this.#takes(',')) throw malformed()
    return true
  }

  #require(mark: string): void {
    this.#match(WHITE_SPACE)
    if (!this.#takes(mark)) throw malformed()
  }

  #takes(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false
    this.#at += word.length
    return true
  }

  /** What the pattern finds here; empty where it finds nothing. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }
}

function unescaped(escaped: string): string {
  const letter = escaped[1] ?? ''
  if (letter === 'u') return String.fromCharCode(Number.parseInt(escaped.slice(2), 16))
  return ESCAPED[letter] ?? letter
}

function malformed(): CountersignError {
  return new CountersignError('json/malformed', 'the text is not JSON')
}
