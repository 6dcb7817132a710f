/** Streams as upstreams send them, and reading one to its end. */
import assert from 'node:assert/strict'
import { type AnswerFacts, emptyFacts } from './answer-facts.ts'
import type { Dialect } from './dialect.ts'
import { cut } from './properties.testing.ts'
import { readFrame } from './sse-frames.ts'
import { SseSplitter } from './sse-splitter.ts'

/** A frame with JSON data, and the event's name where there is one. */
export function sse(data: unknown, event?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`
}

/** A frame whose event is called what its data says as its type. */
export function typed(data: { readonly type: string; readonly [name: string]: unknown }): string {
  return sse(data, data.type)
}

/** Facts of a whole stream that arrives in pieces of some size, without what only the reader needs; and its terminal frames. */
export function readStream(
  dialect: Dialect,
  frames: readonly string[],
  pieceBytes = 7,
): { readonly facts: AnswerFacts; readonly terminal: readonly string[] } {
  const growing = emptyFacts()
  const terminal: string[] = []
  const splitter = new SseSplitter()
  for (const piece of cut(Buffer.from(frames.join('')), [pieceBytes])) {
    for (const bytes of splitter.push(piece)) {
      const frame = readFrame(bytes)
      dialect.readFrameFacts(frame, growing)
      if (dialect.isTerminalFrame(frame)) terminal.push(Buffer.from(bytes).toString())
      if (terminal.length === 0) assert.notEqual(dialect.isClearFrame?.(frame), false, Buffer.from(bytes).toString())
    }
  }
  return { facts: answerFacts(growing), terminal }
}

/** The facts of a whole answer. */
export function readWhole(dialect: Dialect, answer: unknown): AnswerFacts {
  return answerFacts(dialect.readAnswer(Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer))))
}

function answerFacts(facts: AnswerFacts): AnswerFacts {
  const { servedModel, responseId, conversationId, systemFingerprint, usage, finishReason, hasError } = facts
  return { servedModel, responseId, conversationId, systemFingerprint, usage, finishReason, hasError }
}

/** What is known of an answer that says nothing. */
export const NOTHING: AnswerFacts = {
  servedModel: undefined,
  responseId: undefined,
  conversationId: undefined,
  systemFingerprint: undefined,
  usage: 'unknown',
  finishReason: 'other',
  hasError: false,
}
