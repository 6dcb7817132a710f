import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { corsHeaders, preflightReply } from './cors.ts'

const CORS = { origins: ['https://app.example', 'http://localhost:3000'] }
const ASK = { origin: 'https://app.example', 'access-control-request-method': 'POST' }

test('a page of a listed origin may read the answer, its record and its id', () => {
  const headers = corsHeaders(CORS, { origin: 'https://app.example' })
  assert.equal(headers['access-control-allow-origin'], 'https://app.example')
  assert.equal(headers.vary, 'Origin')
  const exposed = headers['access-control-expose-headers']?.toLowerCase().split(', ') ?? []
  for (const name of ['receipt', 'secret', 'promise', 'salts']) assert.ok(exposed.includes(`countersign-${name}`), name)
  for (const name of ['request-id', 'x-request-id', 'retry-after']) assert.ok(exposed.includes(name), name)
})

test('no other origin is told anything, but that the answer depends on it', () => {
  for (const origin of [
    undefined,
    'null',
    '*',
    '',
    'https://app.example.attacker.test',
    'https://attacker.test/https://app.example',
    'https://sub.app.example',
    'http://app.example',
    'https://app.example:443',
    'https://app.example/',
    'HTTPS://APP.EXAMPLE',
  ]) {
    const headers = origin === undefined ? {} : { origin }
    assert.deepEqual(corsHeaders(CORS, headers), { vary: 'Origin' }, origin)
    const reply = preflightReply(CORS, 'OPTIONS', { ...ASK, origin })
    if (origin === undefined) assert.equal(reply, undefined)
    else assert.deepEqual(Object.keys(reply?.headers ?? {}), ['vary'], origin)
  }
})

test('nothing is said where no origin is configured', () => {
  assert.deepEqual(corsHeaders({ origins: [] }, { origin: 'https://app.example' }), {})
  assert.equal(preflightReply({ origins: [] }, 'OPTIONS', ASK), undefined)
})

test('what the libraries of providers send along is allowed, and nothing else', () => {
  const asked = [
    'Authorization',
    'content-type',
    'x-api-key',
    'anthropic-version',
    'anthropic-beta',
    'openai-organization',
    'OpenAI-Project',
    'x-stainless-lang',
    'countersign-nonce',
    'countersign-subject',
    'idempotency-key',
  ]
  const refused = ['cookie', 'x-forwarded-for', 'forwarded', 'countersign-receipt', 'openai-\u0000', 'a b', '']
  const headers = { ...ASK, 'access-control-request-headers': [...asked, ...refused].join(',') }
  const reply = preflightReply(CORS, 'OPTIONS', headers)
  assert.deepEqual(reply, {
    status: 204,
    headers: {
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': asked.join(', ').toLowerCase(),
      'access-control-max-age': '7200',
    },
  })
})

test('only a preflight is answered here', () => {
  assert.equal(preflightReply(CORS, 'POST', ASK), undefined)
  assert.equal(preflightReply(CORS, 'OPTIONS', { origin: 'https://app.example' }), undefined)
  assert.equal(preflightReply(CORS, 'OPTIONS', { 'access-control-request-method': 'POST' }), undefined)
})

test('whatever is asked for: never a wildcard, never cookies, never a header that splits', () => {
  const origin = fc.oneof(fc.constantFrom('https://app.example', 'null', '*'), fc.string())
  fc.assert(
    fc.property(origin, fc.oneof(fc.string(), fc.string({ minLength: 4090, maxLength: 5000 })), (from, asked) => {
      const request = { ...ASK, origin: from, 'access-control-request-headers': `openai-x,${asked}` }
      const reply = preflightReply(CORS, 'OPTIONS', request)
      for (const headers of [corsHeaders(CORS, request), reply?.headers ?? {}]) {
        const allowed = headers['access-control-allow-origin']
        assert.ok(allowed === undefined || CORS.origins.includes(allowed))
        assert.equal('access-control-allow-credentials' in headers, false)
        for (const value of Object.values(headers)) assert.match(value, /^[ -~]+$/)
      }
    }),
  )
})
