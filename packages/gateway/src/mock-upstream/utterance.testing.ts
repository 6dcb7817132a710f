/** What the model says, before an API puts it in its own form. */
import type { Scenario } from './scenario.testing.ts'
import { type Schema, sampleOf } from './schema-sample.testing.ts'

/** What of a request decides what is said. */
export interface Prompt {
  readonly lastUserText: string
  readonly tools: readonly Tool[]
  /** Whether the request ends with what a tool gave. */
  readonly hasToolResult: boolean
  /** The shape that the answer must have. */
  readonly schema: Schema | undefined
  readonly maxTokens: number | undefined
}

export interface Tool {
  readonly name: string
  readonly schema: Schema
}

export interface ToolCall {
  readonly name: string
  /** JSON in pieces. */
  readonly argumentPieces: readonly string[]
}

export interface Utterance {
  readonly kind: 'text' | 'refusal' | 'tools'
  /** The text, or the refusal, in deltas; each counts as one token. */
  readonly pieces: readonly string[]
  readonly calls: readonly ToolCall[]
  readonly finish: Scenario['finish']
}

/** More than one byte per character, quotes and a line feed, so that they must be right on the way. */
const TEXT = 'Hello from the mock upstream: naïve, 日本語, 🙂 and "quoted".\nIt says the same every time.'
const REFUSAL = "I'm sorry, but I can't help with that."
const MAX_CALLS = 4
const PIECE_LENGTH = 8

export function utter(scenario: Scenario, prompt: Prompt): Utterance {
  if (scenario.says === 'refusal') {
    return { kind: 'refusal', pieces: words(REFUSAL), calls: [], finish: scenario.finish }
  }
  if (scenario.says === 'tools' && prompt.tools.length > 0 && !prompt.hasToolResult) {
    const calls = prompt.tools.slice(0, MAX_CALLS).map(({ name, schema }) => ({
      name,
      argumentPieces: slices(JSON.stringify(sampleOf(schema))),
    }))
    return { kind: 'tools', pieces: [], calls, finish: scenario.finish }
  }
  const pieces = textPieces(scenario, prompt)
  const { maxTokens = pieces.length } = prompt
  const isCut = maxTokens < pieces.length
  return { kind: 'text', pieces: pieces.slice(0, maxTokens), calls: [], finish: isCut ? 'length' : scenario.finish }
}

export function outputTokensOf({ pieces, calls }: Utterance): number {
  return calls.reduce((sum, { argumentPieces }) => sum + argumentPieces.length, pieces.length)
}

function textPieces({ says, deltas }: Scenario, { schema, lastUserText, hasToolResult }: Prompt): readonly string[] {
  if (schema !== undefined) return slices(JSON.stringify(sampleOf(schema)))
  if (deltas !== undefined) return Array.from({ length: deltas }, (_, i) => `word${i} `)
  if (says === 'echo') return words(lastUserText)
  return words(hasToolResult ? `The tool has answered. ${TEXT}` : TEXT)
}

/** Words with the blanks after them. */
function words(text: string): readonly string[] {
  return text.match(/\S+\s*|\s+/g) ?? []
}

function slices(text: string): readonly string[] {
  return Array.from({ length: Math.ceil(text.length / PIECE_LENGTH) }, (_, i) =>
    text.slice(i * PIECE_LENGTH, (i + 1) * PIECE_LENGTH),
  )
}
