import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LLAMA_PROFILE, NATIVE_PROFILE, REFERENCE_PROFILE } from '@countersign/engines'
import { CountersignError } from '@countersign/verify'
import fc from 'fast-check'
import {
  DEFAULT_BREAKER,
  DEFAULT_CONCURRENCY,
  DEFAULT_LIMITS,
  DEFAULT_RETRIES,
  DEFAULT_TIMEOUTS,
  exampleConfig,
} from './config.ts'
import { parseConfig } from './config-file.ts'
import { assertMistake, changedText, type LineChanges, type Mistake, SECRET } from './mistakes.testing.ts'

const LINES = [
  'format: countersign-config/v1', // 1
  'access: open', // 2
  'listen:', // 3
  '  host: 127.0.0.1', // 4
  'operator:', // 5
  '  name: Example Operator', // 6
  '  contact: operator@example.org', // 7
  'upstreams:', // 8
  '  provider:', // 9
  '    kind: openai', // 10
  '    baseUrl: https://api.example.org/v1/', // 11
  '    credential: { env: PROVIDER_KEY }', // 12
  '    credentialHeader: Api-Key', // 13
  '    query: { api-version: "2024-10-21" }', // 14
  '    headers:', // 15
  '      X-Team: blue team', // 16
  '    ca: certs/private.pem', // 17
  '    timeouts: { connectMs: 1000, idleMs: 60000 }', // 18
  '    concurrency: 8', // 19
  '    breaker: { failures: 2 }', // 20
  '  other.near:', // 21
  '    kind: kserve', // 22
  '    baseUrl: http://[::1]:8000', // 23
  'deployments:', // 24
  '  assistant:', // 25
  '    route:', // 26
  '      - upstream: provider', // 27
  '        model: large-1', // 28
  '        weight: 3', // 29
  '      - upstream: other.near', // 30
  '        rank: 1', // 31
  '    answersTo: ["large", "large-*"]', // 32
  '    changes:', // 33
  '      - { op: set-default, path: /temperature, value: 0.5 }', // 34
  '    cache: { maxAgeSeconds: 600 }', // 35
  '    retries: { attempts: 2 }', // 36
  '    prices: catalogue', // 37
  '    accountable:', // 38
  '      party: Example Party', // 39
  '      contact: appeals@example.org', // 40
  '      publicKey: party.pem', // 41
  '  maker/small-2.5:7b:', // 42
  '    model: { path: models/small.GGUF }', // 43
  '    prices:', // 44
  '      - { item: output-tokens, amountMicros: 600000, currency: USD, per: 1000000 }', // 45
  '    accountable:', // 46
  '      party: Example Party', // 47
  '      contact: appeals@example.org', // 48
  '      publicKey: party.pem', // 49
]

const text = (changes: LineChanges = {}) => changedText(LINES, changes)

test('upstreams are read, with their defaults', () => {
  const { upstreams } = parseConfig(text(), '/etc/countersign')
  assert.deepEqual(upstreams, [
    {
      name: 'provider',
      kind: 'openai',
      baseUrl: 'https://api.example.org/v1',
      credential: { env: 'PROVIDER_KEY' },
      credentialHeader: 'api-key',
      query: [['api-version', '2024-10-21']],
      headers: [['x-team', 'blue team']],
      caFile: '/etc/countersign/certs/private.pem',
      timeouts: { ...DEFAULT_TIMEOUTS, connectMs: 1000, idleMs: 60_000 },
      concurrency: 8,
      breaker: { ...DEFAULT_BREAKER, failures: 2 },
      place: undefined,
    },
    {
      name: 'other.near',
      kind: 'kserve',
      baseUrl: 'http://[::1]:8000',
      credential: 'none',
      credentialHeader: undefined,
      query: [],
      headers: [],
      caFile: undefined,
      timeouts: DEFAULT_TIMEOUTS,
      concurrency: DEFAULT_CONCURRENCY,
      breaker: DEFAULT_BREAKER,
      place: undefined,
    },
  ])
})

test('how an upstream signs its answers is read, by scheme', () => {
  const signatureOf = (value: string) => {
    const given = `    breaker: { failures: 2 }\n    answerSignature: ${value}`
    return parseConfig(text({ 20: given }), '/etc').upstreams[0]?.answerSignature
  }
  assert.deepEqual(signatureOf('{ scheme: near-ai }'), { scheme: 'near-ai' })
  assert.deepEqual(signatureOf('{ scheme: aci }'), { scheme: 'aci' })
  const publicKey = new Uint8Array([1, 2, 3])
  assert.deepEqual(signatureOf('{ scheme: opengradient, publicKey: AQID }'), { scheme: 'opengradient', publicKey })
  for (const wrong of [
    'near-ai',
    '{ scheme: other }',
    '{ scheme: opengradient }',
    '{ scheme: aci, publicKey: AQID }',
  ]) {
    assert.throws(() => signatureOf(wrong), CountersignError, wrong)
  }
})

test('deployments of a route and of a language model are read, with their defaults', () => {
  const [assistant, small] = parseConfig(text(), '/etc').deployments
  assert.ok(assistant !== undefined && small !== undefined)
  assert.equal(assistant.model, undefined)
  assert.deepEqual(assistant.route, [
    { upstream: 'provider', model: 'large-1', weight: 3, rank: 0 },
    { upstream: 'other.near', weight: 1, rank: 1 },
  ])
  assert.deepEqual(assistant.answersTo, ['large', 'large-*'])
  assert.deepEqual(assistant.changes, [{ op: 'set-default', path: '/temperature', value: 0.5 }])
  assert.deepEqual(assistant.cache, { maxAgeSeconds: 600 })
  assert.deepEqual(assistant.retries, { ...DEFAULT_RETRIES, attempts: 2 })
  assert.equal(assistant.prices, 'catalogue')
  assert.equal(small.name, 'maker/small-2.5:7b')
  assert.deepEqual(small.model, {
    kind: 'llama',
    path: '/etc/models/small.GGUF',
    profile: LLAMA_PROFILE.id,
    referenceProfile: LLAMA_PROFILE.id,
    agreement: 'tolerant',
  })
  assert.deepEqual(small.route, [])
  assert.deepEqual(small.answersTo, ['maker/small-2.5:7b'])
  assert.deepEqual(small.retries, DEFAULT_RETRIES)
  assert.deepEqual(small.prices, [{ item: 'output-tokens', amountMicros: 600_000, currency: 'USD', per: 1_000_000 }])
})

test('the credential of a client, none, and a file', () => {
  const credentialOf = (written: string) =>
    parseConfig(text({ 12: `    credential: ${written}`, 13: undefined }), '/etc').upstreams[0]?.credential
  assert.equal(credentialOf('client'), 'client')
  assert.equal(credentialOf('none'), 'none')
  assert.deepEqual(credentialOf('{ file: keys/provider }'), { file: '/etc/keys/provider' })
})

test('the example is what a file with nothing but its deployment would give', () => {
  const example = exampleConfig('/data', '/models/credit.onnx')
  assert.deepEqual(example.limits, DEFAULT_LIMITS)
  assert.deepEqual(example.upstreams, [])
  assert.deepEqual(example.deployments[0]?.answersTo, ['credit'])
  assert.equal(example.deployments[0]?.model?.profile, NATIVE_PROFILE.id)
  assert.equal(example.deployments[0]?.model?.referenceProfile, REFERENCE_PROFILE.id)
})

const UPSTREAM_MISTAKES: readonly Mistake[] = [
  { what: 'a bad name', changes: { 9: '  "a b":' }, line: 8, says: /"a b" is not a name of letters, digits/ },
  { what: 'a kind of the gateway’s own', changes: { 10: '    kind: llama' }, line: 10, says: /expected one of openai/ },
  { what: 'no URL', changes: { 11: '    baseUrl: api.example.org' }, line: 11, says: /such as https:\/\/api\.example/ },
  { what: 'another scheme', changes: { 11: '    baseUrl: ftp://example.org' }, line: 11, says: /expected a URL/ },
  {
    what: 'a credential in the URL',
    changes: { 11: `    baseUrl: https://user:${SECRET}@example.org` },
    line: 11,
    says: /holds no credential here; say "credential"/,
  },
  {
    what: 'a query in the URL',
    changes: { 11: `    baseUrl: https://example.org/?key=${SECRET}` },
    line: 11,
    says: /without a query/,
  },
  { what: 'an empty query', changes: { 11: '    baseUrl: https://example.org/?' }, line: 11, says: /without a query/ },
  {
    what: 'the credential itself',
    changes: { 12: `    credential: sk-${SECRET}` },
    line: 12,
    says: /credential: expected "client", "none", "file: PATH" or "env: NAME", never the secret itself/,
  },
  {
    what: 'the credential in place of the name of a variable',
    changes: { 12: `    credential: { env: "sk-${SECRET}" }` },
    line: 12,
    says: /credential\.env: expected the name of an environment variable/,
  },
  {
    what: 'two places for a credential',
    changes: { 12: '    credential: { env: A, file: b }' },
    line: 12,
    says: /either "file: PATH" or "env: NAME"/,
  },
  {
    what: 'a header for no credential',
    changes: { 12: '    credential: none' },
    line: 13,
    says: /there is no credential to put there/,
  },
  { what: 'a header with a space', changes: { 13: '    credentialHeader: a b' }, line: 13, says: /name of a header/ },
  { what: 'a header of ours', changes: { 13: '    credentialHeader: Countersign-X' }, line: 13, says: /gateway’s own/ },
  { what: 'a number in a query', changes: { 14: '    query: { v: 1 }' }, line: 14, says: /query\.v: expected a text/ },
  {
    what: 'a secret as a header',
    changes: { 16: `      Authorization: Bearer ${SECRET}` },
    line: 15,
    says: /authorization carries a secret; say "credential"/,
  },
  {
    what: 'a header of the connection',
    changes: { 16: '      Host: a' },
    line: 15,
    says: /host is set by the gateway/,
  },
  { what: 'a header twice', changes: { 16: '      x-a: b\n      X-A: c' }, line: 15, says: /"x-a" stands there twice/ },
  { what: 'a header in another script', changes: { 16: '      x-a: é' }, line: 16, says: /visible ASCII/ },
  { what: 'authorities for http', changes: { 11: '    baseUrl: http://a' }, line: 17, says: /for https alone/ },
  { what: 'a timeout of nothing', changes: { 18: '    timeouts: { idleMs: 0 }' }, line: 18, says: /expected 1 to/ },
  {
    what: 'an unknown timeout',
    changes: { 18: '    timeouts: { totalMs: 1 }' },
    line: 18,
    says: /known are connectMs/,
  },
  { what: 'no concurrency', changes: { 19: '    concurrency: 0' }, line: 19, says: /expected 1 to 4096/ },
  {
    what: 'a breaker that never breaks',
    changes: { 20: '    breaker: { failures: 0 }' },
    line: 20,
    says: /expected 1/,
  },
]

const DEPLOYMENT_MISTAKES: readonly Mistake[] = [
  {
    what: 'an upstream that there is not',
    changes: { 27: '      - upstream: elsewhere' },
    line: 27,
    says: /route\[0\]\.upstream: no upstream is called "elsewhere"; there are: provider, other\.near/,
  },
  {
    what: 'the same upstream twice',
    changes: { 30: '      - upstream: provider', 31: '        model: large-1' },
    line: 30,
    says: /route\[1\]: this upstream stands there twice; give it more weight/,
  },
  { what: 'no weight', changes: { 29: '        weight: 0' }, line: 29, says: /weight: expected 1 to 1000000/ },
  { what: 'a rank below all', changes: { 31: '        rank: -1' }, line: 31, says: /rank: expected 0 to 63/ },
  {
    what: 'a route to nowhere',
    changes: { 26: '    route: []', 27: undefined, 28: undefined, 29: undefined, 30: undefined, 31: undefined },
    line: 26,
    says: /route: expected at least one upstream/,
  },
  {
    what: 'model and route',
    changes: { 32: '    model: { path: a.onnx }' },
    line: 26,
    says: /expected either "model" or "route", not both/,
  },
  {
    what: 'a star in a name',
    changes: { 32: '    answersTo: ["a*b"]' },
    line: 32,
    says: /a \* that is not at its end/,
  },
  { what: 'no name at all', changes: { 32: '    answersTo: []' }, line: 32, says: /expected at least one/ },
  {
    what: 'a name that another deployment has',
    changes: { 32: '    answersTo: ["large", "maker/small-2.5:7b"]' },
    line: 42,
    says: /"assistant" and "maker\/small-2\.5:7b" both answer to "maker\/small-2\.5:7b"; take it from one/,
  },
  {
    what: 'a pattern that another deployment has',
    changes: { 43: '    model: { path: a.gguf }\n    answersTo: ["large-*"]' },
    line: 44,
    says: /both answer to "large-\*"/,
  },
  {
    what: 'a change of the model',
    changes: { 34: '      - { op: set, path: /model, value: other }' },
    line: 34,
    says: /\/model is not for a deployment to change/,
  },
  {
    what: 'a change below the top',
    changes: { 34: '      - { op: set, path: /a/b, value: 1 }' },
    line: 34,
    says: /changes\[0\]\.path/,
  },
  {
    what: 'a change to a number that is not exact',
    changes: { 34: '      - { op: set, path: /seed, value: 18446744073709551615 }' },
    line: 34,
    says: /changes\[0\]\.value: expected whole numbers up to 9007199254740991/,
  },
  {
    what: 'a change to no number',
    changes: { 34: '      - { op: set, path: /seed, value: .inf }' },
    line: 34,
    says: /changes\[0\]\.value: expected whole numbers/,
  },
  { what: 'a cache for no time', changes: { 35: '    cache: { maxAgeSeconds: 0 }' }, line: 35, says: /expected 1 to/ },
  { what: 'too many tries', changes: { 36: '    retries: { attempts: 65 }' }, line: 36, says: /expected 1 to 64/ },
  { what: 'another word for prices', changes: { 37: '    prices: usual' }, line: 37, says: /prices: expected a list/ },
  {
    what: 'a name with an empty part',
    changes: { 42: '  maker//small:' },
    line: 24,
    says: /"maker\/\/small" is not a name of letters, digits, \. _ : \/ -/,
  },
  { what: 'a name that leads up', changes: { 42: '  maker/../small:' }, line: 24, says: /is not a name/ },
  {
    what: 'a profile of tensors for a language model',
    changes: { 43: `    model: { path: a.gguf, profile: ${NATIVE_PROFILE.id} }` },
    line: 43,
    says: /profile: expected one of llama-/,
  },
  {
    what: 'a profile that there is not',
    changes: { 43: '    model: { path: a.onnx, profile: other }' },
    line: 43,
    says: /profile: expected one of ort-node/,
  },
  {
    what: 'a language model that promises exact agreement',
    changes: { 43: '    model: { path: a.gguf, agreement: exact }' },
    line: 43,
    says: /a language model promises no exact agreement/,
  },
  {
    what: 'the catalogue for a model of one’s own',
    changes: { 44: '    prices: catalogue', 45: undefined },
    line: 44,
    says: /the catalogue has prices of upstreams/,
  },
  {
    what: 'a cache for a model that takes tensors',
    changes: { 43: '    model: { path: a.onnx }\n    cache: { maxAgeSeconds: 1 }' },
    line: 44,
    says: /"cache" is for a route or a language model/,
  },
  { what: 'a price for no units', changes: { 45: LINES[44]?.replace('1000000 }', '0 }') }, line: 45, says: /per: exp/ },
]

for (const mistake of [...UPSTREAM_MISTAKES, ...DEPLOYMENT_MISTAKES]) {
  test(`${mistake.what}: refused, with the line and what to write`, () => assertMistake(LINES, mistake))
}

test('any text of these pieces: a configuration or a typed error, never a crash', () => {
  const change = fc.tuple(
    fc.nat(LINES.length),
    fc.constantFrom(...LINES, '', '- a', '  b: [', ': {}', '*a', '        x: .nan'),
  )
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      try {
        parseConfig(text(Object.fromEntries(changes)), '/etc')
      } catch (thrown) {
        assert.ok(thrown instanceof CountersignError, String(thrown))
        assert.equal(thrown.code, 'config/malformed')
        assert.match(thrown.message, /^line \d+: /)
      }
    }),
    { numRuns: 300 },
  )
})

test('where clients send keys of the gateway, no upstream is opened by its clients', () => {
  const text = (access: string) =>
    [
      'format: countersign-config/v1',
      'operator: { name: Op, contact: op@example.org }',
      `access: ${access}`,
      'upstreams:',
      '  far: { kind: openai, baseUrl: "https://api.example/v1", credential: client }',
      'deployments:',
      '  far:',
      '    route: [{ upstream: far }]',
      '    accountable: { party: P, contact: c, publicKey: p.pem }',
    ].join('\n')
  parseConfig(text('open'), '/')
  assert.throws(() => parseConfig(text('keys'), '/'), {
    code: 'config/malformed',
    message: /^line 5: .*key of the gateway/,
  })
})
