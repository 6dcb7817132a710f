/** OpenAI's responses. */
import { ShapeError } from '@countersign/verify'
import {
  type AnswerFacts,
  childOf,
  emptyFacts,
  type FinishNames,
  type GrowingFacts,
  hasErrorIn,
  idIn,
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
import { type ScannedObject, scanObject } from './json-scan.ts'
import { requireOneSpelling } from './name-spelling.ts'
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

/** What a request names of what an upstream keeps. */
export interface References {
  /** Id of an earlier answer that it goes on from. */
  readonly previous: string | undefined
  /** Id of a conversation that it reads, and adds to. */
  readonly conversation: string | undefined
}

/** Members by which a request reaches for what an upstream keeps, or has it kept out of sight. */
export const REACHING_NAMES = ['previous_response_id', 'conversation', 'background'] as const

/** Longest id in a request, in bytes as it is spelled there. */
export const MAX_REFERENCE_BYTES = 1024

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

/**
 * What a request for a response goes on from. A conversation is named by its id, or by an object that has it.
 *
 * @throws {CountersignError} `shape/wrong-type`, `shape/bad-value`, `bytes/bad-utf8`; `json/duplicate-key`,
 *   `bytes/too-large` for a conversation that is an object
 */
export function readReferences(body: ScannedObject): References {
  return { previous: referenceIn(body, 'previous_response_id'), conversation: conversationIn(body) }
}

function conversationIn(body: ScannedObject): string | undefined {
  const bytes = body.kindOf('conversation') === 'object' ? body.bytesOf('conversation') : undefined
  if (bytes === undefined) return referenceIn(body, 'conversation')
  const conversation = scanObject(bytes)
  requireOneSpelling(conversation, ['id'])
  return referenceIn(conversation, 'id', 'conversation.id')
}

function referenceIn(object: ScannedObject, name: string, path = name): string | undefined {
  const { kind = 'null', start = 0, end = 0 } = object.members.get(name) ?? {}
  if (kind === 'null') return undefined
  if (kind !== 'text') throw new ShapeError('shape/wrong-type', path, 'expected a text')
  if (end - start > MAX_REFERENCE_BYTES) {
    throw new ShapeError('shape/bad-value', path, `expected at most ${MAX_REFERENCE_BYTES} bytes`)
  }
  return object.textOf(name)
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
  facts.conversationId ??= idIn(childOf(response, 'conversation'), 'id')
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
