/**
 * An AI provider on loopback for tests and benchmarks: OpenAI's, Anthropic's and the Open Inference Protocol's API over
 * real sockets. The model's name picks what happens (`scenario.testing.ts`); same request, same bytes.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { BENCH_PATH, type BenchAnswers, benchAnswers, findBenchRequest, sendBench } from './bench-answer.testing.ts'
import { planDelivery } from './delivery.testing.ts'
import { play } from './playback.testing.ts'
import { type RecordedRequest, Recorder } from './recorder.testing.ts'
import { answerTo, type Memory, type Received } from './routes.testing.ts'

export interface MockUpstreamOptions {
  /** A free port when not said. */
  readonly port?: number
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Whether requests and answers are kept; so they are unless it is false. Those for `mock-bench` never are. */
  readonly isRecording?: boolean
  /** The key that clients must give; any or none when not said. */
  readonly apiKey?: string
}

export interface MockUpstream {
  readonly port: number
  /** Without a path: `http://127.0.0.1:PORT`. */
  readonly url: string
  /** The oldest first; each has its answer. */
  readonly requests: readonly RecordedRequest[]
  /** Connections that were accepted so far. */
  readonly connections: number
  /** Lets answers of `mock-held` go on: those that wait now. */
  release(): void
  /** Forgets requests, stored responses and failures. */
  reset(): void
  /** Breaks what is under way. */
  close(): Promise<void>
}

interface State {
  readonly recorder: Recorder | undefined
  readonly memory: Memory
  readonly gate: ReleaseGate
  readonly bench: BenchAnswers
  readonly apiKey: string | undefined
}

const MAX_REQUEST_BYTES = 64 * 1024 * 1024
/** Fixed, so that the same request gets the same headers. */
const DATE = 'Thu, 01 Jan 2026 00:00:00 GMT'

export async function startMockUpstream(options: MockUpstreamOptions = {}): Promise<MockUpstream> {
  const { port = 0, tls, isRecording = true, apiKey } = options
  const recorder = isRecording ? new Recorder() : undefined
  const memory: Memory = { responses: new Map(), failures: new Map() }
  const gate = new ReleaseGate()
  const state: State = { recorder, memory, gate, bench: benchAnswers(), apiKey }
  const listener: RequestListener = (request, response) => {
    serve(request, response, state).catch((thrown: unknown) => {
      process.stderr.write(`mock upstream: ${thrown instanceof Error ? thrown.stack : String(thrown)}\n`)
      response.destroy()
    })
  }
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  let connections = 0
  server.on('connection', () => connections++)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  return {
    port: bound,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${bound}`,
    get requests() {
      return recorder?.requests ?? []
    },
    get connections() {
      return connections
    },
    release: () => gate.release(),
    reset() {
      recorder?.clear()
      memory.responses.clear()
      memory.failures.clear()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  const { method = '', url: path = '', rawHeaders } = request
  const body = await readAll(request)
  if (body === undefined) return void response.destroy()
  const bench = path === BENCH_PATH ? findBenchRequest(body) : undefined
  if (bench !== undefined) return sendBench(response, bench, state.bench)
  response.sendDate = false
  response.setHeader('date', DATE)
  const recording = state.recorder?.begin(method, path, rawHeaders, body)
  const { answer, scenario } = await answerTo(receivedFrom(request, body), state.memory, state.apiKey)
  await play(response, await planDelivery(answer, scenario), state.gate, recording)
}

function receivedFrom({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Received {
  const apiKey = headers['x-api-key']
  const key = typeof apiKey === 'string' ? apiKey : headers.authorization?.replace(/^Bearer /i, '')
  return { method, path: url, contentType: headers['content-type'] ?? '', key, body }
}

/** `undefined` when the client leaves, or sends more than the mock takes. */
function readAll(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > MAX_REQUEST_BYTES) resolve(undefined)
      else chunks.push(chunk)
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => resolve(undefined))
    request.on('aborted', () => resolve(undefined))
  })
}

/** Holds whoever comes until the next release. */
class ReleaseGate {
  #waiting: (() => void)[] = []

  opened(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
