/**
 * The gateway's way through a relayed request without the recording: the same reading of request, answer and frames, the
 * same client, the same headers. It exists for comparison, in this program alone; the gateway has no such setting.
 * Argument: the upstream's URL.
 *
 * Left out besides ids, journal, commitments, statements and promises: keys, prices, and tries of other upstreams.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { DEFAULT_BREAKER, DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '../../packages/gateway/dist/config/config.js'
import { emptyFacts } from '../../packages/gateway/dist/dialects/answer-facts.js'
import { type Dialect, readRequest } from '../../packages/gateway/dist/dialects/dialect.js'
import { scanObject } from '../../packages/gateway/dist/dialects/json-scan.js'
import { readFrame, stripOurComments } from '../../packages/gateway/dist/dialects/sse-frames.js'
import { SseSplitter } from '../../packages/gateway/dist/dialects/sse-splitter.js'
import { readBody } from '../../packages/gateway/dist/http/body.js'
import { matchRelay } from '../../packages/gateway/dist/http/relay-route.js'
import { writable } from '../../packages/gateway/dist/relay/backpressure.js'
import { writeHead } from '../../packages/gateway/dist/relay/exchange.js'
import { forwardedHeaders } from '../../packages/gateway/dist/upstreams/headers.js'
import { createHttpUpstream } from '../../packages/gateway/dist/upstreams/http-upstream.js'
import type { Upstream, UpstreamAnswer } from '../../packages/gateway/dist/upstreams/upstream.js'

async function relay(upstream: Upstream, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const dialect = matchRelay(request)
  if (dialect === undefined) throw new Error('only what is relayed is answered here')
  const body = await readBody(request, DEFAULT_LIMITS.bodyBytes, { add: () => {} })
  const facts = readRequest(dialect, scanObject(body))
  const abort = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) abort.abort()
  })
  const answer = await upstream.send({
    method: 'POST',
    path: dialect.path,
    headers: forwardedHeaders(request.rawHeaders),
    body,
    dialect,
    facts,
    signal: abort.signal,
  })
  if (facts.isStream) await passStream(dialect, answer, response)
  else await passWhole(dialect, answer, response)
}

async function passWhole(dialect: Dialect, answer: UpstreamAnswer, response: ServerResponse): Promise<void> {
  const bytes = await readAll(answer.body)
  dialect.readAnswer(bytes)
  writeHead(response, answer.status, answer.headers, [], bytes.length)
  response.end(bytes)
}

function readAll(body: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    body.on('data', (chunk: Buffer) => chunks.push(chunk))
    body.on('end', () => resolve(Buffer.concat(chunks)))
    body.on('error', reject)
  })
}

async function passStream(dialect: Dialect, answer: UpstreamAnswer, response: ServerResponse): Promise<void> {
  const splitter = new SseSplitter(DEFAULT_LIMITS.streamFrameBytes)
  const facts = emptyFacts()
  writeHead(response, answer.status, answer.headers, [], undefined)
  response.flushHeaders()
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    const out: Uint8Array[] = []
    for (const each of splitter.push(chunk)) {
      const bytes = stripOurComments(each).frame
      const frame = readFrame(bytes)
      dialect.readFrameFacts(frame, facts)
      dialect.isTerminalFrame(frame)
      out.push(bytes)
    }
    if (out.length > 0) response.write(out.length === 1 ? out[0] : Buffer.concat(out))
    const wait = writable(response)
    if (wait !== undefined) await wait
  }
  response.end(splitter.end())
}

function main(upstreamUrl: string): void {
  const upstream = createHttpUpstream({
    name: 'openai',
    kind: 'openai',
    baseUrl: `${upstreamUrl}/v1`,
    credential: 'none',
    credentialHeader: undefined,
    query: [],
    headers: [],
    timeouts: DEFAULT_TIMEOUTS,
    concurrency: 1024,
    breaker: DEFAULT_BREAKER,
    place: undefined,
  })
  const server = createServer((request, response) => {
    relay(upstream, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`serving at http://127.0.0.1:${port}\n`)
  })
}

main(process.argv[2] ?? '')
