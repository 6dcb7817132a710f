/** A server on loopback that speaks a gateway's protocol with real keys, and cheats when told to. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { concat, formatDossier, formatEnvelope, type Json, parseNote, utf8 } from '@countersign/verify'
import { LogDouble } from './log.testing.ts'
import { type Cheats, type RecordedExchange, recordExchange } from './recorded-answer.testing.ts'

const LIFETIME_MS = 60_000

/** What the server answers with, and how. */
export interface Behaviour {
  readonly cheats?: Cheats
  /** Whether an answer that is not streamed is held, and so has its promise in a header. */
  readonly isHeld?: boolean
  /** Most bytes of one write of a stream, and the pause after it. */
  readonly chunkBytes?: number
  readonly pauseMs?: number
  /** Changes the bytes on their way out. */
  readonly onTheWay?: (body: Uint8Array) => Uint8Array
  /** Headers that are taken out, changed or added. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly status?: number
  /** Never answers under these paths. */
  readonly silent?: string
  /** Answers this under `/statements/`, again and again if it is endless. */
  readonly statement?: string
  readonly isEndless?: boolean
  /** Where requests for statements are sent on to. */
  readonly redirect?: string
  /** Closes the connection after so many bytes of an answer. */
  readonly cutAfterBytes?: number
  /** Gives everybody the dossier of the first answer. */
  readonly isMixedUp?: boolean
  /** Receipts are not covered yet. */
  readonly isUncovered?: boolean
}

/** The answer to a request: a whole body, or a stream with its last frame apart. */
export type Reply = readonly [string] | readonly [string, string]

export interface GatewayDouble extends AsyncDisposable {
  readonly url: string
  readonly log: LogDouble
  readonly exchanges: RecordedExchange[]
  /** Paths that were asked for, with their methods. */
  readonly asked: string[]
  /** Nonces as they came. */
  readonly nonces: (string | undefined)[]
  behaviour: Behaviour
}

/** Starts a server that answers each POST with what `replyTo` gives for its path and body. */
export async function startGatewayDouble(
  replyTo: (path: string, request: Readonly<Record<string, unknown>>) => Reply,
  behaviour: Behaviour = {},
): Promise<GatewayDouble> {
  const log = new LogDouble()
  log.append(utf8('another entry'))
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://localhost').pathname
    double.asked.push(`${request.method} ${path}`)
    if (double.behaviour.silent !== undefined && path.startsWith(double.behaviour.silent)) return
    if (request.method === 'POST') void answer(double, replyTo, path, request, response)
    else lookUp(double, path, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const timer = setTimeout(() => server.closeAllConnections(), LIFETIME_MS).unref()
  const double: GatewayDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    exchanges: [],
    asked: [],
    nonces: [],
    behaviour,
    async [Symbol.asyncDispose]() {
      clearTimeout(timer)
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return double
}

async function answer(
  double: GatewayDouble,
  replyTo: (path: string, request: Readonly<Record<string, unknown>>) => Reply,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { behaviour } = double
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  const bytes = concat(...chunks)
  const nonce = request.headers['countersign-nonce']
  double.nonces.push(typeof nonce === 'string' ? nonce : undefined)
  const [before, after] = replyTo(path, readObject(bytes))
  const recorded = recordExchange(
    double.log,
    {
      request: bytes,
      nonce: typeof nonce === 'string' ? nonce : undefined,
      body: after === undefined ? [utf8(before)] : [utf8(before), utf8(after)],
      isHeld: behaviour.isHeld ?? true,
    },
    behaviour.cheats,
  )
  double.exchanges.push(recorded)
  const type = after === undefined ? 'application/json' : 'text/event-stream; charset=utf-8'
  const headers = Object.entries({ 'content-type': type, ...recorded.headers, ...behaviour.headers })
  response.writeHead(behaviour.status ?? 200, Object.fromEntries(headers.filter(([, value]) => value !== undefined)))
  const body = behaviour.onTheWay?.(recorded.body) ?? recorded.body
  const chunkBytes = behaviour.chunkBytes ?? body.length + 1
  for (let at = 0; at < body.length && !response.destroyed; at += chunkBytes) {
    response.write(body.subarray(at, at + chunkBytes))
    if (at >= (behaviour.cutAfterBytes ?? body.length)) {
      response.destroy()
      return
    }
    if (behaviour.pauseMs !== undefined) await sleep(behaviour.pauseMs)
  }
  response.end()
}

function readObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Readonly<Record<string, unknown>>
  } catch {
    return {}
  }
}

/** Statements, receipts and dossiers, to whoever has the secret. */
function lookUp(double: GatewayDouble, path: string, request: IncomingMessage, response: ServerResponse): void {
  const [, kind, name] = path.split('/')
  const { statement, isUncovered, isEndless, redirect, isMixedUp } = double.behaviour
  const found = double.exchanges.find(({ receipt, digest }) => name === receipt || name === digest)
  const promise = { 'countersign-promise': found?.promise ?? '' }
  if (found === undefined) {
    reply(response, 404, { error: 'there is no such thing', code: 'receipt/not-found' })
  } else if (request.headers.authorization !== `Bearer ${found.secret}`) {
    reply(response, 403, { error: 'this secret does not open that', code: 'auth/wrong' })
  } else if (kind === 'statements' && redirect !== undefined) {
    reply(response, 302, {}, { location: redirect })
  } else if (kind === 'statements' && statement !== undefined) {
    if (isEndless) repeat(response, statement)
    else response.end(statement)
  } else if (kind === 'statements') {
    const { log, index, digest } = found
    reply(response, 200, { statement: digest, index, envelope: formatEnvelope(log.envelope(index)) })
  } else if (isUncovered) {
    reply(response, 202, { receipt: found.receipt, status: 'promised' }, promise)
  } else {
    reply(
      response,
      200,
      kind === 'receipts' ? found.log.bundle(found.index) : dossierOf((isMixedUp && double.exchanges[0]) || found),
      promise,
    )
  }
}

/** Writes a text until the connection is closed. */
function repeat(response: ServerResponse, text: string): void {
  const next = () => {
    if (!response.destroyed) response.write(text, () => setImmediate(next))
  }
  next()
}

function dossierOf({ log, index, receipt, promise }: RecordedExchange): Json {
  return formatDossier({
    receiptId: receipt,
    bundle: log.bundle(index),
    promise: parseNote(new Uint8Array(Buffer.from(promise, 'base64'))),
    openings: [],
    statements: [],
    consistency: [],
    evidence: [],
  })
}

function reply(response: ServerResponse, status: number, value: Json, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}
