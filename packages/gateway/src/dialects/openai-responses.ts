/** OpenAI's responses. */
import {
  type AnswerFacts,
  childOf,
  emptyFacts,
  type FinishNames,
  type GrowingFacts,
  hasErrorIn,
  itemsOf,
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

const USAGE: UsageNames = {
  input: ['input_tokens'],
  output: 'output_tokens',
  cached: 'cached_tokens',
  cachedIn: 'input_tokens_details',
}

/** Why a response is incomplete. */
const INCOMPLETE: FinishNames = { max_output_tokens: 'length', content_filter: 'content-filter' }

/** Items of output that the client is to act on. */
const TOOL_CALLS = /* @__PURE__ */ new Set([
  'function_call',
  'custom_tool_call',
  'computer_call',
  'local_shell_call',
  'shell_call',
  'apply_patch_call',
])

/** Items of output that are looked at for such calls. */
const MAX_ITEMS = 1024

const ERRORS: ReadonlySet<string> = /* @__PURE__ */ new Set(['error'])
const TERMINAL: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'response.completed',
  'response.incomplete',
  'response.failed',
  'error',
])
/** Events that carry the response as it is by then. */
const TELLING: ReadonlySet<string> = /* @__PURE__ */ new Set([...TERMINAL, 'response.created', 'response.cancelled'])

export const OPENAI_RESPONSES: Dialect = {
  name: 'openai-responses',
  path: '/v1/responses',
  family: 'openai',
  canStream: true,
  streamError: 'responses-event',
  parameters: { temperature: ['temperature'], topP: ['top_p'], maxTokens: ['max_output_tokens'] },
  readAnswer,
  readFrameFacts,
  isClearFrame: isClearEvent,
  isTerminalFrame: (frame) => isOfType(frame, TERMINAL) || isDone(frame),
}

function readAnswer(bytes: Uint8Array): AnswerFacts {
  const facts = emptyFacts()
  const response = objectIn(bytes)
  if (response !== undefined) noteResponse(facts, response)
  return facts
}

function readFrameFacts(frame: SseFrame, facts: GrowingFacts): void {
  if (frame.data !== undefined) facts.dataFrames++
  if (!isOfType(frame, TELLING)) return
  const response = childOf(objectIn(frame.data), 'response')
  if (response !== undefined) noteResponse(facts, response)
  if (isOfType(frame, ERRORS)) noteError(facts)
}

function noteResponse(facts: GrowingFacts, response: ScannedObject): void {
  noteIdentity(facts, response)
  noteUsage(facts, USAGE, response)
  const status = textIn(response, 'status')
  if (status === 'completed') noteFinish(facts, FINISH, asksForTools(response) ? 'tools' : 'completed')
  if (status === 'incomplete') {
    noteFinish(facts, INCOMPLETE, textIn(childOf(response, 'incomplete_details'), 'reason') ?? 'unknown')
  }
  if (status === 'failed' || hasErrorIn(response)) noteError(facts)
}

const FINISH: FinishNames = { completed: 'stop', tools: 'tool-calls' }

function asksForTools(response: ScannedObject): boolean {
  return itemsOf(response, 'output', MAX_ITEMS).some((item) => TOOL_CALLS.has(textIn(objectIn(item), 'type') ?? ''))
}
