/** Connections to one upstream: kept open, one request at a time each, and each request knows which one carries it. */
import type { Socket } from 'node:net'
import { buildConnector, Client, type Dispatcher, Pool } from 'undici'
import type { UpstreamTimeouts } from '../config/config.ts'
import { type ShownCertificate, shownOn } from './shown-certificate.ts'

/** A connection that was made. */
export interface Connection {
  readonly socket: Socket
  /** What was shown in its handshake. */
  readonly shown: ShownCertificate | undefined
}

/** The connection of one client of the pool: the one that is open, or was last. */
export interface Carrier {
  connection: Connection | undefined
}

/** A handler of one request that wants to know its connection. */
export interface CarriedHandler extends Dispatcher.DispatchHandler {
  carrier: Carrier | undefined
}

export interface ConnectionOptions {
  /** Scheme, host and port. */
  readonly origin: string
  /** Authorities that certificates may be from, in PEM; the usual ones when `undefined`. */
  readonly ca: string | undefined
  readonly timeouts: UpstreamTimeouts
  /** Most connections at a time. */
  readonly limit: number
}

/** How long a connection stays open without a request, unless the upstream says how long it keeps it. */
const KEEP_ALIVE_MS = 30_000
const MAX_KEEP_ALIVE_MS = 600_000
/** Most bytes of an answer's headers. */
const MAX_HEADER_BYTES = 64 * 1024

/**
 * Connections that are made as they are needed. Certificates are always checked, whatever the environment says.
 *
 * A handler is given its {@link Carrier}: a client of the pool has one connection at a time, and that is the one on which
 * the request is written. So is the certificate certain, too, as every connection makes a full handshake of its own.
 */
export function createConnections({ origin, ca, timeouts, limit }: ConnectionOptions): Pool {
  const connect = buildConnector({
    timeout: timeouts.connectMs,
    rejectUnauthorized: true,
    maxCachedSessions: 0,
    ...(ca === undefined ? {} : { ca }),
  })
  return new Pool(origin, {
    connections: limit,
    pipelining: 1,
    headersTimeout: timeouts.firstByteMs,
    bodyTimeout: timeouts.idleMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: MAX_KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    factory: (url, options) => new CarryingClient(url, options, connect),
  })
}

class CarryingClient extends Client {
  readonly #carrier: Carrier

  constructor(origin: URL, options: Client.Options, connect: buildConnector.connector) {
    const carrier: Carrier = { connection: undefined }
    super(origin, { ...options, connect: (where, done) => connect(where, noting(carrier, done)) })
    this.#carrier = carrier
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (isCarried(handler)) handler.carrier = this.#carrier
    return super.dispatch(options, handler)
  }
}

function isCarried(handler: Dispatcher.DispatchHandler): handler is CarriedHandler {
  return 'carrier' in handler
}

function noting(carrier: Carrier, done: buildConnector.Callback): buildConnector.Callback {
  return (...result) => {
    const [error, socket] = result
    if (error === null) carrier.connection = { socket, shown: shownOn(socket) }
    done(...result)
  }
}
