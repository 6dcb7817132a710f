import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DIALECTS } from '../dialects/dialects.ts'
import { OPEN_INFERENCE } from '../dialects/open-inference.ts'
import { HTTP_KINDS, type HttpKind, KIND_DIALECTS, upstreamPath } from './kinds.ts'

const ROOT = { basePath: '', query: [] }

test('paths go where providers document them', () => {
  const cases: readonly [HttpKind, string, string, string][] = [
    ['openai', '/v1', '/v1/chat/completions', '/v1/chat/completions'],
    ['openai', '', '/v1/chat/completions', '/chat/completions'],
    ['openai', '/openai/deployments/four', '/v1/embeddings', '/openai/deployments/four/embeddings'],
    ['openai', '/v1', '/v1/responses/resp_1/input_items?limit=2', '/v1/responses/resp_1/input_items?limit=2'],
    ['anthropic', '', '/v1/messages?beta=true', '/v1/messages?beta=true'],
    ['anthropic', '/proxy', '/v1/messages', '/proxy/v1/messages'],
    ['kserve', '/serving', '/v2/models/org%2Fname/infer', '/serving/v2/models/org%2Fname/infer'],
  ]
  for (const [kind, basePath, client, expected] of cases) {
    assert.equal(upstreamPath(kind, { basePath, query: [] }, client), expected)
  }
})

test('the place’s own parameters win over the client’s', () => {
  const place = { basePath: '/v1', query: [['api-version', '2024 10&21']] as const }
  assert.equal(upstreamPath('openai', place, '/v1/embeddings'), '/v1/embeddings?api-version=2024%2010%2621')
  assert.equal(
    upstreamPath('openai', place, '/v1/embeddings?a=%20b&api-version=old&api%2dversion=older&c'),
    '/v1/embeddings?a=%20b&c&api-version=2024%2010%2621',
  )
})

test('no path leads out of the base path, or to another API', () => {
  for (const path of [
    '/v1/../admin',
    '/v1/%2e%2E/admin',
    '/v1/x/..',
    '/v1/x/.%2e?y',
    '/v1/x%2f..%2fy',
    '/v1/x\\..\\y',
    '/v1/..;/admin',
    '/v1/./x',
    '/v1/..#',
    '/v1/x?y#z',
    '/v2/models',
    '/v1',
    '/admin',
    'https://elsewhere.invalid/v1/',
    '',
  ]) {
    assert.throws(() => upstreamPath('openai', ROOT, path), { code: 'request/not-found' }, path)
  }
  assert.equal(upstreamPath('openai', ROOT, '/v1/files/a..b/...?x=../y'), '/files/a..b/...?x=../y')
})

test('whatever the path, what is asked for stays under the base path', () => {
  const pieces = fc.array(fc.constantFrom('/', '.', '..', '%2e', '%2F', '\\', ';', 'a', '?', '#', '//'))
  fc.assert(
    fc.property(pieces, (parts) => {
      const path = `/v1/${parts.join('')}`
      let target: string
      try {
        target = upstreamPath('openai', { basePath: '/base/v1', query: [] }, path)
      } catch {
        return
      }
      const { pathname } = new URL(target, 'http://upstream.invalid')
      assert.ok(pathname.startsWith('/base/v1/'), `${path} led to ${pathname}`)
    }),
    { numRuns: 2000 },
  )
})

test('every dialect has a kind that answers it', () => {
  const answered = new Set(Object.values(KIND_DIALECTS).flat())
  const dialects = [...DIALECTS, OPEN_INFERENCE]
  assert.deepEqual(answered, new Set(dialects.map(({ name }) => name)))
  for (const { name, path } of dialects) {
    for (const [kind, { clientPath }] of Object.entries(HTTP_KINDS)) {
      if (KIND_DIALECTS[kind as HttpKind].includes(name)) assert.ok(path.startsWith(clientPath))
    }
  }
})
