/** Answers that come as choices: chat completions, and completions. */
import {
  type AnswerFacts,
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
import { isDone, mayHold, memberMark } from './frame-marks.ts'
import type { ScannedObject } from './json-scan.ts'
import type { SseFrame } from './sse-frames.ts'

const FINISH: FinishNames = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  function_call: 'tool-calls',
  content_filter: 'content-filter',
  error: 'error',
}

const USAGE: UsageNames = {
  input: ['prompt_tokens'],
  output: 'completion_tokens',
  cached: 'cached_tokens',
  cachedIn: 'prompt_tokens_details',
}

/** Frames at the start of a stream that are read until the model's name is known: some upstreams send other things first. */
const IDENTITY_FRAMES = 8

/** Choices whose ending is looked at. */
const MAX_CHOICES = 128

/** Names of members that make a frame worth reading. */
const TELLING = /* @__PURE__ */ ['usage', 'finish_reason', 'error'].map(memberMark)
const ERROR = /* @__PURE__ */ [memberMark('error')]
const OPEN_LIST = 0x5b

export function readChoicesAnswer(bytes: Uint8Array): AnswerFacts {
  const facts = emptyFacts()
  const body = objectIn(bytes)
  if (body !== undefined) noteBody(facts, body)
  return facts
}

export function readChoicesFrame({ event, data }: SseFrame, facts: GrowingFacts): void {
  if (event === 'error') noteError(facts)
  if (data === undefined) return
  const isEarly = facts.servedModel === undefined && facts.dataFrames < IDENTITY_FRAMES
  facts.dataFrames++
  if (data[0] === OPEN_LIST || !(isEarly || mayHold(data, TELLING))) return
  const chunk = objectIn(data)
  if (chunk !== undefined) noteBody(facts, chunk)
}

/** `[DONE]`, or an error: clients stop at either. */
export function isTerminalChoicesFrame(frame: SseFrame): boolean {
  const { event, data } = frame
  if (event === 'error') return true
  if (data === undefined) return false
  if (isDone(frame)) return true
  if (!mayHold(data, ERROR)) return false
  const chunk = objectIn(data)
  return chunk !== undefined && hasErrorIn(chunk)
}

function noteBody(facts: GrowingFacts, body: ScannedObject): void {
  noteIdentity(facts, body)
  noteUsage(facts, USAGE, body)
  for (const item of itemsOf(body, 'choices', MAX_CHOICES)) {
    const choice = objectIn(item)
    if (choice !== undefined) noteChoice(facts, choice)
  }
  if (hasErrorIn(body)) noteError(facts)
}

/** A statement has one ending: that of the choice with index 0, or else of the first that has any. */
function noteChoice(facts: GrowingFacts, choice: ScannedObject): void {
  const isFirst = choice.kindOf('index') !== 'number' || choice.numberTextOf('index') === '0'
  if (isFirst || !facts.isFinished) noteFinish(facts, FINISH, textIn(choice, 'finish_reason'))
}
