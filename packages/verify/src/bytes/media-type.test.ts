import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isEventStream } from './media-type.ts'

test('a stream is what the essence of the one type says', () => {
  for (const type of [
    'text/event-stream',
    'Text/Event-Stream',
    'text/event-stream; charset=utf-8',
    ' text/event-stream ;a',
  ]) {
    assert.equal(isEventStream(type), true, type)
  }
  const others = [
    '',
    'text/event-stream-x',
    'text/event-stream, application/json',
    'application/json, text/event-stream',
  ]
  for (const type of [...others, 'text/event-stream\u00a0', 'text/event', 'application/json; a=text/event-stream']) {
    assert.equal(isEventStream(type), false, type)
  }
})
