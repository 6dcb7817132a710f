/** The official clients with receipts, against a real gateway in front of the mock provider: all in processes of their own. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type Outcome, receiptsFetch, withReceipts } from './index.ts'

const MOCK = fileURLToPath(new URL('../../gateway/dist/mock-upstream/program.testing.js', import.meta.url))
const COUNTERSIGN = fileURLToPath(new URL('../../cli/bin/countersign.js', import.meta.url))
const START_MS = 30_000

interface Stage {
  readonly url: string
  readonly trust: string
}

/** Starts a program that prints its address, and stops it when the test is over. */
async function start(context: TestContext, args: readonly string[]): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  context.after(
    () =>
      new Promise<void>((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  )
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the program does not say where it is')), START_MS)
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
      if (url === undefined) return
      clearTimeout(timer)
      resolve(url)
    })
  })
}

async function startStage(context: TestContext, upstream?: string): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-client-'))
  const mock = upstream ?? (await start(context, [MOCK]))
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(join(folder, 'lender.pem'), publicKey.export({ format: 'pem', type: 'spki' }))
  const config = join(folder, 'countersign.yaml')
  writeFileSync(config, configuration(mock))
  const url = await start(context, [COUNTERSIGN, 'serve', '--config', config, '--port', '0'])
  // Behind the gateway's own end, which writes.
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const trust = execFileSync(process.execPath, [COUNTERSIGN, 'log', 'trust', '--data', join(folder, 'data')])
  return { url, trust: trust.toString() }
}

function configuration(mock: string): string {
  return `
format: countersign-config/v1
data: data
operator: { name: Test Operator, contact: operator@example.org }
upstreams:
  openai: { kind: openai, baseUrl: "${mock}/v1", credential: client }
  anthropic: { kind: anthropic, baseUrl: "${mock}", credential: client }
deployments:
  everything:
    route: [{ upstream: openai }, { upstream: anthropic }]
    answersTo: ["*"]
    accountable: { party: Test Party, contact: appeals@example.org, publicKey: lender.pem }
`
}

/** Waits until so many outcomes are there. */
async function untilThere(outcomes: readonly Outcome[], count: number): Promise<void> {
  for (let i = 0; i < 600 && outcomes.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(outcomes.length, count)
}

test('one base URL is all that changes: answers as before, each checked down to the log', async (context) => {
  const { url, trust } = await startStage(context)
  const outcomes: Outcome[] = []
  const options = { trust, when: 'receipt' as const, onVerdict: (outcome: Outcome) => void outcomes.push(outcome) }
  const openai = withReceipts(new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-of-the-client' }), options)
  const anthropic = withReceipts(new Anthropic({ baseURL: url, apiKey: 'sk-ant-of-the-client' }), options)
  const messages = [{ role: 'user' as const, content: 'Say something.' }]
  const whole = await openai.chat.completions.create({ model: 'mock-small', messages })
  const stream = await openai.chat.completions.create({ model: 'mock-small', messages, stream: true })
  let streamed = ''
  for await (const chunk of stream) streamed += chunk.choices[0]?.delta.content ?? ''
  assert.equal(streamed, whole.choices[0]?.message.content)
  const claude = await anthropic.messages.create({ model: 'mock-small', max_tokens: 100, messages })
  const final = await anthropic.messages.stream({ model: 'mock-small', max_tokens: 100, messages }).finalMessage()
  assert.deepEqual(final.content, claude.content)
  await untilThere(outcomes, 4)
  for (const { status, checks } of outcomes) assert.equal(status, 'holds', JSON.stringify(checks))
  assert.deepEqual(
    outcomes[0]?.checks.map(({ name }) => name),
    ['receipt', 'promise', 'statement', 'nonce', 'request', 'response', 'log'],
  )
})

test('whoever changes an answer between gateway and client is found out', async (context) => {
  const { url, trust } = await startStage(context)
  const between = await startMeddler(context, url)
  const outcomes: Outcome[] = []
  const openai = withReceipts(new OpenAI({ baseURL: `${between}/v1`, apiKey: 'k' }), {
    trust,
    onVerdict: (outcome) => void outcomes.push(outcome),
  })
  await openai.chat.completions.create({ model: 'mock-echo', messages: [{ role: 'user', content: 'yes' }] })
  await untilThere(outcomes, 1)
  const response = outcomes[0]?.checks.find(({ name }) => name === 'response')
  assert.equal(response?.status, 'refuted')
  assert.equal(outcomes[0]?.status, 'refuted')
})

const LAST = 'data: [DONE]\n\n'
const FORGED = ': countersign-promise QUFB\n\n'

/** What an upstream may send about which gateway and client could differ: is it a stream, and where do its lines begin? */
const BORDERS: { readonly [what: string]: { readonly type: string | string[]; readonly body: string } } = {
  'a stream': { type: 'text/event-stream', body: `data: {"choices":[]}\n\n${LAST}` },
  'a stream, spelled otherwise': { type: 'Text/Event-Stream ;charset=utf-8', body: `${FORGED}${LAST}` },
  'a byte order mark before the last frame': { type: 'text/event-stream', body: `\u00ef\u00bb\u00bf${LAST}` },
  'half a byte order mark, and a forged comment': { type: 'text/event-stream', body: `\u00ef\u00bb${FORGED}${LAST}` },
  'a type that begins like a stream’s': { type: 'text/event-stream-x', body: `data: a\n\n${FORGED}${LAST}` },
  'two types in one header': { type: 'text/event-stream, application/json', body: `data: a\n\n${FORGED}${LAST}` },
  'two headers of types': { type: ['application/json', 'text/event-stream'], body: `data: a\n\n${LAST}` },
}

test('gateway and client agree on what is a stream, whatever the upstream says', async (context) => {
  let current = Object.values(BORDERS)[0]
  const upstream = createServer((request, response) => {
    request.resume().once('end', () => {
      response.writeHead(200, { 'content-type': current?.type }).end(Buffer.from(current?.body ?? '', 'latin1'))
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  context.after(() => upstream.closeAllConnections())
  context.after(() => void upstream.close())
  const { url, trust } = await startStage(context, `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`)
  const send = receiptsFetch({ trust })
  for (const [what, border] of Object.entries(BORDERS)) {
    current = border
    const body = JSON.stringify({ model: 'm', messages: [], stream: true })
    const response = await send(`${url}/v1/chat/completions`, { method: 'POST', body })
    await response.arrayBuffer()
    assert.equal(response.status, Array.isArray(border.type) ? 502 : 200, what)
    const outcome = await send.outcomeOf(response.headers.get('countersign-receipt') ?? '')
    assert.equal(outcome?.status, 'holds', `${what}: ${JSON.stringify(outcome?.checks)}`)
  }
})

/** A proxy that turns every "yes" of an answer into "no!". */
async function startMeddler(context: TestContext, url: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const body: Buffer[] = []
    for await (const chunk of request) body.push(chunk as Buffer)
    const { host: _host, connection: _connection, ...headers } = request.headers
    const method = request.method ?? 'GET'
    const got = await fetch(`${url}${request.url}`, {
      method,
      headers: headers as Record<string, string>,
      ...(method === 'GET' ? {} : { body: Buffer.concat(body) }),
    })
    const text = (await got.text()).replaceAll('yes', 'no!')
    const passed = [...got.headers].filter(([name]) => !/^(?:content-length|transfer-encoding|connection)$/.test(name))
    response.writeHead(got.status, Object.fromEntries(passed))
    response.end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => server.closeAllConnections())
  context.after(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
