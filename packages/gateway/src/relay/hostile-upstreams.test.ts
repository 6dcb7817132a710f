/** What an upstream, or a request to it, must not be able to bring about. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEFAULT_TARGET } from '../config/config.ts'
import { Gateway } from '../gateway.ts'
import { connected, requestText } from './raw-client.testing.ts'
import { chat, type RelayChanges, send, startRelay, statementOf } from './relay.testing.ts'
import { startScripted } from './scripted-upstream.testing.ts'
import { eventually } from './settled.testing.ts'

const CHAT = '/v1/chat/completions'
const MESSAGES = '/v1/messages'
const RESPONSES = '/v1/responses'
const KSERVE: RelayChanges = { kserve: true, deployment: { route: [{ upstream: 'kserve', ...DEFAULT_TARGET }] } }
const TENSORS = JSON.stringify({ id: 'born-1970-01-01', inputs: [] })
const QUIET = { info() {}, error() {} }

const json = (body: object, headers = {}) => ({
  status: 200,
  contentType: 'application/json',
  pieces: [Buffer.from(JSON.stringify(body))],
  headers,
})

const receiptOf = ({ headers }: { readonly headers: { readonly [name: string]: unknown } }) =>
  String(headers['countersign-receipt'])

test('a name with control characters in the path is refused before there is a record', async (context) => {
  const upstream = await startScripted(context)
  upstream.play(json({ model_name: 'm', outputs: [] }))
  const stage = await startRelay(context, { ...KSERVE, url: upstream.url })
  for (const name of ['mock%0Aevil', 'mock%00', '%E2%80%AEm']) {
    const reply = await send(stage.gateway, `/v2/models/${name}/infer`, TENSORS)
    assert.equal(reply.status, 400, name)
    assert.equal(receiptOf(reply), 'undefined')
  }
  assert.equal((await send(stage.gateway, '/v2/models/mock%20good/infer', TENSORS)).status, 200)
  assert.equal(upstream.bodies.length, 1)
  const { config } = stage.gateway
  await stage.stop()
  const again = await Gateway.start({ config, notices: QUIET })
  await again.close()
})

test('the longest name of a model is answered, whatever its letters', async (context) => {
  const upstream = await startScripted(context)
  upstream.play(json({}))
  const stage = await startRelay(context, { url: upstream.url })
  const name = '漢'.repeat(256)
  const reply = await send(stage.gateway, CHAT, chat(name))
  assert.equal(reply.status, 200, reply.bytes.toString())
  assert.equal((await statementOf(stage, receiptOf(reply))).model.requested, name)
})

test('an upstream’s ids reach the statement only when they look like ids', async (context) => {
  const upstream = await startScripted(context)
  const stage = await startRelay(context, { url: upstream.url })
  const reported = async (body: object, headers = {}) => {
    upstream.play(json(body, headers))
    const statement = await statementOf(stage, receiptOf(await send(stage.gateway, CHAT, chat('m'))))
    return [statement.reported?.id, statement.reported?.systemFingerprint, statement.attempts[0]?.requestId]
  }
  const good = { id: 'chatcmpl-1', system_fingerprint: 'fp_1' }
  assert.deepEqual(await reported(good, { 'x-request-id': 'req_1' }), ['chatcmpl-1', 'fp_1', 'req_1'])
  for (const content of ['Zoe Planted', 'x'.repeat(129), 'zo\u00e9']) {
    const body = { id: content, system_fingerprint: `${content}\u0000` }
    assert.deepEqual(await reported(body, { 'x-request-id': content }), [undefined, undefined, undefined], content)
  }
})

test('the client’s own id of a tensor request, which comes back, is not in the statement', async (context) => {
  const upstream = await startScripted(context)
  upstream.play(json({ model_name: 'm', id: 'born-1970-01-01', outputs: [] }))
  const stage = await startRelay(context, { ...KSERVE, url: upstream.url })
  const statement = await statementOf(stage, receiptOf(await send(stage.gateway, '/v2/models/m/infer', TENSORS)))
  assert.equal(statement.reported, undefined)
  assert.equal(JSON.stringify(statement).includes('1970'), false)
})

test('counts of tokens that nobody can believe are unknown', async (context) => {
  const upstream = await startScripted(context)
  const stage = await startRelay(context, { url: upstream.url })
  for (const [count, usage] of [
    [1_000_000_000, { inputTokens: 1_000_000_000 }],
    [1_000_000_001, 'unknown'],
    [Number.MAX_SAFE_INTEGER, 'unknown'],
  ] as const) {
    upstream.play(json({ usage: { prompt_tokens: count } }))
    const statement = await statementOf(stage, receiptOf(await send(stage.gateway, CHAT, chat('m'))))
    assert.deepEqual(statement.usage, usage)
  }
})

/** An upstream that sends those pieces, and then neither ends nor goes. */
async function hanging(context: TestContext, type: string, pieces: readonly string[]): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', async () => {
      response.writeHead(200, { 'content-type': type })
      for (const piece of pieces) {
        response.write(piece)
        await sleep(20)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Hang {
  readonly path: string
  readonly pieces: readonly string[]
  readonly type?: string
  /** What tells some client that the answer is whole. */
  readonly end: string
  readonly breaksOff?: boolean
}

const LARGE = `: ${'x'.repeat(200 * 1024)}\n\n`

const HANGS: { readonly [what: string]: Hang } = {
  'a message’s event with two types': {
    path: MESSAGES,
    pieces: [
      'data: {"type":"ping"}\n\n',
      'event: message_delta\ndata: {"type":"message_delta","type":"message_stop"}\n\n',
    ],
    end: 'message_stop',
    breaksOff: true,
  },
  'a response’s event with two types, one escaped': {
    path: RESPONSES,
    pieces: ['data: {"type":"response.output_text.delta","t\\u0079pe":"response.completed"}\n\n'],
    end: 'response.completed',
    breaksOff: true,
  },
  'an event with more members than are read': {
    path: MESSAGES,
    pieces: [`data: {${Array.from({ length: 1100 }, (_, i) => `"a${i}":0`).join()},"type":"message_stop"}\n\n`],
    end: 'message_stop',
    breaksOff: true,
  },
  'an event of several lines, one of them an event by itself': {
    path: MESSAGES,
    pieces: ['data: {"type":"ping","a":\ndata: {"type":"message_stop"}\ndata: }\n\n'],
    end: 'message_stop',
    breaksOff: true,
  },
  'a last line of data behind another': {
    path: CHAT,
    pieces: ['data: {"choices":[]}\ndata: [DONE]\n\n'],
    end: '[DONE]',
  },
  'a last line of data behind blanks': { path: CHAT, pieces: ['data:  \t[DONE]\n\n'], end: '[DONE]' },
  'a last line that is usual elsewhere': { path: RESPONSES, pieces: ['data: [DONE]\n\n'], end: '[DONE]' },
  'a large stream of another type': {
    path: CHAT,
    type: 'application/octet-stream',
    pieces: ['data: {"choices":[]}\n\n', LARGE, 'data: [DONE]\n\n', ': more\n\n'],
    end: '[DONE]',
    breaksOff: true,
  },
}

for (const [what, { path, pieces, type = 'text/event-stream', end, breaksOff = false }] of Object.entries(HANGS)) {
  test(`no end without a record: ${what}`, async (context) => {
    const url = await hanging(context, type, pieces)
    const stage = await startRelay(context, { url, limits: { heldBytes: 64 * 1024 } })
    const socket = await connected(stage.gateway)
    let got = ''
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1')
    })
    socket.write(requestText(path, chat('m', { stream: true, max_tokens: 5, input: 'x' })))
    await eventually(() => got.includes('countersign-promise'), 'the promise comes')
    const body = got.split('\r\n\r\n').slice(1).join('\r\n\r\n')
    const at = body.indexOf(end)
    const receipt = /countersign-receipt: ([0-9a-f]{32})/i.exec(got)?.[1] ?? ''
    const { finish } = await statementOf(stage, receipt)
    if (breaksOff) {
      assert.equal(at, -1, body)
      assert.equal(finish.by, 'upstream')
      assert.equal(finish.code, 'upstream/malformed')
    } else {
      await eventually(() => got.includes(end), 'the end comes')
      assert.ok(got.indexOf('countersign-promise') < got.indexOf(end), got)
      assert.equal(finish.by, undefined)
    }
    socket.destroy()
  })
}

test('a large answer of another type passes where no stream was asked for', async (context) => {
  const upstream = await startScripted(context)
  const pieces = [Buffer.alloc(200 * 1024, 0x20), Buffer.from('{}')]
  upstream.play({ status: 200, contentType: 'application/json', pieces })
  const stage = await startRelay(context, { url: upstream.url, limits: { heldBytes: 64 * 1024 } })
  const reply = await send(stage.gateway, CHAT, chat('m'))
  assert.deepEqual([reply.status, reply.bytes.length], [200, 200 * 1024 + 2])
})

test('a name that decides, spelled in another case, is refused', async (context) => {
  const changes = [{ op: 'set' as const, path: '/store', value: false }]
  const stage = await startRelay(context, { deployment: { answersTo: ['cheap'], changes } })
  for (const name of ['Model', 'STREAM', 'Max_Tokens', 'N', 'Store']) {
    const reply = await send(stage.gateway, CHAT, chat('cheap', { [name]: 1 }))
    assert.equal(reply.status, 400)
    assert.match(reply.bytes.toString(), /json\/duplicate-key/)
    assert.ok(reply.bytes.toString().includes(name))
  }
  assert.equal(stage.upstream.requests.length, 0)
})
