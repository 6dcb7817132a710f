import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:https'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseInferenceResponse } from '@countersign/verify'
import fc from 'fast-check'
import { benchAnswers, findBenchRequest } from './bench-answer.testing.ts'
import { selfSignedCertificate } from './certificate.testing.ts'
import { startMockUpstream } from './mock-upstream.testing.ts'
import { Recorder } from './recorder.testing.ts'
import { findScenario, modelNames } from './scenario.testing.ts'

const CHAT = '/v1/chat/completions'
const chat = (model: string, more: object = {}) =>
  JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], ...more })

test('every scenario has a name that finds it; joined names join; others find nothing', () => {
  for (const name of modelNames()) assert.equal(findScenario(name)?.model, name)
  assert.equal(findScenario('mock-stream-200')?.deltas, 200)
  assert.deepEqual(
    [findScenario('mock-tools+drip+gzip')].map((each) => [each?.says, each?.isDripping, each?.encoding]),
    [['tools', true, 'gzip']],
  )
  for (const name of ['', 'mock', 'mock-', 'small', 'mock-none', 'mock-stream-', 'mock-stream-N', 'mock-stream-1e3']) {
    assert.equal(findScenario(name), undefined, name)
  }
  for (const name of ['mock-stream-100001', 'mock-status-200', 'mock-status-600', `mock-${'small+'.repeat(9)}small`]) {
    assert.equal(findScenario(name), undefined, name)
  }
  fc.assert(fc.property(fc.string(), (text) => void findScenario(`mock-${text}`)))
})

test('requests are recorded as they came, answers as they left', async (context) => {
  const upstream = await startMockUpstream()
  context.after(() => upstream.close())
  const body = chat('mock-small', { stream: true, odd: '\u00fc  ' })
  const response = await fetch(`${upstream.url}${CHAT}?a=1`, { method: 'POST', body, headers: { 'X-Odd-Case': 'v' } })
  const got = Buffer.from(await response.arrayBuffer())
  const [recorded] = upstream.requests
  assert.ok(recorded)
  assert.deepEqual([recorded.method, recorded.path], ['POST', `${CHAT}?a=1`])
  assert.equal(recorded.body.toString(), body)
  assert.equal(recorded.header('x-odd-case'), 'v')
  assert.equal(recorded.header('x-none'), undefined)
  assert.deepEqual(recorded.answer.body, got)
  assert.equal(recorded.answer.status, 200)
  assert.equal(await recorded.answer.ended, 'ended')
  assert.equal(upstream.connections, 1)
  upstream.reset()
  assert.deepEqual(upstream.requests, [])
})

test('the oldest are forgotten beyond the bounds, what they still send too', () => {
  const recorder = new Recorder()
  const large = Buffer.alloc(100 * 1024 * 1024)
  const first = recorder.begin('POST', '/0', [], large)
  recorder.begin('POST', '/1', [], Buffer.alloc(0)).write(large)
  assert.equal(recorder.requests.length, 2)
  recorder.begin('POST', '/2', [], large)
  assert.deepEqual(
    recorder.requests.map(({ path }) => path),
    ['/1', '/2'],
  )
  first.write(large)
  assert.equal(recorder.requests.length, 2)
  recorder.clear()
  for (let i = 0; i <= 10_000; i++) recorder.begin('POST', `/${i}`, [], Buffer.alloc(0))
  assert.deepEqual([recorder.requests.length, recorder.requests[0]?.path], [10_000, '/1'])
})

test('an answer that is held goes on when it is released', async (context) => {
  const upstream = await startMockUpstream()
  context.after(() => upstream.close())
  const response = await fetch(`${upstream.url}${CHAT}`, { method: 'POST', body: chat('mock-held', { stream: true }) })
  const reader = response.body?.getReader()
  const first = await reader?.read()
  assert.match(Buffer.from(first?.value ?? []).toString(), /"role":"assistant"/)
  assert.equal(upstream.requests[0]?.answer.outcome, undefined)
  upstream.release()
  let rest = ''
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
    rest += Buffer.from(next.value).toString()
  }
  assert.ok(rest.endsWith('data: [DONE]\n\n'))
})

test('a key is asked for where one is set', async (context) => {
  const upstream = await startMockUpstream({ apiKey: 'sk-right' })
  context.after(() => upstream.close())
  const statusWith = async (headers: { readonly [name: string]: string }) =>
    (await fetch(`${upstream.url}${CHAT}`, { method: 'POST', body: chat('mock-small'), headers })).status
  assert.equal(await statusWith({}), 401)
  assert.equal(await statusWith({ authorization: 'Bearer sk-wrong' }), 401)
  assert.equal(await statusWith({ authorization: 'Bearer sk-right' }), 200)
  assert.equal(await statusWith({ 'x-api-key': 'sk-right' }), 200)
})

test('the Open Inference Protocol gives the sum of the input', async (context) => {
  const upstream = await startMockUpstream()
  context.after(() => upstream.close())
  const infer = (model: string, body: string) =>
    fetch(`${upstream.url}/v2/models/${model}/infer`, { method: 'POST', body })
  const inputs = [
    { name: 'a', datatype: 'FP32', shape: [2], data: [1.5, 2] },
    { name: 'b', datatype: 'INT64', shape: [1, 1], data: [40] },
  ]
  const response = await infer('mock-small', JSON.stringify({ id: 'x', inputs }))
  const { modelName, id, outputs } = parseInferenceResponse(new Uint8Array(await response.arrayBuffer()))
  assert.deepEqual([modelName, id, outputs.map(({ data }) => [...data])], ['mock-small', 'x', [[43.5]]])
  assert.equal((await infer('mock-small', '{"inputs":3}')).status, 400)
  assert.equal((await infer('mock-status-503', JSON.stringify({ inputs }))).status, 503)
  assert.equal((await infer('none', JSON.stringify({ inputs }))).status, 404)
  assert.equal((await fetch(`${upstream.url}/v2/models/mock-small/ready`)).status, 200)
})

test('TLS, to those who trust the certificate', async (context) => {
  const tls = selfSignedCertificate()
  const upstream = await startMockUpstream({ tls })
  context.after(() => upstream.close())
  const get = (ca: string | undefined) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request(
        `${upstream.url}/v1/models`,
        { agent: false, ...(ca === undefined ? {} : { ca }) },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      sent.on('error', reject)
      sent.end()
    })
  assert.equal(await get(tls.cert), 200)
  await assert.rejects(get(undefined))
  await assert.rejects(get(selfSignedCertificate().cert))
})

test('the program says where it serves; the benchmark answers are fixed, and paced when asked', async (context) => {
  const program = fileURLToPath(new URL('./program.testing.js', import.meta.url))
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
  context.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const [, url] = /^serving at (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(line.toString()) ?? []
  assert.ok(url)
  const post = async (model: string, more: object = {}) => {
    const response = await fetch(`${url}${CHAT}`, { method: 'POST', body: chat(model, more) })
    return Buffer.from(await response.arrayBuffer())
  }
  const { whole, chunks } = benchAnswers()
  assert.equal(whole.length, 1024)
  assert.deepEqual(await post('mock-bench'), whole)
  assert.equal(JSON.parse(whole.toString()).object, 'chat.completion')
  assert.equal(chunks.length, 101)
  assert.deepEqual(await post('mock-bench', { stream: true }), Buffer.concat(chunks))
  const startMs = performance.now()
  assert.deepEqual(await post('mock-bench-paced-3ms', { stream: true }), Buffer.concat(chunks))
  assert.ok(performance.now() - startMs >= 290)
  assert.match((await post('mock-small')).toString(), /mock upstream/)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

test('only the model picks the benchmark answer, not a text that mentions it', () => {
  const found = (text: string) => findBenchRequest(Buffer.from(text))
  assert.deepEqual(found('{"model": "mock-bench-paced-5ms", "stream": true}'), { isStream: true, paceMs: 5 })
  assert.deepEqual(found('{"messages":[],"model":"mock-bench"}'), { isStream: false, paceMs: 0 })
  assert.equal(found('{"model":"mock-small","messages":["mock-bench"]}'), undefined)
  assert.equal(found('{"model":"mock-bench-other"}'), undefined)
})
