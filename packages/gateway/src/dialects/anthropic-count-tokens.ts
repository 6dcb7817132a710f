/** Anthropic's counting of tokens. Runs no model: what it counts is its answer, not its usage. */
import { type AnswerFacts, emptyFacts, hasErrorIn, noteError, objectIn } from './answer-facts.ts'
import type { Dialect } from './dialect.ts'

export const ANTHROPIC_COUNT_TOKENS: Dialect = {
  name: 'anthropic-count-tokens',
  path: '/v1/messages/count_tokens',
  family: 'anthropic',
  isFree: true,
  tokens: 'none',
  canStream: false,
  streamError: 'anthropic-event',
  parameters: {},
  readAnswer,
  readFrameFacts: () => {},
  isTerminalFrame: () => false,
}

function readAnswer(bytes: Uint8Array): AnswerFacts {
  const facts = emptyFacts()
  const body = objectIn(bytes)
  if (body === undefined) return facts
  if (body.kindOf('input_tokens') === 'number') facts.finishReason = 'complete'
  if (hasErrorIn(body)) noteError(facts)
  return facts
}
