/** Upstreams that are reached over HTTP. */
import { CountersignError } from '@countersign/verify'
import type { UpstreamConfig } from '../config/config.ts'
import { type BreakerEvent, CLOSED_CIRCUIT, decideBreaker, maySend } from './breaker.ts'
import { createConnections } from './connections.ts'
import { CREDENTIAL_HEADERS } from './headers.ts'
import { type ExchangeEnd, HttpExchange } from './http-exchange.ts'
import { BEARER_HEADER, HTTP_KINDS, type UpstreamPlace, upstreamPath } from './kinds.ts'
import type { Headers, Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts'

/** As it is configured, with secrets and files read. */
export interface HttpUpstreamConfig extends Omit<UpstreamConfig, 'credential' | 'caFile'> {
  /** `client`: what the client opens upstreams with goes on as it came. Otherwise it never does. */
  readonly credential: { readonly secret: string } | 'client' | 'none'
  /** Authorities that its certificate may be from, in PEM, instead of the usual ones. */
  readonly ca?: string | undefined
}

/** A secret that a header can carry. */
const SECRET = /^[!-~](?:[ -~]*[!-~])?$/

/**
 * An upstream over HTTP/1.1. Asks for no content encoding, follows no redirect, and sends nothing twice.
 *
 * @param nowMs A clock that never goes back, for the circuit breaker.
 * @throws {CountersignError} `config/malformed`
 */
export function createHttpUpstream(config: HttpUpstreamConfig, nowMs: () => number = monotonicMs): Upstream {
  const { name, kind, concurrency, timeouts, breaker: breakerLimits, ca } = config
  const { origin, place } = readBase(config)
  const pool = createConnections({ origin, ca, timeouts, limit: concurrency })
  const fixed = fixedHeaders(config)
  const withheld = withheldHeaders(config, fixed)
  const flatFixed = fixed.flat()
  const secret = typeof config.credential === 'object' ? config.credential.secret : undefined
  let circuit = CLOSED_CIRCUIT
  let underWay = 0

  const note = (event: BreakerEvent) => {
    circuit = decideBreaker(circuit, event, breakerLimits)
  }

  /** Takes a place among those under way; what it gives is to be told what becomes of the request. */
  const admit = () => {
    if (underWay >= concurrency) throw busy(name, `${concurrency} requests to it are under way, and no more may be`)
    if (!maySend(circuit, nowMs())) throw busy(name, 'it failed, and is left alone for a while')
    const isTrial = circuit.circuit !== 'closed'
    let isFault = false
    underWay++
    note({ type: 'sent' })
    return {
      onAnswered(status: number) {
        isFault = status >= 500
        note(isFault ? { type: 'failed', nowMs: nowMs() } : { type: 'answered' })
      },
      onEnd(end: ExchangeEnd) {
        underWay--
        if (end === 'abandoned') note({ type: 'abandoned', isTrial, nowMs: nowMs() })
        else if (!isFault) note(end === 'failed' ? { type: 'failed', nowMs: nowMs() } : { type: 'completed' })
      },
    }
  }

  return {
    name,
    kind,
    origin,
    served: undefined,
    answerSignature: config.answerSignature,
    get circuit() {
      return circuit.circuit
    },
    async send({ method, path, headers, body, signal, attested }: UpstreamRequest): Promise<UpstreamAnswer> {
      signal.throwIfAborted()
      const target = upstreamPath(kind, place, path)
      const exchange = new HttpExchange({ upstream: config, secret, signal, attested, ...admit() })
      const sent = sentHeaders(headers, withheld, flatFixed)
      pool.dispatch({ path: target, method, headers: sent, body: body ?? null }, exchange)
      return exchange.answer
    },
    close: () => pool.destroy(null),
  }
}

/** @throws {CountersignError} `config/malformed` */
function readBase({ name, baseUrl, query }: HttpUpstreamConfig): { origin: string; place: UpstreamPlace } {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (url === undefined || !isWeb || `${url.username}${url.password}${url.search}${url.hash}` !== '') {
    const message = `upstream ${name}: baseUrl: expected http or https, host, port and path, and nothing else`
    throw new CountersignError('config/malformed', message)
  }
  return { origin: url.origin, place: { basePath: url.pathname.replace(/\/+$/, ''), query } }
}

/** What the gateway adds to each request. @throws {CountersignError} `config/malformed` */
function fixedHeaders(config: HttpUpstreamConfig): Headers {
  return [...config.headers, ['accept-encoding', 'identity'], ...credentialHeaders(config)]
}

/** What carries the gateway's own credential; nothing where it has none. @throws {CountersignError} `config/malformed` */
export function credentialHeaders({ name, kind, credential, credentialHeader }: HttpUpstreamConfig): Headers {
  if (typeof credential !== 'object') return []
  if (!SECRET.test(credential.secret)) {
    throw new CountersignError(
      'config/malformed',
      `upstream ${name}: its credential has characters that no header carries`,
    )
  }
  const header = credentialHeader ?? HTTP_KINDS[kind].credentialHeader
  return [[header, header === BEARER_HEADER ? `Bearer ${credential.secret}` : credential.secret]]
}

/** Headers that are not taken from a request: credentials, unless the client's own are meant, and what is added anyway. */
function withheldHeaders({ credential }: HttpUpstreamConfig, fixed: Headers): ReadonlySet<string> {
  return new Set([...(credential === 'client' ? [] : CREDENTIAL_HEADERS), ...fixed.map(([name]) => name)])
}

/** Names and values in turn. */
function sentHeaders(headers: Headers, withheld: ReadonlySet<string>, fixed: readonly string[]): string[] {
  const sent: string[] = []
  for (const [name, value] of headers) if (!withheld.has(name)) sent.push(name, value)
  sent.push(...fixed)
  return sent
}

function busy(name: string, why: string): CountersignError {
  return new CountersignError('upstream/busy', `upstream ${name}: ${why}`)
}

function monotonicMs(): number {
  return performance.now()
}
