/** A gateway as it is operated: reload, drain, metrics, browsers, TLS. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { request as secureRequest } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { answered, call, infer, startGateway, temporaryFolder, testConfig } from './gateway.testing.ts'
import { selfSignedCertificate } from './mock-upstream/certificate.testing.ts'
import { chat, send, startRelay, statementOf } from './relay/relay.testing.ts'

const CHAT = '/v1/chat/completions'

test('a reload takes over deployments, logs their new manifest, and lets what is under way end', async (context) => {
  const stage = await startRelay(context)
  const before = stage.gateway.deployment('mock').statement
  const slow = send(stage.gateway, CHAT, chat('mock-slow-start-500ms'))
  const { config } = stage.gateway
  const [sum, mock] = config.deployments
  assert.ok(sum !== undefined && mock !== undefined)
  const next = { ...mock, answersTo: ['mock-small'] }
  await stage.gateway.reload({ ...config, deployments: [sum, next], listen: { host: '127.0.0.1', port: 1 } })
  assert.ok(stage.errors.some((line) => /need a restart: listen/.test(line)))
  const after = stage.gateway.deployment('mock').statement
  assert.notEqual(after, before)
  assert.equal((await send(stage.gateway, CHAT, chat('mock-echo'))).status, 404)
  const answer = await send(stage.gateway, CHAT, chat('mock-small'))
  assert.equal((await statementOf(stage, String(answer.headers['countersign-receipt']))).deployment.statement, after)
  const old = await slow
  assert.equal(old.status, 200)
  assert.equal((await statementOf(stage, String(old.headers['countersign-receipt']))).deployment.statement, before)
  await answered(stage.gateway)
})

test('a reload that cannot be carried out changes nothing', async (context) => {
  const stage = await startRelay(context)
  const { config } = stage.gateway
  const [sum, mock] = config.deployments
  assert.ok(sum?.model !== undefined && mock !== undefined)
  const broken = { ...sum, model: { ...sum.model, path: join(stage.folder, 'nothing.onnx') } }
  await assert.rejects(stage.gateway.reload({ ...config, deployments: [broken, mock] }), {
    code: 'config/missing-file',
  })
  assert.equal((await send(stage.gateway, CHAT, chat('mock-small'))).status, 200)
  await answered(stage.gateway)
})

test('metrics count answers and refusals', async (context) => {
  const stage = await startRelay(context)
  await send(stage.gateway, CHAT, chat('mock-small'))
  await send(stage.gateway, CHAT, 'not json')
  await answered(stage.gateway)
  await infer(stage.gateway, '{}')
  const { text, headers } = await call(stage.gateway, 'GET', '/metrics')
  assert.match(String(headers.get('content-type')), /^text\/plain; version=0\.0\.4/)
  assert.match(text, /countersign_requests_total\{deployment="mock",operation="chat",status="2xx",finish="stop"\} 1\n/)
  assert.match(
    text,
    /countersign_requests_total\{deployment="sum",operation="infer",status="2xx",finish="complete"\} 1\n/,
  )
  assert.match(text, /countersign_refusals_total\{[^}]*json\/malformed[^}]*\} 1\n/)
})

test('a browser of a listed origin may call, and read our headers; others may not', async (context) => {
  const origin = 'https://app.example'
  const stage = await startRelay(context, { config: { cors: { origins: [origin] } } })
  const asked = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
  const preflight = await call(stage.gateway, 'OPTIONS', CHAT, asked)
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers.get('access-control-allow-origin'), origin)
  const got = await send(stage.gateway, CHAT, chat('mock-small'), { headers: { origin } })
  assert.equal(got.headers['access-control-allow-origin'], origin)
  assert.match(String(got.headers['access-control-expose-headers']), /countersign-receipt/i)
  const other = await send(stage.gateway, CHAT, chat('mock-small'), { headers: { origin: 'https://evil.example' } })
  assert.equal(other.headers['access-control-allow-origin'], undefined)
})

test('with a certificate the gateway speaks TLS itself', async (context) => {
  const folder = temporaryFolder(context)
  const { key, cert } = selfSignedCertificate()
  const files = { certificateFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  writeFileSync(files.certificateFile, cert)
  writeFileSync(files.keyFile, key, { mode: 0o600 })
  const { gateway } = await startGateway(context, { ...testConfig(folder), tls: files })
  assert.match(gateway.url, /^https:/)
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = secureRequest(`${gateway.url}/healthz`, { ca: cert, servername: 'localhost' }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.once('error', reject)
    sent.end()
  })
  assert.equal(status, 200)
})

test('told to stop, the gateway lets a stream end, and refuses what is new', async (context) => {
  const stage = await startRelay(context)
  const stream = send(stage.gateway, CHAT, chat('mock-stream-20+paced-20ms', { stream: true }))
  while (stage.upstream.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  const { url } = stage.gateway
  const stopped = stage.stop()
  const late = await fetch(`${url}${CHAT}`, { method: 'POST', body: chat('mock-small') }).then(
    ({ status }) => status,
    () => 'refused',
  )
  assert.ok(late === 503 || late === 'refused', String(late))
  const got = await stream
  assert.ok(got.isComplete)
  assert.match(got.bytes.toString(), /countersign-promise .*\n\ndata: \[DONE\]\n\n$/)
  await stopped
})

test('of two configurations that are taken over at once, the one that came last counts', async (context) => {
  const stage = await startRelay(context)
  const { config } = stage.gateway
  const [sum, mock] = config.deployments
  assert.ok(sum !== undefined && mock !== undefined)
  const many = Array.from({ length: 12 }, (_, i) => ({ ...mock, name: `mock-${i}`, answersTo: [`mock-${i}`] }))
  const names = () => stage.gateway.deployments.map(({ name }) => name)
  const last = { ...mock, name: 'last', answersTo: ['last'] }
  await Promise.all([
    stage.gateway.reload({ ...config, deployments: [sum, ...many] }),
    stage.gateway.reload({ ...config, deployments: [last] }),
  ])
  assert.deepEqual(names(), ['last'])
})
