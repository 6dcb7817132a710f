import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseTraceparent } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

test('a caller’s trace is read, with its word on whether it is recorded', () => {
  const expected = { traceId: TRACE, parentSpanId: SPAN, isSampled: true }
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-01`), expected)
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-00`), { ...expected, isSampled: false })
  // Other flags say nothing here, and a later version may have more fields.
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-03`), expected)
  assert.deepEqual(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-the-future-brings`), expected)
})

test('whatever is no traceparent counts for nothing', () => {
  for (const header of [
    undefined,
    '',
    [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    ` 00-${TRACE}-${SPAN}-01`,
    `cc-${TRACE}-${SPAN}-01-${'x'.repeat(256)}`,
  ]) {
    assert.equal(parseTraceparent(header), undefined, String(header))
  }
})

test('any text gives a well-formed trace or none', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}/)),
      (text) => {
        const context = parseTraceparent(text)
        if (context === undefined) return
        assert.match(context.traceId, /^[0-9a-f]{32}$/)
        assert.match(context.parentSpanId, /^[0-9a-f]{16}$/)
        assert.ok(text.includes(context.traceId))
      },
    ),
  )
})
