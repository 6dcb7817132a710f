import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type ClaimStatus,
  CountersignError,
  concat,
  type ErrorCode,
  parseBundle,
  type UnverifiedEnvelope,
  utf8,
} from '@countersign/verify'
import fc from 'fast-check'
import { type AnswerEvidence, assessAnswer, decideAnswer } from './answer-check.ts'
import { parseAnswerHeaders } from './answer-headers.ts'
import { LogDouble } from './log.testing.ts'
import { createNoblePlatform } from './noble-platform.ts'
import { createNodePlatform } from './node-platform.ts'
import { parsePinnedTrust } from './pinned-trust.ts'
import { type Cheats, type RecordedExchange, recordExchange } from './recorded-answer.testing.ts'
import { AnswerObserver } from './seen-answer.ts'

const REQUEST = utf8('{"model":"chat"}')
const FRAMES = [utf8('data: {"n":1}\n\ndata: {"n":2}\n\n'), utf8('data: [DONE]\n\n')] as const
const WHOLE = [utf8('{"answer":42}')] as const
const NONCE = 'a-nonce'

const platform = createNodePlatform()

interface Seen {
  readonly cheats?: Cheats
  readonly isStream?: boolean
  /** The receipt of the promised place, else the honest one. */
  readonly place?: (recorded: RecordedExchange, log: LogDouble) => unknown
  readonly statement?: (recorded: RecordedExchange) => AnswerEvidence['statement']
  readonly trust?: (log: LogDouble) => string | undefined
  readonly seen?: {
    readonly body?: (body: Uint8Array) => Uint8Array
    readonly nonce?: string
    readonly request?: string
  }
  readonly ending?: 'complete' | 'cancelled' | 'broken'
  /** Headers that are changed, or taken out. */
  readonly headers?: (recorded: RecordedExchange) => Readonly<Record<string, string | undefined>>
  readonly on?: typeof platform
}

/** What comes of an exchange: `check: status code`, and the whole's status. */
function resultsOf(options: Seen = {}): { readonly status: ClaimStatus; readonly results: Record<string, string> } {
  const on = options.on ?? platform
  const log = new LogDouble()
  log.append(utf8('an entry before'))
  const exchange = { request: REQUEST, nonce: NONCE, body: options.isStream ? FRAMES : WHOLE, isHeld: true }
  const recorded = recordExchange(log, exchange, options.cheats)
  log.append(utf8('an entry after'))
  const entries = Object.entries({ ...recorded.headers, ...options.headers?.(recorded) })
  const present = entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as [string, string]]))
  const headers = parseAnswerHeaders(new Headers(present))
  assert.ok(headers)
  const request = options.seen?.request === undefined ? REQUEST : utf8(options.seen.request)
  const nonce = options.seen?.nonce ?? NONCE
  const observer = new AnswerObserver(on, {
    headers,
    nonce,
    request,
    isStream: options.isStream ?? false,
    isRepeat: false,
  })
  observer.push(options.seen?.body?.(recorded.body) ?? recorded.body)
  const evidence: AnswerEvidence = {
    promise: undefined,
    statement: options.statement?.(recorded) ?? { value: recorded.log.envelope(recorded.index) },
    receipt: { value: parseBundle((options.place?.(recorded, log) ?? recorded.log.bundle(recorded.index)) as never) },
  }
  const pinned = parsePinnedTrust(on.crypto, options.trust === undefined ? log.verifierKey : options.trust(log))
  const { checks } = decideAnswer(on.crypto, observer.end(options.ending ?? 'complete'), pinned, evidence)
  const results = checks.map(({ name, status, code }) => [name, code === undefined ? status : `${status} ${code}`])
  return { status: assessAnswer(checks), results: Object.fromEntries(results) }
}

const HOLDS = {
  ...{ receipt: 'holds', promise: 'holds', statement: 'holds', nonce: 'holds' },
  ...{ request: 'holds', response: 'holds', log: 'holds' },
}

for (const [name, on] of [
  ['node', platform],
  ['noble', createNoblePlatform()],
] as const) {
  for (const isStream of [false, true]) {
    test(`an honest answer holds (${name}, ${isStream ? 'streamed' : 'whole'})`, () => {
      assert.deepEqual(resultsOf({ isStream, on }), { status: 'holds', results: HOLDS })
    })
  }
}

test('a trust file pins as the key alone does, and as its line does', () => {
  assert.equal(resultsOf({ trust: (log) => log.trustText }).status, 'holds')
  assert.equal(resultsOf({ trust: (log) => `  log ${log.verifierKey}\n` }).status, 'holds')
})

/** The checks that differ from an answer that holds. */
function expectOnly(options: Seen, status: ClaimStatus, different: Record<string, string>): void {
  const { results, ...rest } = resultsOf(options)
  assert.deepEqual(results, { ...HOLDS, ...different })
  assert.equal(rest.status, status)
}

const unproven = (names: string) => Object.fromEntries(names.split(' ').map((name) => [name, 'unproven']))
const REST = 'statement nonce request response'
const missing = (names: string) =>
  Object.fromEntries(names.split(' ').map((name) => [name, 'unproven opening/missing']))

const flipLast = (bytes: Uint8Array) => concat(bytes.subarray(0, -1), Uint8Array.of((bytes.at(-1) ?? 0) ^ 1))
const corrupt = (line: string) => {
  const note = Buffer.from(line, 'base64').toString('utf8')
  return Buffer.from(note.replace(/\n4000000000\n/, '\n4000000001\n')).toString('base64')
}

/** The promise as signed, in the header as well. */
const bothPromises = ({ promise }: RecordedExchange) => ({ 'countersign-promise': promise })
/** The same statement, but for its place among the answers. */
const resequenced = ({ payload }: UnverifiedEnvelope) =>
  utf8(Buffer.from(payload).toString('utf8').replace('"sequence":0', '"sequence":1'))

const CASES: readonly (readonly [string, Seen, ClaimStatus, Record<string, string>])[] = [
  [
    'a changed byte of the answer',
    { seen: { body: flipLast } },
    'refuted',
    { response: 'refuted opening/commitment-mismatch' },
  ],
  [
    'a changed byte of a stream',
    { isStream: true, seen: { body: flipLast } },
    'refuted',
    { response: 'refuted opening/commitment-mismatch' },
  ],
  [
    'a byte less',
    { seen: { body: (body) => body.subarray(1) } },
    'refuted',
    { response: 'refuted opening/commitment-mismatch' },
  ],
  [
    'another request',
    { seen: { request: '{"model":"chaT"}' } },
    'refuted',
    { request: 'refuted opening/commitment-mismatch' },
  ],
  [
    'a commitment to another answer',
    { cheats: { response: flipLast } },
    'refuted',
    { response: 'refuted opening/commitment-mismatch' },
  ],
  [
    'a commitment under another salt',
    { cheats: { responseLabel: 'response-received' } },
    'refuted',
    { response: 'refuted opening/commitment-mismatch' },
  ],
  [
    'a commitment to another request',
    { cheats: { request: flipLast } },
    'refuted',
    { request: 'refuted opening/commitment-mismatch' },
  ],
  ['another nonce', { cheats: { nonce: () => 'replayed' } }, 'refuted', { nonce: 'refuted statement/mismatch' }],
  ['no nonce', { cheats: { nonce: () => undefined } }, 'refuted', { nonce: 'refuted statement/mismatch' }],
  [
    'no key is pinned',
    { trust: () => undefined },
    'unproven',
    { promise: 'unproven policy/unknown-log', ...unproven(REST), ...missing('log') },
  ],
  [
    'the key of another log is pinned',
    { trust: () => new LogDouble('another.example/log').verifierKey },
    'unproven',
    { promise: 'unproven policy/unknown-log', ...unproven(REST), ...missing('log') },
  ],
  [
    'another key of the log’s name is pinned',
    { trust: () => new LogDouble().verifierKey },
    'refuted',
    { promise: 'refuted note/no-known-signature', ...unproven(REST), ...missing('log') },
  ],
  [
    'a stranger signs under the log’s name',
    { cheats: { log: new LogDouble() } },
    'refuted',
    { promise: 'refuted note/no-known-signature', ...unproven(REST), ...missing('log') },
  ],
  [
    'a forged promise',
    { isStream: true, cheats: { promises: (line) => [corrupt(line)] } },
    'refuted',
    { promise: 'refuted note/bad-signature', ...unproven(REST), ...missing('log') },
  ],
  ['no promise', { isStream: true, cheats: { promises: () => [] } }, 'unproven', missing(`promise ${REST} log`)],
  [
    'two promises',
    { isStream: true, cheats: { promises: (line) => [line, line] } },
    'refuted',
    { promise: 'refuted promise/malformed', ...unproven(REST), ...missing('log') },
  ],
  [
    'a promise that is none',
    { isStream: true, cheats: { promises: () => ['bm90'] } },
    'refuted',
    { promise: 'refuted note/malformed', ...missing(`${REST} log`) },
  ],
  [
    'a comment in another form',
    { isStream: true, cheats: { comment: (line) => `: countersign-promise ${line}\r\n\r\n` } },
    'refuted',
    { promise: 'refuted promise/malformed', ...missing(`${REST} log`) },
  ],
  [
    'a second comment in another form',
    { isStream: true, seen: { body: (body) => concat(utf8(': countersign-promise x\r\n\r\n'), body) } },
    'refuted',
    {
      promise: 'refuted promise/malformed',
      ...unproven(REST),
      response: 'refuted opening/commitment-mismatch',
      ...missing('log'),
    },
  ],
  [
    'another promise in the header than in the stream',
    { isStream: true, cheats: { promises: (line) => [corrupt(line)] }, headers: bothPromises },
    'refuted',
    { promise: 'refuted promise/malformed', ...unproven(REST), ...missing('log') },
  ],
  [
    'a comment in another form beside a promise in the header',
    { isStream: true, cheats: { comment: () => ': countersign-promise x\n' }, headers: bothPromises },
    'refuted',
    {
      promise: 'refuted promise/malformed',
      ...unproven(REST),
      response: 'refuted opening/commitment-mismatch',
      ...missing('log'),
    },
  ],
  [
    'a header that is no promise',
    { headers: () => ({ 'countersign-promise': '!' }) },
    'refuted',
    { promise: 'refuted bytes/bad-base64', ...missing(`${REST} log`) },
  ],
  ['no secret', { headers: () => ({ 'countersign-secret': undefined }) }, 'unproven', missing('receipt')],
  [
    'no salts',
    { headers: () => ({ 'countersign-salts': undefined }) },
    'unproven',
    missing('receipt request response'),
  ],
  [
    'other salts',
    { headers: () => ({ 'countersign-salts': 'A'.repeat(43) }) },
    'refuted',
    { request: 'refuted opening/commitment-mismatch', response: 'refuted opening/commitment-mismatch' },
  ],
  [
    'another statement than the promised one',
    { statement: ({ log, index }) => ({ value: log.envelope(log.append(resequenced(log.envelope(index))).index) }) },
    'refuted',
    { statement: 'refuted statement/mismatch', ...missing('nonce request response') },
  ],
  [
    'a promise for another receipt',
    { cheats: { promiseReceipt: '0f'.repeat(16) } },
    'refuted',
    { promise: 'refuted promise/mismatch', ...unproven(REST), ...missing('log') },
  ],
  [
    'a statement for another receipt',
    { cheats: { statementReceipt: '0f'.repeat(16) } },
    'refuted',
    { statement: 'refuted statement/mismatch', ...missing('nonce request response') },
  ],
  [
    'the receipt of another entry',
    { place: ({ log }) => log.bundle(0) },
    'refuted',
    { log: 'refuted promise/mismatch' },
  ],
  [
    'the receipt of another log',
    { place: ({ log, index }) => new LogDouble().forge(log, index) },
    'refuted',
    { log: 'refuted note/no-known-signature' },
  ],
  ['an answer that was cut', { ending: 'broken' }, 'unproven', missing('response')],
  ['an answer that was not read to its end', { ending: 'cancelled' }, 'unproven', missing('response')],
  [
    'a gateway that cannot be reached',
    { statement: () => ({ failure: new CountersignError('gateway/unreachable', '') }) },
    'unproven',
    { statement: 'unproven gateway/unreachable', ...missing('nonce request response') },
  ],
]

for (const [name, options, status, different] of CASES) {
  test(`${status}: ${name}`, () => expectOnly(options, status, different))
}

test('any byte that is changed, in any stream, is found', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 })
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 255 }), (request, place, change) => {
      const changed = request.slice()
      changed[place % changed.length] = (changed[place % changed.length] ?? 0) ^ change
      const { results } = resultsOf({ cheats: { request: () => changed, response: () => changed } })
      assert.equal(results.response, 'refuted opening/commitment-mismatch' satisfies `refuted ${ErrorCode}`)
      assert.equal(results.request, 'refuted opening/commitment-mismatch')
    }),
    { numRuns: 50 },
  )
})

test('both platforms hash any pieces as one', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 })
  fc.assert(
    fc.property(pieces, (parts) => {
      const whole = platform.crypto.sha256(...parts)
      for (const { startSha256 } of [platform, createNoblePlatform()]) {
        const hash = startSha256()
        for (const part of parts) hash.update(part)
        assert.deepEqual(hash.digest(), whole)
      }
    }),
  )
})
