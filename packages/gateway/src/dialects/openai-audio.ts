/** OpenAI's transcriptions and translations of speech: forms with a file in, text out. */
import { type AnswerFacts, emptyFacts, hasErrorIn, noteError, noteUsage, objectIn } from './answer-facts.ts'
import type { Dialect } from './dialect.ts'

const USAGE = { input: ['input_tokens'], output: 'output_tokens', cached: 'cached_tokens' }

const AUDIO = {
  family: 'openai',
  body: 'multipart',
  canStream: false,
  streamError: 'data',
  parameters: {},
  readAnswer,
  readFrameFacts: () => {},
  isTerminalFrame: () => false,
} as const

export const OPENAI_TRANSCRIPTIONS: Dialect = {
  ...AUDIO,
  name: 'openai-transcriptions',
  path: '/v1/audio/transcriptions',
}
export const OPENAI_TRANSLATIONS: Dialect = { ...AUDIO, name: 'openai-translations', path: '/v1/audio/translations' }

/** An answer may also be plain text or subtitles, which say nothing about themselves. */
function readAnswer(bytes: Uint8Array): AnswerFacts {
  const facts = emptyFacts()
  const body = objectIn(bytes)
  if (body === undefined) return facts
  noteUsage(facts, USAGE, body)
  if (body.kindOf('text') === 'text') facts.finishReason = 'complete'
  if (hasErrorIn(body)) noteError(facts)
  return facts
}
