import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from './config-file.ts'
import { isLoopback } from './exposure.ts'
import { assertMistake, changedText, type LineChanges, type Mistake } from './mistakes.testing.ts'

const LINES = [
  'format: countersign-config/v1', // 1
  'access: keys', // 2
  'listen:', // 3
  '  port: 9000', // 4
  '  host: 0.0.0.0', // 5
  'tls: { certificate: tls/chain.pem, key: tls/key.pem }', // 6
  'trustedProxies: ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]', // 7
  'cors: { origins: ["https://app.example", "http://localhost:3000"] }', // 8
  'telemetry: { otlpUrl: "http://127.0.0.1:4318/", metrics: false }', // 9
  'operator:', // 10
  '  name: Example Operator', // 11
  '  contact: operator@example.org', // 12
  'upstreams:', // 13
  '  provider:', // 14
  '    kind: openai', // 15
  '    baseUrl: https://api.example.org/v1', // 16
  '    credential: { env: PROVIDER_KEY }', // 17
  'deployments:', // 18
  '  assistant:', // 19
  '    route: [{ upstream: provider }]', // 20
  '    accountable: { party: A, contact: b, publicKey: c.pem }', // 21
]

const text = (changes: LineChanges = {}) => changedText(LINES, changes)

test('who can reach the gateway is read', () => {
  const config = parseConfig(text(), '/etc')
  assert.equal(config.access, 'keys')
  assert.deepEqual(config.listen, { host: '0.0.0.0', port: 9000 })
  assert.deepEqual(config.tls, { certificateFile: '/etc/tls/chain.pem', keyFile: '/etc/tls/key.pem' })
  assert.deepEqual(config.trustedProxies, [
    { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
    { address: 'fd00::', prefix: 8, family: 'ipv6' },
    { address: '192.0.2.7', prefix: 32, family: 'ipv4' },
  ])
  assert.deepEqual(config.cors, { origins: ['https://app.example', 'http://localhost:3000'] })
  assert.deepEqual(config.telemetry, { otlpUrl: 'http://127.0.0.1:4318', metrics: false })
})

test('nobody can spend the gateway’s credential from afar without a key', () => {
  const unsafe: Mistake = {
    what: 'open to the network',
    changes: { 2: 'access: open' },
    line: 5,
    says: /whoever reaches "0\.0\.0\.0" could spend the credential of upstream "provider"; say "access: keys"/,
  }
  assertMistake(LINES, unsafe, 'config/unsafe-listen')
  assertMistake(LINES, { ...unsafe, changes: { 2: undefined }, line: 4 }, 'config/unsafe-listen')
  for (const changes of [
    { 2: 'access: open', 5: '  host: 127.0.0.1' },
    { 2: 'access: open', 17: '    credential: client' },
    { 2: 'access: open', 17: '    credential: none' },
  ]) {
    assert.equal(parseConfig(text(changes), '/etc').access, 'open')
  }
})

test('loopback is this machine alone', () => {
  for (const host of ['localhost', '::1', '127.0.0.1', '127.1.2.3']) assert.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost.example', '127.0.0.1.example', '127.1', '']) {
    assert.ok(!isLoopback(host), host)
  }
})

const MISTAKES: readonly Mistake[] = [
  { what: 'another access', changes: { 2: 'access: closed' }, line: 2, says: /expected one of open, keys/ },
  {
    what: 'a certificate without a key',
    changes: { 6: 'tls: { certificate: a }' },
    line: 6,
    says: /tls\.key: this field/,
  },
  ...['10.0.0.0/33', 'fd00::/129', '10.0.0/8', 'example.org', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', '::g/8'].map(
    (range) => ({
      what: `the range ${range}`,
      changes: { 7: `trustedProxies: ["${range}"]` },
      line: 7,
      says: /trustedProxies\[0\]: .* is not a range such as 10\.0\.0\.0\/8/,
    }),
  ),
  ...[
    '*',
    'null',
    'app.example',
    'https://app.example/',
    'https://app.example/a',
    'ftp://app.example',
    'https://A.example',
  ].map((origin) => ({
    what: `the origin ${origin}`,
    changes: { 8: `cors: { origins: ["${origin}"] }` },
    line: 8,
    says: /cors\.origins\[0\]: .* is not an origin such as https:\/\/app\.example/,
  })),
  {
    what: 'traces to no URL',
    changes: { 9: 'telemetry: { otlpUrl: here }' },
    line: 9,
    says: /telemetry\.otlpUrl: expected a URL/,
  },
  { what: 'metrics in words', changes: { 9: 'telemetry: { metrics: "on" }' }, line: 9, says: /expected true or false/ },
]

for (const mistake of MISTAKES) {
  test(`${mistake.what}: refused, with the line and what to write`, () => assertMistake(LINES, mistake))
}
