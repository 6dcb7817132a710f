/** OpenAI's embeddings. */
import {
  type AnswerFacts,
  emptyFacts,
  hasErrorIn,
  noteError,
  noteIdentity,
  noteUsage,
  objectIn,
} from './answer-facts.ts'
import type { Dialect } from './dialect.ts'

const USAGE = { input: ['prompt_tokens'], output: 'completion_tokens', cached: 'cached_tokens' }

export const OPENAI_EMBEDDINGS: Dialect = {
  name: 'openai-embeddings',
  path: '/v1/embeddings',
  family: 'openai',
  tokens: 'of-request',
  canStream: false,
  streamError: 'data',
  parameters: {},
  readAnswer,
  readFrameFacts: () => {},
  isTerminalFrame: () => false,
}

function readAnswer(bytes: Uint8Array): AnswerFacts {
  const facts = emptyFacts()
  const body = objectIn(bytes)
  if (body === undefined) return facts
  noteIdentity(facts, body)
  noteUsage(facts, USAGE, body)
  if (body.kindOf('data') === 'list') facts.finishReason = 'complete'
  if (hasErrorIn(body)) noteError(facts)
  return facts
}
