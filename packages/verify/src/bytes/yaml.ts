/** YAML of files that people write: plain values, as JSON has them. */
import { Lexer, parse, YAMLParseError } from 'yaml'
import { CountersignError } from '../errors.ts'
import { parseUtf8 } from './bytes.ts'
import type { Json } from './json.ts'

const MAX_BYTES = 1024 * 1024

/** Most lists and maps inside one another in brackets, begun on one line, or by indentation. */
const MAX_DEPTH = 32
const MAX_INDENTATION = 64

/** Most tokens; the parser compares each key of a map with all others. */
const MAX_TOKENS = 65_536

/** Token that comes before the text of a scalar. */
const SCALAR = '\u001f'

/**
 * A YAML text as JSON values: no aliases, no duplicate keys, no tags.
 *
 * @throws {CountersignError} `bytes/*`, `yaml/malformed`
 */
export function parseYaml(bytes: Uint8Array): Json {
  if (bytes.length > MAX_BYTES) throw new CountersignError('bytes/too-large', `at most ${MAX_BYTES} bytes`)
  const text = parseUtf8(bytes)
  const flaw = flawOfYaml(text)
  if (flaw !== undefined) {
    throw new CountersignError('yaml/malformed', `not plain YAML: ${flaw.why}, at line ${flaw.line}`)
  }
  try {
    return parse(text, {
      schema: 'core',
      resolveKnownTags: false,
      stringKeys: true,
      uniqueKeys: true,
      maxAliasCount: 0,
      logLevel: 'error',
      // The parser would look up the line of every error, each time from the start.
      prettyErrors: false,
    }) as Json
  } catch (thrown) {
    throw new CountersignError('yaml/malformed', `not YAML: ${reasonOf(thrown, text)}`)
  }
}

/** The first line of the parser's message, with the line of the text that it is about. */
function reasonOf(thrown: unknown, text: string): string {
  const message = thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : ''
  if (!(thrown instanceof YAMLParseError)) return message
  return `${message}, at line ${lineAt(text, thrown.pos[0])}`
}

/** What makes a text no plain YAML, and in which line, counted from 1. */
export interface YamlFlaw {
  readonly why: string
  readonly line: number
}

/**
 * Finds what we do not read, token by token, before a parser runs: a parser calls itself per level, and so deep a text
 * would end the process rather than throw. What is found to be plain may still be broken.
 */
export function flawOfYaml(text: string): YamlFlaw | undefined {
  let brackets = 0
  let begunOnLine = 0
  let tokens = 0
  let position = 0
  let previous = '\n'
  const flaw = (why: string): YamlFlaw => ({ why, line: lineAt(text, position) })
  for (const token of new Lexer().lex(text)) {
    const [before, isContent] = [previous, previous === SCALAR]
    previous = token
    if (tokens++ === MAX_TOKENS) return flaw(`it has more than ${MAX_TOKENS} tokens`)
    if (!isContent) {
      if (/^[!&*%]/.test(token))
        return flaw(`no tags, anchors, aliases or directives: no value begins with ${token[0]} here`)
      if (token === '[' || token === '{') brackets++
      if (token === ']' || token === '}') brackets--
      if (brackets < 0) return flaw('a bracket closes nothing')
      if (token === '-' || token === '?' || (token === ':' && brackets === 0)) begunOnLine++
      if (token.endsWith('\n')) begunOnLine = 0
      const isFarIn = before.endsWith('\n') && token.startsWith(' ') && token.length > MAX_INDENTATION
      if (brackets > MAX_DEPTH || begunOnLine > MAX_DEPTH || isFarIn) return flaw('it is nested too deeply')
    }
    if (!isControl(token)) position += token.length
  }
  return undefined
}

/** Tokens of the lexer's own, which stand for no text: the start of a document, of a scalar, of flow that ended badly. */
function isControl(token: string): boolean {
  return token === SCALAR || token === '\u0002' || token === '\u0018'
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length
}
