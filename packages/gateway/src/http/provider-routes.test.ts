/** Routes beside the answers: models, what upstreams keep, files, speech. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call } from '../gateway.testing.ts'
import { chat, send, startRelay, statementOf } from '../relay/relay.testing.ts'

test('models are listed in the shape that the caller’s library expects', async (context) => {
  const { gateway } = await startRelay(context, { deployment: { answersTo: ['mock-small', 'mock-*'] } })
  const list = JSON.parse((await call(gateway, 'GET', '/v1/models')).text)
  assert.equal(list.object, 'list')
  assert.deepEqual(
    list.data.map((each: { id: string }) => each.id),
    ['mock-small'],
    'patterns are not listed',
  )
  const anthropic = JSON.parse((await call(gateway, 'GET', '/v1/models', { 'anthropic-version': '2023-06-01' })).text)
  assert.deepEqual([anthropic.first_id, anthropic.has_more], ['mock-small', false])
  assert.equal(JSON.parse((await call(gateway, 'GET', '/v1/models/mock-tools')).text).id, 'mock-tools')
  assert.equal((await call(gateway, 'GET', '/v1/models/nobody')).status, 404)
  for (const path of ['%25', '%E0%A4', 'a%2525']) {
    assert.equal((await call(gateway, 'GET', `/v1/models/${path}`)).status, 404, path)
  }
})

test('an answer that its upstream keeps is asked for where it was given, and by nobody else', async (context) => {
  const stage = await startRelay(context)
  const body = JSON.stringify({ model: 'mock-small', input: 'Say something.' })
  const created = await send(stage.gateway, '/v1/responses', body)
  assert.equal(created.status, 200, created.bytes.toString())
  const { id } = JSON.parse(created.bytes.toString())
  const got = await call(stage.gateway, 'GET', `/v1/responses/${id}`)
  assert.equal(got.status, 200, got.text)
  assert.equal(JSON.parse(got.text).id, id)
  assert.equal((await call(stage.gateway, 'GET', `/v1/responses/${id}/input_items?limit=5`)).status, 200)
  assert.equal((await call(stage.gateway, 'DELETE', `/v1/responses/${id}`)).status, 200)
  assert.equal((await call(stage.gateway, 'GET', '/v1/responses/resp_unknown')).status, 404)
})

test('files pass through; speech is an answer like others', async (context) => {
  const stage = await startRelay(context)
  const form = (fields: { [name: string]: string }) => {
    const boundary = 'b0undary'
    const parts = Object.entries(fields).map(
      ([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    )
    const file = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\nRIFF\r\n`
    return {
      body: `${parts.join('')}${file}--${boundary}--\r\n`,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    }
  }
  const upload = form({ purpose: 'assistants' })
  const uploaded = await send(stage.gateway, '/v1/files', upload.body, { headers: upload.headers })
  assert.equal(uploaded.status, 200, uploaded.bytes.toString())
  assert.equal(uploaded.headers['countersign-receipt'], undefined)
  const speech = form({ model: 'mock-small' })
  const text = await send(stage.gateway, '/v1/audio/transcriptions', speech.body, { headers: speech.headers })
  assert.equal(text.status, 200, text.bytes.toString())
  const statement = await statementOf(stage, String(text.headers['countersign-receipt']))
  assert.equal(statement.model.requested, 'mock-small')
  assert.equal(statement.finish.reason, 'complete')
  assert.deepEqual(Buffer.from(stage.upstream.requests.at(-1)?.body ?? []), Buffer.from(speech.body))
  const nameless = form({})
  assert.equal(
    (await send(stage.gateway, '/v1/audio/transcriptions', nameless.body, { headers: nameless.headers })).status,
    400,
  )
  assert.equal((await send(stage.gateway, '/v1/audio/transcriptions', chat('mock-small'))).status, 400)
})

test('a tensor model on another server answers through the gateway, byte for byte', async (context) => {
  const target = { upstream: 'kserve', model: 'mock-small', weight: 1, rank: 0 }
  const stage = await startRelay(context, { kserve: true, deployment: { route: [target], answersTo: ['far'] } })
  const tensor = { name: 'input', shape: [2], datatype: 'FP64', data: [1.5, 2] }
  const body = JSON.stringify({ inputs: [tensor] })
  const got = await send(stage.gateway, '/v2/models/far/infer', body)
  assert.equal(got.status, 200, got.bytes.toString())
  assert.deepEqual(got.bytes, Buffer.from(stage.upstream.requests[0]?.answer?.body ?? []))
  assert.equal(stage.upstream.requests[0]?.path, '/v2/models/mock-small/infer')
  const statement = await statementOf(stage, String(got.headers['countersign-receipt']))
  assert.deepEqual([statement.model.requested, statement.attempts[0]?.model], ['far', 'mock-small'])
  assert.equal(statement.finish.reason, 'complete')
  assert.equal(statement.commitments['request-sent'], statement.commitments['request-received'])
  const twice = await send(stage.gateway, '/v2/models/far/infer', '{"inputs":[],"inputs":[]}')
  assert.deepEqual([twice.status, JSON.parse(twice.bytes.toString()).code], [400, 'json/duplicate-key'])
})

test('answers that are held count among the bytes in flight', async (context) => {
  const limits = { bytesInFlight: 1500 }
  const stage = await startRelay(context, { limits })
  const refused = await send(stage.gateway, '/v1/chat/completions', chat('mock-stream-500'))
  assert.equal(refused.status, 503, refused.bytes.toString().slice(0, 200))
  assert.match(refused.bytes.toString(), /queue\/full/)
  const statement = await statementOf(stage, String(refused.headers['countersign-receipt']))
  assert.equal(statement.finish.reason, 'error')
  assert.equal((await send(stage.gateway, '/v1/chat/completions', chat('mock-small'))).status, 200)
})

test('errors under /v1 come in the caller’s dialect, whatever is asked for', async (context) => {
  const { gateway } = await startRelay(context)
  const openai = await call(gateway, 'GET', '/v1/nothing')
  assert.deepEqual([openai.status, JSON.parse(openai.text).error.code], [404, 'request/not-found'])
  const anthropic = await call(gateway, 'GET', '/v1/messages', { 'anthropic-version': '2023-06-01' })
  assert.deepEqual([anthropic.status, JSON.parse(anthropic.text).error.type], [404, 'not_found_error'])
  assert.equal(JSON.parse((await call(gateway, 'GET', '/nothing')).text).code, 'request/not-found')
})
