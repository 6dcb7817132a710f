import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { clientCredentials, forwardedHeaders, MAX_HEADERS, MAX_HEADERS_LENGTH, returnedHeaders } from './headers.ts'

test('of a client’s headers goes on what means the request', () => {
  const raw = {
    Host: 'gateway.invalid',
    Connection: 'keep-alive, X-Private , close',
    'X-Private': 'dropped',
    'Keep-Alive': 'timeout=5',
    TE: 'trailers',
    Trailer: 'x',
    'Transfer-Encoding': 'chunked',
    Upgrade: 'h2c',
    'Content-Length': '3',
    Expect: '100-continue',
    'Accept-Encoding': 'gzip',
    Cookie: 'session=1',
    Authorization: 'Bearer client',
    'X-Api-Key': 'client',
    'Api-Key': 'client',
    'Proxy-Authorization': 'Basic x',
    'Proxy-Connection': 'close',
    Forwarded: 'for=10.0.0.1',
    'X-Forwarded-For': '10.0.0.1',
    'X-Forwarded-Anything': 'x',
    'X-Real-IP': '10.0.0.1',
    'Countersign-Subject': 'person',
    'Content-Type': 'application/json',
    'Idempotency-Key': 'once',
    'Anthropic-Version': '2023-06-01',
    'X-Stainless-Lang': 'js',
  }
  assert.deepEqual(forwardedHeaders(Object.entries(raw).flat()), [
    ['content-type', 'application/json'],
    ['idempotency-key', 'once'],
    ['anthropic-version', '2023-06-01'],
    ['x-stainless-lang', 'js'],
  ])
  assert.deepEqual(clientCredentials(Object.entries(raw).flat()), [
    ['authorization', 'Bearer client'],
    ['x-api-key', 'client'],
    ['api-key', 'client'],
  ])
})

test('a name may stand twice; what cannot be a header is dropped', () => {
  const raw = ['X-A', '1', 'x-a', '2', 'x-b', 'a\r\nx-c: 3', 'x-d', '\0', 'x e', '4', '', '5', 'x-f', 'Grü\tße']
  assert.deepEqual(forwardedHeaders(raw), [
    ['x-a', '1'],
    ['x-a', '2'],
    ['x-f', 'Grü\tße'],
  ])
})

test('too many or too long headers are refused', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => [`x-${i}`, 'v']).flat()
  assert.equal(forwardedHeaders(many(MAX_HEADERS)).length, MAX_HEADERS)
  assert.throws(() => forwardedHeaders(many(MAX_HEADERS + 1)), { code: 'request/too-large' })
  assert.throws(() => forwardedHeaders(['x', 'v'.repeat(MAX_HEADERS_LENGTH)]), { code: 'request/too-large' })
  assert.throws(() => returnedHeaders(many(MAX_HEADERS + 1), undefined), { code: 'upstream/malformed' })
})

test('of an upstream’s headers goes on what means the answer', () => {
  const raw = [
    ...['Content-Type', 'application/json', 'Content-Length', '12', 'Connection', 'close, X-Hop', 'X-Hop', 'dropped'],
    ...['Transfer-Encoding', 'chunked', 'Set-Cookie', 'a=1', 'Alt-Svc', 'h3=":443"'],
    ...['Strict-Transport-Security', 'max-age=1', 'Retry-After', '3', 'X-Debug', 'key was sk-secret!'],
    ...['X-Request-Id', 'req_1', 'Request-Id', 'req_2'],
  ]
  const { headers, hasForged, encoding, requestId } = returnedHeaders(raw, 'sk-secret')
  assert.deepEqual(headers, [
    ['content-type', 'application/json'],
    ['content-length', '12'],
    ['retry-after', '3'],
    ['x-request-id', 'req_1'],
    ['request-id', 'req_2'],
  ])
  assert.deepEqual([hasForged, encoding, requestId], [false, undefined, 'req_1'])
})

test('headers that look like ours are taken out, and it is said', () => {
  const { headers, hasForged } = returnedHeaders(['COUNTERSIGN-Receipt', 'forged', 'a', 'b'], undefined)
  assert.deepEqual([headers, hasForged], [[['a', 'b']], true])
})

test('an encoding takes the length with it', () => {
  const raw = ['content-length', '9', 'Content-Encoding', 'GZIP', 'a', 'b']
  const { headers, encoding } = returnedHeaders(raw, undefined)
  assert.deepEqual([headers, encoding], [[['a', 'b']], 'gzip'])
  assert.equal(returnedHeaders([...raw, 'content-encoding', 'br'], undefined).encoding, 'gzip, br')
})

test('an id of a request has the form of one, or is none', () => {
  const idIn = (...values: readonly string[]) =>
    returnedHeaders(['x-request-id', values[0] ?? '', 'apim-request-id', values[1] ?? ''], undefined).requestId
  assert.equal(idIn('', 'i'.repeat(128)), 'i'.repeat(128))
  for (const content of ['i'.repeat(129), 'born 1970-01-01', 'zo\u00e9', '']) {
    assert.equal(idIn(content), undefined, content)
    assert.equal(idIn(content, 'req_1'), 'req_1')
  }
})

test('an answer with several content types is refused: clients differ in which of them they take', () => {
  const raw = ['Content-Type', 'application/json', 'content-type', 'text/event-stream']
  assert.throws(() => returnedHeaders(raw, undefined), { code: 'upstream/malformed' })
  assert.equal(returnedHeaders(raw.slice(2), undefined).headers.length, 1)
})

test('whatever comes, nothing that must not cross does', () => {
  const names = fc.constantFrom('Cookie', 'AUTHORIZATION', 'countersign-x', 'Connection', 'x-a', 'x-b', 'Proxy-X', '\n')
  const values = fc.oneof(fc.string(), fc.constantFrom('x-a', 'X-B, close', 'a\nb'))
  fc.assert(
    fc.property(fc.array(fc.tuple(names, values), { maxLength: 20 }), (pairs) => {
      const raw = pairs.flat()
      const named = pairs.filter(([name]) => name === 'Connection').map(([, value]) => value.toLowerCase())
      for (const [name, value] of [...forwardedHeaders(raw), ...returnedHeaders(raw, undefined).headers]) {
        assert.match(name, /^(x-[ab]|cookie|authorization|proxy-x)$/)
        assert.doesNotMatch(value, /[\0\r\n]/)
        assert.equal(
          named
            .join(',')
            .split(',')
            .some((each) => each.trim() === name),
          false,
        )
      }
      for (const [name] of forwardedHeaders(raw)) assert.match(name, /^x-[ab]$/)
    }),
  )
})
