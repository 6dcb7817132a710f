/** The witness's HTTP interface: three routes, each bounded in bytes and time. @spec spec/witness.md */
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { CountersignError, codeOf, type ErrorCode, GatheredBytes, MAX_ADD_CHECKPOINT_BYTES } from '@countersign/verify'
import type { Cosigner } from './cosigner.ts'
import type { Reply } from './decision.ts'
import type { WitnessConfig } from './witness-config.ts'
import type { WitnessLog } from './witness-log.ts'

/** A connection is kept for the next request: longer than a log waits between two checkpoints. */
const KEEP_ALIVE_MS = 65_000

/** How long a client that was refused may go on sending, so that it gets to read why. */
const LINGER_MS = 2000

/** Headers of a request, together. */
const MAX_HEADER_BYTES = 8192

/** Requests under way may end within this time once the witness is told to stop. */
const CLOSE_GRACE_MS = 5000

/** Between two looks for connections that have become idle, once the witness is told to stop. */
const IDLE_CHECK_MS = 50

const TEXT = 'text/plain; charset=utf-8'

/** What each error answers with; every other one is a fault of the witness. */
const STATUS: { readonly [code in ErrorCode]?: number } = {
  'witness/malformed': 400,
  'checkpoint/malformed': 400,
  'request/malformed': 400,
  'request/unsupported-encoding': 400,
  'request/too-large': 413,
  'request/not-found': 404,
  'request/wrong-method': 405,
  'policy/unknown-log': 404,
  'note/no-known-signature': 403,
  'note/bad-signature': 403,
  'disk/full': 503,
}

export interface ListeningWitness {
  readonly port: number
  /** Takes no more connections, and resolves when all are gone. */
  close(): Promise<void>
}

/** @throws {CountersignError} `config/malformed` when the address cannot be had */
export async function listenForCheckpoints(
  cosigner: Cosigner,
  { listen, limits }: WitnessConfig,
  log: WitnessLog,
): Promise<ListeningWitness> {
  const { connections, requestMs } = limits
  const options = { connectionsCheckingInterval: Math.min(1000, requestMs), maxHeaderSize: MAX_HEADER_BYTES }
  const server = createServer(options, (request, response) => {
    void answer(cosigner, listen.prefix, log, request, response)
  })
  const closeUnused = watchUnused(server)
  server.requestTimeout = requestMs
  server.headersTimeout = requestMs
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.timeout = KEEP_ALIVE_MS
  server.maxConnections = connections
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      const why = `cannot listen on ${listen.host}:${listen.port} (${code}); choose another address or port`
      reject(new CountersignError('config/malformed', why))
    })
    server.listen(listen.port, listen.host, resolve)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : listen.port,
    close: () => close(server, closeUnused),
  }
}

async function answer(
  cosigner: Cosigner,
  prefix: string,
  log: WitnessLog,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?')
  const isSubmission = path === `${prefix}/add-checkpoint`
  try {
    requireMethod(request, ...(isSubmission ? ['POST'] : ['GET', 'HEAD']))
    if (isSubmission) return send(response, await addCheckpoint(cosigner, log, request))
    if (path === '/healthz') return send(response, health(cosigner))
    const below = path.startsWith(prefix) ? path.slice(prefix.length) : ''
    const [, hash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(below) ?? []
    const note = hash === undefined ? undefined : cosigner.latest(hash)
    if (note === undefined) throw new CountersignError('request/not-found', 'there is nothing here')
    send(response, { status: 200, contentType: TEXT, body: note })
  } catch (thrown) {
    const reply = refusal(thrown, log)
    if (isSubmission) log.line('info', 'refusal', { status: reply.status, code: reply.code })
    const allow = reply.status === 405 ? { allow: isSubmission ? 'POST' : 'GET, HEAD' } : {}
    // The rest of a body that is too large is not read.
    send(response, reply, { ...allow, ...(reply.status === 413 ? { connection: 'close' } : {}) })
    linger(request)
  }
}

async function addCheckpoint(cosigner: Cosigner, log: WitnessLog, request: IncomingMessage): Promise<Reply> {
  const body = await readBody(request)
  const startMs = performance.now()
  const { reply, ...about } = cosigner.add(body)
  const { status, code } = reply
  const level = status === 200 || status === 409 ? 'info' : 'warn'
  log.line(level, 'add-checkpoint', { ...about, status, code, durationMs: Math.round(performance.now() - startMs) })
  return reply
}

function requireMethod({ method = '' }: IncomingMessage, ...allowed: readonly string[]): void {
  if (allowed.includes(method)) return
  throw new CountersignError('request/wrong-method', `use ${allowed.join(' or ')}`)
}

function health({ failure }: Cosigner): Reply {
  const status = failure === undefined ? 200 : 503
  const body = `${JSON.stringify({ status: failure === undefined ? 'ok' : 'failing', code: failure?.code })}\n`
  return { status, contentType: 'application/json', body }
}

/** The whole body, within its limit. @throws {CountersignError} `request/*` */
function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const { 'content-encoding': encoding, 'content-length': length } = request.headers
  if (encoding !== undefined && encoding !== 'identity') {
    throw new CountersignError('request/unsupported-encoding', 'send the body without content-encoding')
  }
  if (Number(length ?? 0) > MAX_ADD_CHECKPOINT_BYTES) throw tooLarge()
  return new Promise((resolve, reject) => {
    const gathered = new GatheredBytes()
    const onData = (chunk: Buffer) => {
      gathered.add(chunk)
      if (gathered.length <= MAX_ADD_CHECKPOINT_BYTES) return
      gathered.clear()
      request.off('data', onData).off('end', onEnd)
      reject(tooLarge())
    }
    const onEnd = () => resolve(gathered.bytes())
    const onGone = () => reject(new CountersignError('request/malformed', 'the request ended before its body'))
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
  })
}

function tooLarge(): CountersignError {
  return new CountersignError('request/too-large', `the body has more than ${MAX_ADD_CHECKPOINT_BYTES} bytes`)
}

/** Throws away what is left of a body. To close at once would reset the connection, and the reply with it. */
function linger(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return
  const timer = setTimeout(() => request.destroy(), LINGER_MS)
  request.once('close', () => clearTimeout(timer))
  request.resume()
}

function refusal(thrown: unknown, log: WitnessLog): Reply {
  const code = codeOf(thrown)
  const status = code === undefined ? undefined : STATUS[code]
  if (code === undefined || status === undefined) {
    // What went wrong inside is for the witness's own log alone.
    log.line('error', 'fault', { code, message: thrown instanceof Error ? thrown.message : String(thrown) })
    return { status: 500, contentType: TEXT, body: 'internal\n', ...(code === undefined ? {} : { code }) }
  }
  const reply: Reply = { status, contentType: TEXT, body: `${code}: ${(thrown as Error).message}\n`, code }
  return status === 503 ? { ...reply, retryAfterSeconds: 1 } : reply
}

function send(response: ServerResponse, reply: Reply, more: OutgoingHttpHeaders = {}): void {
  const { status, contentType, body, retryAfterSeconds } = reply
  if (response.headersSent || response.destroyed) return
  const retry: OutgoingHttpHeaders = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...retry,
    ...more,
  })
  response.end(body)
}

/**
 * Connections on which no request has come yet: Node takes them for busy, and the end of the server would wait for them.
 * What is returned closes them.
 */
function watchUnused(server: Server): () => void {
  const unused = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', ({ socket }: IncomingMessage) => unused.delete(socket))
  return () => {
    for (const socket of unused) socket.destroy()
  }
}

async function close(server: Server, closeUnused: () => void): Promise<void> {
  const closeIdle = () => {
    server.closeIdleConnections()
    closeUnused()
  }
  const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  // Clients keep their connections when the last answer has come.
  const idle = setInterval(closeIdle, IDLE_CHECK_MS)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    closeIdle()
  })
  clearTimeout(grace)
  clearInterval(idle)
}
