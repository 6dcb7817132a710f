import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readText } from '@countersign/verify'
import fc from 'fast-check'
import { type AnswerFacts, boundedText, emptyFacts, MAX_TEXT_LENGTH } from './answer-facts.ts'
import { ANTHROPIC_COUNT_TOKENS } from './anthropic-count-tokens.ts'
import { ANTHROPIC_MESSAGES } from './anthropic-messages.ts'
import { readRequest } from './dialect.ts'
import { DIALECTS, dialectAt } from './dialects.ts'
import { scanObject } from './json-scan.ts'
import { OPENAI_CHAT } from './openai-chat.ts'
import { OPENAI_COMPLETIONS } from './openai-completions.ts'
import { OPENAI_EMBEDDINGS } from './openai-embeddings.ts'
import { OPENAI_RESPONSES } from './openai-responses.ts'
import { changed, checkProperty, expectTyped, textChanges } from './properties.testing.ts'
import { readFrame } from './sse-frames.ts'
import { NOTHING, readWhole } from './streams.testing.ts'

const scan = (text: string) => scanObject(Buffer.from(text))
const request = (dialect: (typeof DIALECTS)[number], members: string) =>
  readRequest(dialect, scan(`{"model":"m"${members}}`))

test('each path has its dialect, and no other', () => {
  for (const dialect of DIALECTS) assert.equal(dialectAt(dialect.path), dialect)
  assert.equal(new Set(DIALECTS.map(({ path }) => path)).size, DIALECTS.length)
  for (const path of ['', '/', '/v1', '/v1/chat/completions/', '/v1/chat/completions?x=1', '/V1/messages']) {
    assert.equal(dialectAt(path), undefined, path)
  }
})

test('parameters are read under the names of each dialect, exactly as written', () => {
  const all =
    ',"temperature":0.70,"top_p":1e-1,"seed":18446744073709551615,"max_tokens":1,"max_completion_tokens":2,"max_output_tokens":3'
  const sampling = { temperature: '0.70', topP: '1e-1' }
  const seed = '18446744073709551615'
  assert.deepEqual(request(OPENAI_CHAT, all).parameters, { ...sampling, seed, maxTokens: 2 })
  assert.deepEqual(request(OPENAI_COMPLETIONS, all).parameters, { ...sampling, seed, maxTokens: 1 })
  assert.deepEqual(request(OPENAI_RESPONSES, all).parameters, { ...sampling, maxTokens: 3 })
  assert.deepEqual(request(ANTHROPIC_MESSAGES, all).parameters, { ...sampling, maxTokens: 1 })
  assert.deepEqual(request(OPENAI_EMBEDDINGS, all).parameters, {})
  assert.deepEqual(request(ANTHROPIC_COUNT_TOKENS, all).parameters, {})
})

test('parameters that a statement cannot hold are left out', () => {
  for (const bad of ['null', '"1"', 'true', '[1]', `0.${'1'.repeat(40)}`]) {
    assert.deepEqual(
      request(OPENAI_CHAT, `,"temperature":${bad},"seed":${bad},"max_tokens":${bad}`).parameters,
      {},
      bad,
    )
  }
  assert.deepEqual(request(OPENAI_CHAT, ',"seed":1.5,"max_tokens":-1').parameters, {})
  assert.deepEqual(request(OPENAI_CHAT, ',"seed":1e3,"max_tokens":1e3').parameters, {})
  assert.deepEqual(request(OPENAI_CHAT, ',"max_tokens":9007199254740992').parameters, {})
  assert.deepEqual(request(OPENAI_CHAT, ',"max_completion_tokens":null,"max_tokens":5').parameters, { maxTokens: 5 })
  assert.deepEqual(request(OPENAI_CHAT, ',"seed":-3').parameters, { seed: '-3' })
})

test('model and stream flag', () => {
  assert.equal(request(OPENAI_CHAT, ',"stream":true').isStream, true)
  for (const no of ['', ',"stream":false', ',"stream":null']) assert.equal(request(OPENAI_CHAT, no).isStream, false, no)
  for (const bad of ['"true"', '1', '{}']) {
    assert.throws(() => request(OPENAI_CHAT, `,"stream":${bad}`), { code: 'shape/wrong-type', message: /^stream: / })
  }
  assert.equal(request(OPENAI_EMBEDDINGS, ',"stream":true').isStream, false)
  assert.equal(readRequest(OPENAI_CHAT, scan('{"model":"a/b:c"}')).model, 'a/b:c')
  const refused = {
    '{}': 'shape/missing-field',
    '{"model":null}': 'shape/wrong-type',
    '{"model":""}': 'shape/bad-value',
  }
  for (const [text, code] of Object.entries({
    ...refused,
    '{"model":"a\\nb"}': 'shape/bad-value',
    '{"model":"\\ud800"}': 'shape/bad-value',
    [`{"model":"${'a'.repeat(257)}"}`]: 'shape/bad-value',
  })) {
    assert.throws(() => readRequest(OPENAI_CHAT, scan(text)), { code, message: /^model: / }, text)
  }
})

test('embeddings and counted tokens are complete answers without tokens of their own', () => {
  const embeddings = {
    object: 'list',
    data: [{ embedding: [0.1] }],
    model: 'text-embedding-3-small',
    usage: { prompt_tokens: 8, total_tokens: 8 },
  }
  const known = {
    ...NOTHING,
    servedModel: 'text-embedding-3-small',
    usage: { inputTokens: 8 },
    finishReason: 'complete',
  }
  assert.deepEqual(readWhole(OPENAI_EMBEDDINGS, embeddings), known)
  assert.deepEqual(readWhole(ANTHROPIC_COUNT_TOKENS, { input_tokens: 9 }), { ...NOTHING, finishReason: 'complete' })
  for (const dialect of [OPENAI_EMBEDDINGS, ANTHROPIC_COUNT_TOKENS]) {
    assert.deepEqual(readWhole(dialect, {}), NOTHING)
    const error = { ...NOTHING, finishReason: 'error', hasError: true }
    assert.deepEqual(readWhole(dialect, { type: 'error', error: { message: 'x' } }), error)
  }
})

test('a text from an upstream is bounded, and fit for a statement', (t) => {
  const texts = fc.string({ unit: 'binary', maxLength: 600, size: 'max' })
  checkProperty(t, [texts], 2000, (text) => {
    const bounded = boundedText(text)
    assert.ok(bounded.length <= MAX_TEXT_LENGTH)
    assert.equal(readText(bounded, 'text', { maxLength: 256, mayBeEmpty: true }), bounded)
  })
  assert.equal(boundedText('gpt-4o\u0000\n\u202e\u200b-mini \u00a0é'), 'gpt-4o-mini é')
  assert.equal(boundedText(`${'a'.repeat(255)}\u{1f600}`), 'a'.repeat(255))
  assert.equal(boundedText(`${'a'.repeat(254)}\u{1f600}b`), `${'a'.repeat(254)}\u{1f600}`)
  assert.equal(
    readWhole(OPENAI_CHAT, { model: 'a\u001b[31mb', id: '\n', system_fingerprint: 'x'.repeat(5000) }).servedModel,
    'a[31mb',
  )
  assert.deepEqual(readWhole(OPENAI_CHAT, { id: '\n', system_fingerprint: 'x'.repeat(5000) }), NOTHING)
  assert.equal(readWhole(OPENAI_CHAT, { model: 'x'.repeat(300) }).servedModel, 'x'.repeat(256))
})

/** Names that the readers look for. */
const COUNTS = [
  'prompt_tokens',
  'completion_tokens',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'prompt_tokens_details',
]
const NAMES = [
  'id',
  'model',
  'system_fingerprint',
  'error',
  'type',
  'delta',
  'status',
  'output',
  'data',
  'index',
  ...COUNTS,
]
const WORDS = [
  'stop',
  'error',
  'message_start',
  'message_delta',
  'message_stop',
  'response.completed',
  'response.failed',
  'completed',
]

const leaves = fc.oneof(
  fc.constantFrom(...WORDS, null, 0, 2 ** 53 - 1, 2 ** 53, -1),
  fc.nat(),
  fc.string({ unit: 'binary', maxLength: 5 }),
)
const named = (names: readonly string[], values: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.constantFrom(...names), values, { maxKeys: 4 })
const usages = named(
  COUNTS,
  fc.oneof({ weight: 3, arbitrary: leaves }, { weight: 1, arbitrary: named(COUNTS, leaves) }),
)
const choices = fc.array(named(['index', 'finish_reason', 'delta'], leaves), { maxLength: 2 })
const bodies = fc
  .tuple(named(NAMES, fc.oneof(leaves, named(NAMES, leaves))), fc.option(usages), fc.oneof(choices, leaves))
  .map(([members, usage, choice]) => ({ ...members, usage, choices: choice }))

/** Objects with those names, in the right places and in wrong ones, and anything at all behind them. */
const answers = fc.oneof(
  bodies,
  fc.tuple(bodies, bodies).map(([outer, inner]) => ({ ...outer, response: inner, message: inner })),
)

function assertFitsStatement(facts: AnswerFacts): void {
  for (const text of [facts.servedModel, facts.responseId, facts.systemFingerprint]) {
    if (text !== undefined) readText(text, 'text', { maxLength: 256 })
  }
  assert.equal(facts.hasError, facts.finishReason === 'error')
  const reasons = ['complete', 'stop', 'length', 'tool-calls', 'content-filter', 'other', 'error']
  assert.ok(reasons.includes(facts.finishReason), facts.finishReason)
  if (facts.usage === 'unknown') return
  const counts = Object.values(facts.usage)
  assert.ok(counts.length > 0)
  for (const count of counts) assert.ok(Number.isSafeInteger(count) && count >= 0, String(count))
}

test('whatever an upstream sends, there are facts that fit a statement', (t) => {
  let known = 0
  checkProperty(
    t,
    [answers, textChanges, fc.nat({ max: 3 }), fc.constantFrom('', ...WORDS)],
    3000,
    (answer, changes, times, event) => {
      const text = changed(JSON.stringify(answer), changes.slice(0, times))
      for (const dialect of DIALECTS) {
        const facts = emptyFacts()
        const frame = readFrame(Buffer.from(`event: ${event}\ndata: ${text}\n\n`))
        const read = expectTyped(() => {
          dialect.readFrameFacts(frame, facts)
          dialect.isTerminalFrame(frame)
          return dialect.readAnswer(Buffer.from(text))
        })
        assert.ok('value' in read, 'it refused')
        assertFitsStatement(read.value)
        assertFitsStatement(facts)
        if (read.value.usage !== 'unknown' || facts.usage !== 'unknown') known++
      }
    },
  )
  assert.ok(known > 100, String(known))
})

test('any bytes are an answer without facts', (t) => {
  checkProperty(t, [fc.uint8Array({ maxLength: 100 })], 1000, (bytes) => {
    for (const dialect of DIALECTS) {
      assert.deepEqual({ ...dialect.readAnswer(bytes) }, { ...emptyFacts() })
      const frame = { event: undefined, data: bytes, isComment: false, comments: [] }
      const read = expectTyped(() => dialect.readFrameFacts(frame, emptyFacts()) ?? dialect.isTerminalFrame(frame))
      assert.deepEqual(read, { value: false })
    }
  })
})

test('large garbage is read in time', () => {
  const big = 4_000_000
  for (const unit of ['{"usage":', '"usage":{},', '{"type":"', '"choices":[{', '[', '"', 'usage"', '{"error":{']) {
    for (const text of [
      unit.repeat(big / unit.length),
      `{"choices":[${unit.repeat(big / unit.length)}`,
      `{"type":"x",${unit.repeat(big / unit.length)}`,
    ]) {
      const data = Buffer.from(text)
      for (const dialect of DIALECTS) {
        const frame = { event: undefined, data, isComment: false, comments: [] }
        expectTyped(() => dialect.readAnswer(data))
        expectTyped(() => dialect.readFrameFacts(frame, emptyFacts()))
        expectTyped(() => dialect.isTerminalFrame(frame))
      }
    }
  }
})
