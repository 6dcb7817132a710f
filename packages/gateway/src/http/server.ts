/** The server: which requests take the hot paths, and what holds for all of them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import { createServer as createNetServer, type Server as NetServer } from 'node:net'
import { CountersignError } from '@countersign/verify'
import { getRequestListener } from '@hono/node-server'
import type { Config } from '../config/config.ts'
import { OPEN_INFERENCE } from '../dialects/open-inference.ts'
import type { Services } from '../services.ts'
import { createApp, type Peer } from './app.ts'
import { clientAddress, trustIn } from './client-address.ts'
import { watchUnused } from './client-connection.ts'
import { corsHeaders, preflightReply } from './cors.ts'
import { handleFarModel, matchFarModel } from './far-model.ts'
import { handleInfer, matchInfer, relayedModel } from './infer-route.ts'
import { handlePassThrough, matchPassThrough } from './pass-through.ts'
import { handleRelay, matchRelay } from './relay-route.ts'
import { headerOf } from './request-headers.ts'
import { createServerOptions, reloadOnHangup } from './server-tls.ts'

const REQUEST_TIMEOUT_MS = 30_000
const HEADERS_TIMEOUT_MS = 10_000

/** A socket on which nothing moves for so long is closed, unless its answer is being waited for. */
export const IDLE_TIMEOUT_MS = 60_000

/** How long a connection is kept for the next request: longer than load balancers keep theirs. */
const KEEP_ALIVE_MS = 65_000

/** What is still under way so long after the order to stop is cut off: the log must get to its last head. */
const CLOSE_GRACE_MS = 30_000

/** Between two looks for connections that have become idle, once the order to stop has come. */
const IDLE_CHECK_MS = 50

export interface ListeningServer {
  readonly server: Server | SecureServer
  /** Takes no more connections, and resolves when all are gone. */
  close(): Promise<void>
}

/**
 * Listens where the configuration says.
 *
 * @throws {CountersignError} `config/malformed` when the address cannot be had; `config/missing-file`, `key/malformed`
 */
export async function listen(
  gateway: Services,
  notices: { info(message: string): void; error(message: string): void },
): Promise<ListeningServer> {
  const { config } = gateway
  const server = createFor(config, dispatcher(gateway))
  const closeUnused = watchUnused(server)
  const stopReloading =
    config.tls === undefined ? () => {} : reloadOnHangup(server as SecureServer, config.tls, notices)
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.timeout = IDLE_TIMEOUT_MS
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.maxConnections = config.limits.inFlight * 2
  await bind(server, config.listen)
  return {
    server,
    close: async () => {
      stopReloading()
      await closeServer(server, closeUnused)
    },
  }
}

/**
 * Looks whether the address can be had, so that a start that is going to be refused logs nothing first.
 *
 * @throws {CountersignError} `config/malformed` when it cannot
 */
export async function requireFree(address: Config['listen']): Promise<void> {
  const server = createNetServer()
  await bind(server, address)
  await new Promise((resolve) => server.close(resolve))
}

function bind(server: NetServer, { host, port }: Config['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      const why = `cannot listen on ${host}:${port} (${code}); choose another address or port`
      reject(new CountersignError('config/malformed', why))
    })
    server.listen(port, host, () => resolve())
  })
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void

function createFor(config: Config, listener: Listener): Server | SecureServer {
  const options = { connectionsCheckingInterval: 1000 }
  if (config.tls === undefined) return createServer(options, listener)
  return createSecureServer({ ...options, ...createServerOptions(config.tls) }, listener)
}

function dispatcher(gateway: Services): Listener {
  const { config } = gateway
  const app = createApp(gateway)
  const isTrusted = trustIn(config.trustedProxies)
  const others = getRequestListener((request, { incoming }) => {
    const said = { forwarded: headerOf(incoming, 'forwarded'), xForwardedFor: headerOf(incoming, 'x-forwarded-for') }
    const peer: Peer = { address: clientAddress(incoming.socket.remoteAddress, said, isTrusted) }
    return app.fetch(request, peer)
  })
  const hasCors = config.cors.origins.length > 0
  return (request, response) => {
    if (hasCors && isSettledByCors(config, request, response)) return
    const dialect = matchRelay(request)
    if (dialect !== undefined) return void handleRelay(gateway, dialect, request, response)
    const name = matchInfer(request)
    if (name !== undefined) {
      const model = relayedModel(gateway, name)
      if (model === undefined) return void handleInfer(gateway, name, request, response)
      return void handleRelay(gateway, OPEN_INFERENCE, request, response, model)
    }
    const far = matchFarModel(gateway, request)
    if (far !== undefined) return void handleFarModel(gateway, far, request, response)
    const passing = matchPassThrough(request)
    if (passing !== undefined) return void handlePassThrough(gateway, passing, request, response)
    void others(request, response)
  }
}

/** Answers a preflight; marks every other answer for the browser. */
function isSettledByCors({ cors }: Config, request: IncomingMessage, response: ServerResponse): boolean {
  const preflight = preflightReply(cors, request.method, request.headers)
  if (preflight !== undefined) {
    response.writeHead(preflight.status, preflight.headers)
    response.end()
    return true
  }
  for (const [name, value] of Object.entries(corsHeaders(cors, request.headers))) response.setHeader(name, value)
  return false
}

async function closeServer(server: Server | SecureServer, closeUnused: () => void): Promise<void> {
  const closeIdle = () => {
    server.closeIdleConnections()
    closeUnused()
  }
  // Clients keep their connections when the last answer has come; Node closes those alone that are idle already.
  const timer = setInterval(closeIdle, IDLE_CHECK_MS)
  const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    closeIdle()
  })
  clearInterval(timer)
  clearTimeout(grace)
}
