import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DEFAULT_LIMITS } from '../config/config.ts'
import { answered, call, codeIn, infer, inferPath, startInNewFolder, testConfig } from '../gateway.testing.ts'
import { Gateway } from '../gateway.ts'
import { arithmeticRequest } from '../model.testing.ts'

const BODY_BYTES = 4096

const folder = mkdtempSync(join(tmpdir(), 'countersign-bad-input-'))
const errors: string[] = []
let gateway: Gateway

before(async () => {
  const config = testConfig(folder, { limits: { ...DEFAULT_LIMITS, bodyBytes: BODY_BYTES } })
  gateway = await Gateway.start({ config, notices: { info: () => {}, error: (message) => errors.push(message) } })
})

after(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

/** How much is recorded, counted in the database itself. */
function recorded(on = gateway): number {
  return on.log.database
    .prepare('SELECT (SELECT count(*) FROM statements) + (SELECT count(*) FROM vault)')
    .pluck()
    .get() as number
}

function tensor(changes: object = {}): object {
  return { name: 'left', datatype: 'FP32', shape: [1, 2], data: [1, 2], ...changes }
}

const RIGHT = tensor({ name: 'right' })

function bodyWith(...inputs: readonly object[]): string {
  return JSON.stringify({ inputs })
}

interface Bad {
  readonly what: string
  readonly body: string | Uint8Array
  readonly status?: number
  readonly code: string
  readonly says: RegExp
  readonly headers?: { readonly [name: string]: string }
}

const BAD: readonly Bad[] = [
  { what: 'no body', body: '', code: 'json/malformed', says: /not JSON/ },
  { what: 'no JSON', body: '{', code: 'json/malformed', says: /not JSON/ },
  { what: 'a list', body: '[]', code: 'shape/wrong-type', says: /request: expected an object/ },
  { what: 'invalid UTF-8', body: Uint8Array.of(0x7b, 0xff, 0x7d), code: 'bytes/bad-utf8', says: /UTF-8/ },
  { what: 'a key twice', body: `{"inputs":[],"inputs":[]}`, code: 'json/duplicate-key', says: /twice/ },
  { what: 'a key twice, escaped', body: `{"inputs":[],"\\u0069nputs":[]}`, code: 'json/duplicate-key', says: /twice/ },
  {
    what: 'deep nesting',
    body: `{"inputs":${'['.repeat(1500)}${']'.repeat(1500)}}`,
    code: 'json/too-deep',
    says: /too deeply/,
  },
  { what: 'no inputs', body: '{}', code: 'shape/missing-field', says: /request\.inputs/ },
  { what: 'an unknown field', body: '{"inputs":[],"modell":1}', code: 'shape/unknown-field', says: /"modell"/ },
  { what: 'an input left out', body: bodyWith(tensor()), code: 'tensor/wrong-name', says: /"right" is missing/ },
  {
    what: 'an input too many',
    body: bodyWith(tensor(), RIGHT, tensor({ name: 'middle' })),
    code: 'tensor/wrong-name',
    says: /inputs\[2\]\.name.*"middle".*"left", "right"/,
  },
  {
    what: 'an input twice',
    body: bodyWith(tensor(), tensor()),
    code: 'tensor/wrong-name',
    says: /inputs\[1\]\.name.*twice/,
  },
  {
    what: 'another type',
    body: bodyWith(tensor({ datatype: 'INT32' }), RIGHT),
    code: 'tensor/wrong-datatype',
    says: /inputs\[0\]\.datatype.*FP32, not INT32/,
  },
  {
    what: 'a type that nobody knows',
    body: bodyWith(tensor({ datatype: 'FP16' }), RIGHT),
    code: 'tensor/wrong-datatype',
    says: /inputs\[0\]\.datatype/,
  },
  {
    what: 'another shape',
    body: bodyWith(tensor({ shape: [1, 3], data: [1, 2, 3] }), RIGHT),
    code: 'tensor/wrong-shape',
    says: /inputs\[0\]\.shape.*\[any, 2\], not \[1, 3\]/,
  },
  {
    what: 'too few values',
    body: bodyWith(tensor({ data: [1] }), RIGHT),
    code: 'tensor/wrong-shape',
    says: /inputs\[0\]\.data.*needs 2 values, not 1/,
  },
  {
    what: 'a value that is no number',
    body: bodyWith(tensor({ data: [1, '2'] }), RIGHT),
    code: 'tensor/malformed',
    says: /inputs\[0\]\.data\[1\]: expected a number/,
  },
  {
    what: 'a value too large',
    body: bodyWith(tensor({ data: [1, 1e39] }), RIGHT),
    code: 'tensor/malformed',
    says: /inputs\[0\]\.data\[1\].*too large/,
  },
  {
    what: 'a negative dimension',
    body: bodyWith(tensor({ shape: [-1, 2] }), RIGHT),
    code: 'tensor/wrong-shape',
    says: /inputs\[0\]\.shape\[0\]/,
  },
  {
    what: 'dimensions that multiply to too much',
    body: bodyWith(tensor({ shape: [1048576, 1048576] }), RIGHT),
    code: 'tensor/wrong-shape',
    says: /at most 1048576/,
  },
  {
    what: 'an output that is not there',
    body: JSON.stringify({ inputs: [tensor(), RIGHT], outputs: [{ name: 'product' }] }),
    code: 'tensor/wrong-name',
    says: /outputs\[0\].*"product".*"sum", "difference"/,
  },
  {
    what: 'a body too long',
    body: 'x'.repeat(BODY_BYTES + 1),
    status: 413,
    code: 'request/too-large',
    says: /4096 bytes/,
  },
  {
    what: 'a compressed body',
    body: arithmeticRequest(),
    headers: { 'content-encoding': 'gzip' },
    status: 415,
    code: 'request/unsupported-encoding',
    says: /content-encoding/,
  },
  {
    what: 'a nonce too long',
    body: arithmeticRequest(),
    headers: { 'countersign-nonce': 'n'.repeat(129) },
    code: 'request/malformed',
    says: /Countersign-Nonce.*128/,
  },
  {
    what: 'a nonce with a space',
    body: arithmeticRequest(),
    headers: { 'countersign-nonce': 'a b' },
    code: 'request/malformed',
    says: /Countersign-Nonce/,
  },
]

for (const { what, body, status = 400, code, says, headers = {} } of BAD) {
  test(`${what}: ${status}, and nothing is recorded`, async () => {
    const before = recorded()
    const got = await infer(gateway, body, headers)
    assert.equal(got.status, status, got.text)
    assert.equal(codeIn(got), code)
    assert.match(JSON.parse(got.text).error, says)
    assert.equal(got.receipt, '')
    assert.equal(recorded(), before)
    assert.deepEqual(errors, [])
  })
}

test('models that are not here, and methods that are not meant', async () => {
  const before = recorded()
  const body = arithmeticRequest()
  for (const name of [
    'nothing',
    'SUM',
    'sum%2e',
    '%',
    '%ff',
    '%E0%A4',
    'a'.repeat(128),
    'a'.repeat(129),
    '__proto__',
  ]) {
    const got = await call(gateway, 'POST', inferPath(name), {}, body)
    assert.deepEqual([got.status, codeIn(got)], [404, 'model/not-found'], name)
  }
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const got = await call(gateway, method, inferPath())
    assert.deepEqual([got.status, codeIn(got), got.headers.get('allow')], [405, 'request/wrong-method', 'POST'], method)
  }
  for (const path of ['/', '/v1/models', '/v2/models/sum/infer/more', '/v2/models//infer', '/receipts', '/healthz/x']) {
    assert.equal((await call(gateway, 'POST', path, {}, body)).status, 404, path)
  }
  assert.equal((await call(gateway, 'GET', '/v2/models/nothing')).status, 404)
  assert.equal((await call(gateway, 'GET', '/v2/models/%E0%A4')).status, 404)
  assert.equal(recorded(), before)
  assert.deepEqual(errors, [])
})

test('a query does not keep a request from being answered', async () => {
  assert.equal((await call(gateway, 'POST', `${inferPath()}?trace=1`, {}, arithmeticRequest())).status, 200)
})

/** Writes raw bytes on a connection and collects what comes back until the other side ends it. */
function connection(on = gateway): { readonly socket: Socket; readonly received: Promise<string> } {
  const { hostname, port } = new URL(on.url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  const received = once(socket, 'close').then(() => text)
  socket.on('error', () => {})
  return { socket, received }
}

const HEAD = `POST ${inferPath()} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`

test('a chunked body that grows too long gets its 413, though it is still being sent', async () => {
  const before = recorded()
  const { socket } = connection()
  const [first] = await Promise.all([
    once(socket, 'data'),
    socket.write(
      `${HEAD}transfer-encoding: chunked\r\n\r\n1000\r\n${'x'.repeat(4096)}\r\n1000\r\n${'x'.repeat(4096)}\r\n`,
    ),
  ])
  assert.match(String(first), /^HTTP\/1\.1 413 /)
  socket.destroy()
  assert.equal(recorded(), before)
})

test('a client that sends megabytes too many still reads why', async () => {
  const before = recorded()
  const large = Buffer.alloc(8 * 1024 * 1024)
  for (const headers of [{ 'content-length': large.length }, { 'transfer-encoding': 'chunked' }]) {
    const sent = httpRequest(`${gateway.url}${inferPath()}`, { method: 'POST', headers, agent: false })
    const response = once(sent, 'response')
    sent.end(large)
    const [got] = await response
    assert.equal(got.statusCode, 413)
    got.resume()
    await once(got, 'end')
    sent.destroy()
  }
  assert.equal(recorded(), before)
})

test('a connection outlives a body that was too long, once it is through', async () => {
  const { socket, received } = connection()
  const length = 2 * BODY_BYTES
  socket.write(`${HEAD}content-length: ${length}\r\n\r\n`)
  const [refusal] = await once(socket, 'data')
  assert.match(String(refusal), /^HTTP\/1\.1 413 /)
  socket.write('x'.repeat(length))
  socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  assert.match(await received, /HTTP\/1\.1 200 OK/)
})

test('clients that leave in the middle leave nothing behind', async () => {
  const before = recorded()
  const body = Buffer.from(arithmeticRequest()).toString()
  for (const text of [
    'POST /v2/mod',
    HEAD,
    `${HEAD}content-length: ${body.length}\r\n\r\n`,
    `${HEAD}content-length: ${body.length}\r\n\r\n${body.slice(0, 20)}`,
    `${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"inp`,
  ]) {
    const { socket, received } = connection()
    await once(socket, 'connect')
    await new Promise<void>((resolve) => socket.write(text, () => resolve()))
    socket.resetAndDestroy()
    await received
  }
  await answered(gateway)
  // The one answer: a statement and a vault record.
  assert.equal(recorded(), before + 2)
  while (gateway.health().inFlight > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(errors, [])
})

test('what is no HTTP is refused by the server', async () => {
  const { socket, received } = connection()
  socket.write('\u0000\u0001\u0002 nonsense\r\n\r\n')
  assert.match(await received, /^HTTP\/1\.1 400 /)
})

test('when as many are under way as may be, the next is told to come again', async (context) => {
  const { gateway: small } = await startInNewFolder(context, { limits: { ...DEFAULT_LIMITS, inFlight: 1 } })
  const before = recorded(small)
  const body = Buffer.from(arithmeticRequest()).toString()
  const slow = connection(small)
  slow.socket.write(`${HEAD}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body.slice(0, 10)}`)
  while (small.health().inFlight === 0) await new Promise((resolve) => setImmediate(resolve))
  const refused = await infer(small)
  assert.deepEqual([refused.status, codeIn(refused), refused.headers.get('retry-after')], [503, 'queue/full', '2'])
  assert.equal(recorded(small), before)
  slow.socket.write(body.slice(10))
  assert.match(await slow.received, /^HTTP\/1\.1 200 /)
  await answered(small)
  assert.equal(recorded(small), before + 4)
})
