/** Tensor models on another server. @spec Open Inference Protocol v2, "Inference Request/Response JSON Object" */
import { type AnswerFacts, emptyFacts, hasErrorIn, noteError, objectIn, textIn } from './answer-facts.ts'
import type { Dialect } from './dialect.ts'

/** The model's name stands in the path, and not in the body. An answer's id is the client's own, so it is not taken over. */
export const OPEN_INFERENCE: Dialect = {
  name: 'open-inference',
  path: '/v2/models/{model}/infer',
  pathOf: (model) => `/v2/models/${encodeURIComponent(model)}/infer`,
  family: 'open-inference',
  tokens: 'none',
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
  facts.servedModel = textIn(body, 'model_name')
  if (body.kindOf('outputs') === 'list') facts.finishReason = 'complete'
  if (hasErrorIn(body)) noteError(facts)
  return facts
}
