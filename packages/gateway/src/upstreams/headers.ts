/** Which headers cross the gateway, in either direction. @spec RFC 9110 §7.6.1 */
import { CountersignError } from '@countersign/verify'
import { reportedId } from '../dialects/answer-facts.ts'
import type { Headers } from './upstream.ts'

/** Most headers of one message that cross, and most characters of them. */
export const MAX_HEADERS = 256
export const MAX_HEADERS_LENGTH = 64 * 1024

/** They belong to one connection, not to the message. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]

/** What clients open an upstream with. */
export const CREDENTIAL_HEADERS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'authorization',
  'x-api-key',
  'api-key',
])

/** What the gateway says itself, or what says something about the client that an upstream has no need to know. */
const KEPT_FROM_UPSTREAMS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  ...HOP_BY_HOP,
  ...CREDENTIAL_HEADERS,
  'host',
  'content-length',
  'expect',
  'accept-encoding',
  'cookie',
  'forwarded',
  'x-real-ip',
])
const KEPT_FROM_UPSTREAMS_BY_START = ['proxy-', 'x-forwarded-', 'countersign-']

/** What would speak for the gateway's own address. */
const KEPT_FROM_CLIENTS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  ...HOP_BY_HOP,
  'set-cookie',
  'alt-svc',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-max-age',
  'strict-transport-security',
  'clear-site-data',
  'nel',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'x-sendfile',
])
/** Orders to a server in front of the gateway, as to send a file of its own in place of the answer. */
const KEPT_FROM_CLIENTS_BY_START = 'x-accel-'

/** Where upstreams put their id of a request; the first that is there counts. */
const REQUEST_ID_HEADERS = ['x-request-id', 'request-id', 'apim-request-id', 'x-amzn-requestid', 'x-amz-request-id']

const OURS = 'countersign-'
/** A key of this gateway, wherever in a value it stands: it is for no upstream. */
const OUR_KEY = /csk_[\w-]{43}/
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** Options of `connection` that name no header. */
const CONNECTION_OPTIONS: ReadonlySet<string> = /* @__PURE__ */ new Set(['', 'close', 'keep-alive'])

/** Whether a text has a key of this gateway in it. */
export function hasOurKey(text: string): boolean {
  return OUR_KEY.test(text)
}

/**
 * What goes on of a client's headers: none of its credentials, none that is ours, none that belongs to its connection.
 *
 * @param raw Names and values in turn, as they came.
 * @throws {CountersignError} `request/too-large`
 */
export function forwardedHeaders(raw: readonly string[]): Headers {
  const kept = readHeaders(raw, (name, value) => isKeptFromUpstreams(name) || hasOurKey(value))
  if (kept === undefined)
    throw new CountersignError('request/too-large', 'the request has too many or too long headers')
  return kept
}

/**
 * The client's own credentials, but for keys of this gateway. Added to a request's headers they reach those upstreams alone that are configured to be
 * opened by their clients.
 */
export function clientCredentials(raw: readonly string[]): Headers {
  return readHeaders(raw, (name, value) => !CREDENTIAL_HEADERS.has(name) || hasOurKey(value)) ?? []
}

export interface ReturnedHeaders {
  readonly headers: Headers
  /** Whether there were any that look like ours. */
  readonly hasForged: boolean
  /** Content encoding, in lower case, where there is one. */
  readonly encoding: string | undefined
  /** The upstream's own id of the request, where it has the form of one. */
  readonly requestId: string | undefined
}

/**
 * What goes on of an upstream's headers: none that belongs to its connection, speaks for the gateway's address, or has a
 * secret of ours in it. Where the body has an encoding, so has its length: both are left out.
 *
 * @param raw Names and values in turn, as they came.
 * @param secret What opens the upstream.
 * @throws {CountersignError} `upstream/malformed` when there are too many, or too long ones, or several content types
 */
export function returnedHeaders(raw: readonly string[], secret: string | undefined): ReturnedHeaders {
  let hasForged = false
  let encoding: string | undefined
  const kept = readHeaders(raw, (name, value) => {
    if (name.startsWith(OURS)) hasForged = true
    else if (name === 'content-encoding') encoding = joined(encoding, value)
    else return isKeptFromClients(name) || (secret !== undefined && value.includes(secret))
    return true
  })
  if (kept === undefined)
    throw new CountersignError('upstream/malformed', 'the answer has too many or too long headers')
  // Clients differ in which of them they take.
  if (kept.filter(([name]) => name === 'content-type').length > 1)
    throw new CountersignError('upstream/malformed', 'the answer has several content types')
  const headers = encoding === undefined ? kept : kept.filter(([name]) => name !== 'content-length')
  return { headers, hasForged, encoding: encoding?.toLowerCase(), requestId: requestIdIn(headers) }
}

function isKeptFromUpstreams(name: string): boolean {
  return KEPT_FROM_UPSTREAMS.has(name) || KEPT_FROM_UPSTREAMS_BY_START.some((start) => name.startsWith(start))
}

function isKeptFromClients(name: string): boolean {
  return KEPT_FROM_CLIENTS.has(name) || name.startsWith(KEPT_FROM_CLIENTS_BY_START)
}

/** Those that stay, or `undefined` when they are more than can be. One that has control characters never stays. */
function readHeaders(raw: readonly string[], isDropped: (name: string, value: string) => boolean): Headers | undefined {
  const kept: (readonly [string, string])[] = []
  let length = 0
  let connection = ''
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    const value = raw[i + 1] as string
    if (name === 'connection' && value !== 'keep-alive') connection += `,${value}`
    if (isDropped(name, value) || !VALUE.test(value) || !NAME.test(name)) continue
    length += name.length + value.length
    if (kept.length === MAX_HEADERS || length > MAX_HEADERS_LENGTH) return undefined
    kept.push([name, value])
  }
  return connection === '' ? kept : withoutNamed(kept, connection)
}

/** A connection's own headers are those too that it names. */
function withoutNamed(headers: Headers, connection: string): Headers {
  const named = connection
    .toLowerCase()
    .split(',')
    .map((each) => each.trim())
  const dropped = new Set(named.filter((each) => !CONNECTION_OPTIONS.has(each)))
  return dropped.size === 0 ? headers : headers.filter(([name]) => !dropped.has(name))
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value.trim() : `${before}, ${value.trim()}`
}

function requestIdIn(headers: Headers): string | undefined {
  let best: string | undefined
  let bestRank = REQUEST_ID_HEADERS.length
  for (const [name, value] of headers) {
    const rank = name.endsWith('id') ? REQUEST_ID_HEADERS.indexOf(name) : -1
    if (rank < 0 || rank >= bestRank) continue
    const id = reportedId(value)
    if (id === undefined) continue
    best = id
    bestRank = rank
  }
  return best
}
