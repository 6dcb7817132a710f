/** Anthropic's messages. */
import {
  type AnswerFacts,
  childOf,
  emptyFacts,
  type FinishNames,
  type GrowingFacts,
  hasErrorIn,
  noteError,
  noteFinish,
  noteIdentity,
  noteUsage,
  objectIn,
  textIn,
  type UsageNames,
} from './answer-facts.ts'
import type { Dialect } from './dialect.ts'
import { isClearEvent, isDone, isOfType } from './frame-marks.ts'
import type { ScannedObject } from './json-scan.ts'
import type { SseFrame } from './sse-frames.ts'

const FINISH: FinishNames = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool-calls',
  refusal: 'content-filter',
  pause_turn: 'other',
}

/** What was read from the cache or written to it is input too, counted apart; the other dialects count it in. */
const USAGE: UsageNames = {
  input: ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'],
  output: 'output_tokens',
  cached: 'cache_read_input_tokens',
}

/** At the start the output has not been counted: the number that stands there is none of the answer's. */
const USAGE_AT_START: UsageNames = { ...USAGE, output: 'none' }

const ERRORS: ReadonlySet<string> = /* @__PURE__ */ new Set(['error'])
const TERMINAL: ReadonlySet<string> = /* @__PURE__ */ new Set(['message_stop', 'error'])
const TELLING: ReadonlySet<string> = /* @__PURE__ */ new Set(['message_start', 'message_delta', 'error'])

export const ANTHROPIC_MESSAGES: Dialect = {
  name: 'anthropic-messages',
  path: '/v1/messages',
  family: 'anthropic',
  canStream: true,
  streamError: 'anthropic-event',
  parameters: { temperature: ['temperature'], topP: ['top_p'], maxTokens: ['max_tokens'] },
  readAnswer,
  readFrameFacts,
  isClearFrame: isClearEvent,
  isTerminalFrame: (frame) => isOfType(frame, TERMINAL) || isDone(frame),
}

function readAnswer(bytes: Uint8Array): AnswerFacts {
  const facts = emptyFacts()
  const message = objectIn(bytes)
  if (message === undefined) return facts
  noteIdentity(facts, message)
  noteUsage(facts, USAGE, message)
  noteFinish(facts, FINISH, textIn(message, 'stop_reason'))
  if (textIn(message, 'type') === 'error' || hasErrorIn(message)) noteError(facts)
  return facts
}

function readFrameFacts(frame: SseFrame, facts: GrowingFacts): void {
  if (frame.data !== undefined) facts.dataFrames++
  if (!isOfType(frame, TELLING)) return
  const event = objectIn(frame.data)
  if (event !== undefined) noteEvent(facts, event)
  if (isOfType(frame, ERRORS)) noteError(facts)
}

function noteEvent(facts: GrowingFacts, event: ScannedObject): void {
  const message = childOf(event, 'message')
  if (message !== undefined) {
    noteIdentity(facts, message)
    noteUsage(facts, USAGE_AT_START, message)
  }
  noteUsage(facts, USAGE, event)
  noteFinish(facts, FINISH, textIn(childOf(event, 'delta'), 'stop_reason'))
}
