/**
 * Which pages in browsers may call the gateway: those of listed origins, and none with cookies. Protects users of browsers,
 * not the gateway: whoever is no browser sends what it likes.
 *
 * @spec WHATWG Fetch, "CORS protocol"
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../config/config.ts'

export type CorsHeaders = { readonly [name: string]: string }

export interface Preflight {
  readonly status: 204
  readonly headers: CorsHeaders
}

/** Headers of answers that a page's script may read. */
const EXPOSED = [
  'Countersign-Receipt',
  'Countersign-Secret',
  'Countersign-Promise',
  'Countersign-Salts',
  'Countersign-Repeated',
  'Countersign-Witnessed',
  'Countersign-Witnessing',
  'Request-Id',
  'X-Request-Id',
  'Retry-After',
  'OpenAI-Processing-Ms',
]

const METHODS = 'GET, POST, DELETE'

/** Headers of requests that a page's script may send, beside those that begin with one of {@link ALLOWED_STARTS}. */
const ALLOWED: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'authorization',
  'content-type',
  'accept',
  'user-agent',
  'prefer',
  'x-api-key',
  'api-key',
  'countersign-nonce',
  'countersign-subject',
  'countersign-upstream',
  'idempotency-key',
  'traceparent',
  'tracestate',
])
/** The second and third are what the providers' own libraries send along. */
const ALLOWED_STARTS = ['openai-', 'anthropic-', 'x-stainless-']

/** Most headers of one preflight that are looked at, and the longest list. */
const MAX_ASKED = 64
const MAX_ASKED_LENGTH = 4096
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/

/** How long a browser may remember a preflight. None remembers it for longer. */
const MAX_AGE_SECONDS = 7200

/**
 * What goes with every answer, whatever its status. Nothing where no origin is configured.
 *
 * `Vary` is to be joined with an answer's own.
 */
export function corsHeaders({ origins }: Config['cors'], { origin }: IncomingHttpHeaders): CorsHeaders {
  if (origins.length === 0) return {}
  if (origin === undefined || !origins.includes(origin)) return { vary: 'Origin' }
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': EXPOSED.join(', '),
  }
}

/**
 * The answer to a browser that asks beforehand, or `undefined` when the request is none such. One without
 * `Access-Control-Allow-Origin` says no.
 */
export function preflightReply(
  { origins }: Config['cors'],
  method: string | undefined,
  headers: IncomingHttpHeaders,
): Preflight | undefined {
  const { origin } = headers
  const isAsked = method === 'OPTIONS' && origin !== undefined && headers['access-control-request-method'] !== undefined
  if (origins.length === 0 || !isAsked) return undefined
  const vary = { vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers' }
  if (!origins.includes(origin)) return { status: 204, headers: vary }
  const allowed = allowedOf(headers['access-control-request-headers'])
  return {
    status: 204,
    headers: {
      ...vary,
      'access-control-allow-origin': origin,
      'access-control-allow-methods': METHODS,
      ...(allowed === '' ? {} : { 'access-control-allow-headers': allowed }),
      'access-control-max-age': String(MAX_AGE_SECONDS),
    },
  }
}

/** Those of the headers asked for that may be sent. */
function allowedOf(asked: string | undefined): string {
  if (asked === undefined || asked.length > MAX_ASKED_LENGTH) return ''
  const names = asked
    .toLowerCase()
    .split(',', MAX_ASKED)
    .map((name) => name.trim())
  return names.filter(isAllowed).join(', ')
}

function isAllowed(name: string): boolean {
  return ALLOWED.has(name) || (NAME.test(name) && ALLOWED_STARTS.some((start) => name.startsWith(start)))
}
