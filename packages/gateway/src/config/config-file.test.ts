import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CountersignError } from '@countersign/verify'
import fc from 'fast-check'
import {
  DEFAULT_BREAKER,
  DEFAULT_CONCURRENCY,
  DEFAULT_DEADLINES,
  DEFAULT_LIMITS,
  DEFAULT_LISTEN,
  DEFAULT_RETRIES,
  DEFAULT_TARGET,
  DEFAULT_TELEMETRY,
  DEFAULT_TIMEOUTS,
} from './config.ts'
import { parseConfig, readConfigFile } from './config-file.ts'
import { assertMistake, changedText, type LineChanges, type Mistake, SECRET } from './mistakes.testing.ts'
import { DEFAULT_COLLATERAL, NO_OWN_PLACE } from './place-config.ts'

const LINES = [
  'format: countersign-config/v1', // 1
  'listen:', // 2
  '  host: 127.0.0.1', // 3
  '  port: 9000', // 4
  'data: data', // 5
  'origin: example.org/log', // 6
  'operator:', // 7
  '  name: Example Operator', // 8
  '  contact: operator@example.org', // 9
  'vaultKey:', // 10
  '  file: keys/vault.key', // 11
  'deployments:', // 12
  '  credit:', // 13
  '    model:', // 14
  '      path: models/credit.onnx', // 15
  '      agreement: exact', // 16
  '    vault: salts', // 17
  '    prices:', // 18
  '      - item: decision', // 19
  '        amountMicros: 1000', // 20
  '        currency: EUR', // 21
  '    accountable:', // 22
  '      party: Example Lender', // 23
  '      contact: appeals@example.org', // 24
  '      publicKey: lender.pem', // 25
  'writers:', // 26
  '  - party: Example Auditor', // 27
  '    publicKey: auditor.pem', // 28
  '    perDay: 5', // 29
  'limits:', // 30
  '  bodyBytes: 2048', // 31
]

const text = (changes: LineChanges = {}) => changedText(LINES, changes)

test('reads everything that may be said', () => {
  const config = parseConfig(text(), '/etc/countersign')
  assert.deepEqual(config, {
    listen: { host: '127.0.0.1', port: 9000 },
    access: 'open',
    tls: undefined,
    trustedProxies: [],
    cors: { origins: [] },
    telemetry: { otlpUrl: undefined, metrics: true },
    dataRoot: '/etc/countersign/data',
    origin: 'example.org/log',
    operator: { name: 'Example Operator', contact: 'operator@example.org' },
    vaultKey: { file: '/etc/countersign/keys/vault.key' },
    witnesses: undefined,
    upstreams: [],
    deployments: [
      {
        name: 'credit',
        model: {
          kind: 'onnx',
          path: '/etc/countersign/models/credit.onnx',
          profile: 'ort-node-1.30.0-cpu-disabled-1t',
          referenceProfile: 'ort-web-1.30.0-wasm-disabled-1t',
          agreement: 'exact',
        },
        route: [],
        answersTo: ['credit'],
        changes: [],
        cache: undefined,
        retries: DEFAULT_RETRIES,
        vault: 'salts',
        onFailure: 'flag',
        prices: [{ item: 'decision', amountMicros: 1000, currency: 'EUR' }],
        accountable: {
          party: 'Example Lender',
          contact: 'appeals@example.org',
          publicKeyFile: '/etc/countersign/lender.pem',
        },
        deadlines: DEFAULT_DEADLINES,
        quorum: undefined,
      },
    ],
    writers: [
      { party: 'Example Auditor', roles: ['accountable'], publicKeyFile: '/etc/countersign/auditor.pem', perDay: 5 },
    ],
    limits: { ...DEFAULT_LIMITS, bodyBytes: 2048 },
    ownPlace: NO_OWN_PLACE,
    collateral: DEFAULT_COLLATERAL,
    example: false,
  })
})

test('what is left out has a default', () => {
  const gone = [2, 3, 4, 5, 6, 10, 11, 16, 17, 18, 19, 20, 21, 26, 27, 28, 29, 30, 31]
  const config = parseConfig(text(Object.fromEntries(gone.map((line) => [line, undefined]))), '/etc')
  assert.deepEqual(config.listen, DEFAULT_LISTEN)
  assert.equal(config.dataRoot, '/etc/countersign-data')
  assert.equal(config.origin, undefined)
  assert.equal(config.vaultKey, undefined)
  assert.deepEqual(config.writers, [])
  assert.deepEqual(config.limits, DEFAULT_LIMITS)
  assert.equal(config.deployments[0]?.vault, 'content')
  assert.equal(config.deployments[0]?.model?.agreement, 'tolerant')
})

const MISTAKES: readonly Mistake[] = [
  { what: 'another format', changes: { 1: 'format: other' }, line: 1, says: /expected "countersign-config\/v1"/ },
  { what: 'no format', changes: { 1: undefined }, line: 1, says: /config\.format: this field is required/ },
  { what: 'a host that is no text', changes: { 3: '  host: 5' }, line: 3, says: /listen\.host: expected a text/ },
  { what: 'a port too large', changes: { 4: '  port: 70000' }, line: 4, says: /listen\.port: expected 0 to 65535/ },
  { what: 'a port in quotes', changes: { 4: '  port: "80"' }, line: 4, says: /expected an integer/ },
  { what: 'an origin with a space', changes: { 6: 'origin: a b' }, line: 6, says: /config\.origin/ },
  {
    what: 'an operator without a name',
    changes: { 8: undefined },
    line: 7,
    says: /operator\.name: this field is required/,
  },
  { what: 'an empty name', changes: { 8: '  name: ""' }, line: 8, says: /operator\.name: expected a text/ },
  { what: 'a name with control characters', changes: { 8: '  name: "a\\eb"' }, line: 8, says: /operator\.name/ },
  {
    what: 'an unknown field',
    changes: { 9: '  contact: a\n  phone: b' },
    line: 7,
    says: /unknown field "phone"; known are name, contact/,
  },
  {
    what: 'an unknown field at the top',
    changes: { 5: 'dta: data' },
    line: 1,
    says: /unknown field "dta"; known are .*data/,
  },
  {
    what: 'a secret inline',
    changes: { 10: `vaultKey: ${SECRET}`, 11: undefined },
    line: 10,
    says: /vaultKey: expected an object/,
  },
  {
    what: 'a secret as a value',
    changes: { 11: `  value: ${SECRET}` },
    line: 10,
    says: /unknown field "value"; known are file, env/,
  },
  {
    what: 'two places for a secret',
    changes: { 11: '  file: a\n  env: B' },
    line: 10,
    says: /either "file: PATH" or "env: NAME", never the secret itself/,
  },
  {
    what: 'no place for a secret',
    changes: { 10: 'vaultKey: {}', 11: undefined },
    line: 10,
    says: /either "file: PATH" or "env: NAME"/,
  },
  { what: 'no name of a variable', changes: { 11: '  env: "A-B"' }, line: 11, says: /vaultKey\.env/ },
  {
    what: 'a secret in place of the name of a variable',
    changes: { 11: `  env: sk-${SECRET}` },
    line: 11,
    says: /expected the name of an environment variable/,
  },
  {
    what: 'a deployment without a model',
    changes: { 14: undefined, 15: undefined, 16: undefined },
    line: 13,
    says: /credit: expected a "model" to load or a "route" to upstreams/,
  },
  { what: 'a model without a path', changes: { 15: undefined }, line: 14, says: /model\.path: this field is required/ },
  {
    what: 'an unknown agreement',
    changes: { 16: '      agreement: bits' },
    line: 16,
    says: /agreement: expected one of exact, tolerant/,
  },
  {
    what: 'an unknown vault mode',
    changes: { 17: '    vault: all' },
    line: 17,
    says: /vault: expected one of content, salts, none/,
  },
  {
    what: 'a negative price',
    changes: { 20: '        amountMicros: -1' },
    line: 20,
    says: /prices\[0\]\.amountMicros: expected 0 to/,
  },
  {
    what: 'a price with a fraction',
    changes: { 20: '        amountMicros: 0.5' },
    line: 20,
    says: /expected an integer/,
  },
  {
    what: 'a currency in words',
    changes: { 21: '        currency: Euro' },
    line: 21,
    says: /currency: expected at most 3/,
  },
  {
    what: 'an accountable party without a key',
    changes: { 25: undefined },
    line: 22,
    says: /accountable\.publicKey: this field is required/,
  },
  {
    what: 'a limit too small',
    changes: { 31: '  bodyBytes: 10' },
    line: 31,
    says: /limits\.bodyBytes: expected 1024 to/,
  },
  {
    what: 'a body that never fits',
    changes: { 31: '  bodyBytes: 2097152\n  bytesInFlight: 1048576' },
    line: 32,
    says: /limits\.bytesInFlight: expected at least bodyBytes and heldBytes, 4194304/,
  },
  {
    what: 'held answers without bounds',
    changes: { 31: '  heldBytes: 67108865' },
    line: 31,
    says: /limits\.heldBytes: expected 65536 to 67108864/,
  },
  {
    what: 'an unknown limit',
    changes: { 31: '  bodies: 10' },
    line: 30,
    says: /unknown field "bodies"; known are bodyBytes/,
  },
  {
    what: 'a bad deployment name',
    changes: { 13: '  "a b":' },
    line: 12,
    says: /"a b" is not a name of letters, digits/,
  },
  {
    what: 'no deployment at all',
    changes: Object.fromEntries(
      [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25].map((line) => [
        line,
        line === 12 ? 'deployments: {}' : undefined,
      ]),
    ),
    line: 12,
    says: /expected at least one deployment/,
  },
  { what: 'the same key twice', changes: { 9: '  name: Another' }, line: 9, says: /unique/ },
  { what: 'no YAML', changes: { 3: '  host: [1' }, line: 4, says: /./ },
  { what: 'a tab', changes: { 3: '\thost: a' }, line: 3, says: /./ },
]

for (const mistake of MISTAKES) {
  test(`${mistake.what}: refused, with the line and what to write`, () => assertMistake(LINES, mistake))
}

test('names with dots, colons and slashes: the line is found all the same', () => {
  for (const name of ['gpt-4.1', 'maker/model-2.5:7b', 'credit.model']) {
    const what = 'a name with dots'
    const changes = { 13: `  "${name}":`, 20: '        amountMicros: -1' }
    assertMistake(LINES, { what, changes, line: 20, says: /prices\[0\]\.amountMicros/ })
    assert.equal(parseConfig(text({ 13: `  "${name}":` }), '/etc').deployments[0]?.name, name)
  }
})

test('two names of which one begins like the other: each has its own lines', () => {
  const second = LINES.slice(12, 25).map((line) => line.replace('  credit:', '  credit.model:'))
  const both = [...LINES.slice(0, 25), ...second]
  const what = 'in the second'
  assertMistake(both, { what, changes: { 28: '      path: 5' }, line: 28, says: /credit\.model\.model\.path/ })
  assertMistake(both, { what, changes: { 15: '      path: 5' }, line: 15, says: /credit\.model\.path/ })
})

const HUGE_MAP = `format: x\nm:\n${Array.from({ length: 60_000 }, (_, i) => `  k${i}: 1\n`).join('')}`

const MAX_MICROSECONDS = 2_000_000

const BOMBS: readonly (readonly [string, string])[] = [
  ['an alias', 'a: &a [1]\nb: *a\n'],
  ['aliases of aliases', `a: &a [x, x]\n${'bcdefghij'.replace(/./g, (name) => `${name}: &${name} [*a, *a, *a]\n`)}`],
  ['many brackets', '['.repeat(100_000)],
  ['many maps in brackets', '{a: '.repeat(100_000)],
  ['many indentations', Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')],
  ['many list marks on a line', '- '.repeat(100_000)],
  ['a map of many keys', HUGE_MAP],
  ['a tag', 'format: !!js/function "x"\n'],
  ['two documents', 'a: 1\n---\na: 2\n'],
  ['nothing', ''],
  ['a list', '- a\n'],
  ['a byte that is no text', '\u0000'],
]

for (const [what, bomb] of BOMBS) {
  test(`${what}: refused at once`, () => {
    const started = process.cpuUsage()
    assert.throws(() => parseConfig(bomb, '/etc'), { name: 'CountersignError', code: 'config/malformed' })
    // Of this process alone: the machine may be busy with others.
    assert.ok(process.cpuUsage(started).user < MAX_MICROSECONDS, 'it took too long')
  })
}

test('any text: a configuration or a typed error, never a crash', () => {
  const pieces = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '-',
    '[',
    ']',
    '{',
    '}',
    '&',
    '*',
    '!',
    '|',
    '>',
    '"',
    "'",
    '#',
    '?',
    '%',
    '@',
    '0',
    '\t',
    ...LINES,
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      try {
        parseConfig(parts.join(''), '/etc')
      } catch (thrown) {
        assert.ok(thrown instanceof CountersignError, String(thrown))
        assert.equal(thrown.code, 'config/malformed')
      }
    }),
    { numRuns: 300 },
  )
})

test('the complete example is one, and shows the defaults', () => {
  const path = fileURLToPath(new URL('../../../../examples/countersign.yaml', import.meta.url))
  const { listen, limits, telemetry, upstreams, deployments } = readConfigFile(path)
  assert.deepEqual(
    { listen, limits, telemetry },
    { listen: DEFAULT_LISTEN, limits: DEFAULT_LIMITS, telemetry: DEFAULT_TELEMETRY },
  )
  const [{ timeouts, concurrency, breaker } = assert.fail()] = upstreams
  assert.deepEqual(
    { timeouts, concurrency, breaker },
    { timeouts: DEFAULT_TIMEOUTS, concurrency: DEFAULT_CONCURRENCY, breaker: DEFAULT_BREAKER },
  )
  const routed = deployments.find(({ route }) => route.length > 0)
  assert.deepEqual(routed?.retries, DEFAULT_RETRIES)
  assert.deepEqual(routed?.route, [{ upstream: 'provider', model: 'large-1', ...DEFAULT_TARGET }])
  assert.ok(deployments.every((each) => each.vault === 'content' && each.onFailure === 'flag'))
})

test('what is printed of a configuration names the place of a secret, and never the secret', () => {
  const variable = 'COUNTERSIGN_TEST_SECRET'
  process.env[variable] = SECRET
  try {
    const printed = JSON.stringify(parseConfig(text({ 11: `  env: ${variable}` }), '/etc'))
    assert.match(printed, new RegExp(variable))
    assert.doesNotMatch(printed, new RegExp(SECRET))
  } finally {
    delete process.env[variable]
  }
})

test('a file: relative to its folder; missing and too large are told apart', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-config-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'countersign.yaml')
  assert.throws(() => readConfigFile(path), { code: 'config/missing-file' })
  writeFileSync(path, text())
  assert.equal(readConfigFile(path).dataRoot, join(folder, 'data'))
  writeFileSync(path, `${text()}\n${'#'.repeat(1024 * 1024)}`)
  assert.throws(() => readConfigFile(path), { code: 'config/malformed' })
})
