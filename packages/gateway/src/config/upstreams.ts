/** Reads `upstreams`: the places beyond the gateway that requests may be sent to. @spec spec/config.md */
import { resolve } from 'node:path'
import { type Fields, quote, ShapeError, SIGNATURE_SCHEMES } from '@countersign/verify'
import {
  type AnswerSignatureConfig,
  type Breaker,
  type Config,
  DEFAULT_BREAKER,
  DEFAULT_CONCURRENCY,
  DEFAULT_TIMEOUTS,
  type UpstreamConfig,
  type UpstreamTimeouts,
} from './config.ts'
import { readUpstreamPlace } from './places.ts'
import { readCredential, readUrl } from './secret-source.ts'

const KINDS = ['openai', 'anthropic', 'kserve'] as const
const MAX_UPSTREAMS = 64
const MAX_ADDED = 32
const MAX_TIMEOUT_MS = 60 * 60 * 1000
const MAX_CONCURRENCY = 4096
const MAX_FAILURES = 1000
const MAX_KEY_TEXT = 1024
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const HEADER_NAME = /^[a-z0-9-]{1,64}$/
const QUERY_NAME = /^[A-Za-z0-9._~-]{1,128}$/

/** Headers that the gateway makes itself, or that are for one connection alone. */
const OWN_HEADERS: readonly string[] = [
  ...['accept-encoding', 'connection', 'content-encoding', 'content-length', 'content-type', 'expect', 'forwarded'],
  ...['host', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
]

/** Headers that carry secrets, which have a place of their own. */
const SECRET_HEADERS: readonly string[] = ['authorization', 'proxy-authorization', 'cookie', 'x-api-key', 'api-key']

/** @throws {ShapeError} `shape/*` */
export function readUpstreams(fields: Fields, folder: string): Config['upstreams'] {
  const upstreams = fields.names(MAX_UPSTREAMS).map((name) => {
    if (NAME.test(name)) return readUpstream(name, fields.object(name), folder)
    throw new ShapeError('shape/bad-value', fields.path, `${quote(name)} is not a name of letters, digits, . _ -`)
  })
  fields.end()
  return upstreams
}

function readUpstream(name: string, fields: Fields, folder: string): UpstreamConfig {
  const baseUrl = readUrl(fields, 'baseUrl')
  const answerSignature = fields.optional('answerSignature', () =>
    readAnswerSignature(fields.object('answerSignature')),
  )
  const upstream: UpstreamConfig = {
    name,
    kind: fields.oneOf('kind', KINDS),
    baseUrl,
    credential: readCredential(fields, folder),
    credentialHeader: fields.optional('credentialHeader', () => readCredentialHeader(fields)),
    query: fields.optional('query', () => readQuery(fields.object('query'))) ?? [],
    headers: fields.optional('headers', () => readHeaders(fields.object('headers'))) ?? [],
    caFile: fields.optional('ca', () => resolve(folder, fields.text('ca'))),
    timeouts: fields.optional('timeouts', () => readTimeouts(fields.object('timeouts'))) ?? DEFAULT_TIMEOUTS,
    concurrency:
      fields.optional('concurrency', () => fields.integer('concurrency', 1, MAX_CONCURRENCY)) ?? DEFAULT_CONCURRENCY,
    breaker: fields.optional('breaker', () => readBreaker(fields.object('breaker'))) ?? DEFAULT_BREAKER,
    place: fields.optional('place', () => readUpstreamPlace(fields.object('place'), { name, baseUrl })),
    ...(answerSignature === undefined ? {} : { answerSignature }),
  }
  fields.end()
  if (upstream.credentialHeader !== undefined && upstream.credential === 'none') {
    throw new ShapeError('shape/bad-value', fields.at('credentialHeader'), 'there is no credential to put there')
  }
  if (upstream.caFile !== undefined && !upstream.baseUrl.startsWith('https:')) {
    throw new ShapeError('shape/bad-value', fields.at('ca'), 'authorities are for https alone')
  }
  return upstream
}

function readAnswerSignature(fields: Fields): AnswerSignatureConfig {
  const scheme = fields.oneOf('scheme', SIGNATURE_SCHEMES)
  const signature: AnswerSignatureConfig =
    scheme === 'opengradient' ? { scheme, publicKey: fields.base64('publicKey', MAX_KEY_TEXT) } : { scheme }
  fields.end()
  return signature
}

function readTimeouts(fields: Fields): UpstreamTimeouts {
  const read = (name: keyof UpstreamTimeouts) =>
    fields.optional(name, () => fields.integer(name, 1, MAX_TIMEOUT_MS)) ?? DEFAULT_TIMEOUTS[name]
  const timeouts = { connectMs: read('connectMs'), firstByteMs: read('firstByteMs'), idleMs: read('idleMs') }
  fields.end()
  return timeouts
}

function readBreaker(fields: Fields): Breaker {
  const read = (name: keyof Breaker, maximum: number) =>
    fields.optional(name, () => fields.integer(name, 1, maximum)) ?? DEFAULT_BREAKER[name]
  const breaker = { failures: read('failures', MAX_FAILURES), openMs: read('openMs', MAX_TIMEOUT_MS) }
  fields.end()
  return breaker
}

function readQuery(fields: Fields): UpstreamConfig['query'] {
  const query = fields.names(MAX_ADDED).map((name) => {
    if (QUERY_NAME.test(name)) return [name, fields.text(name)] as const
    throw new ShapeError('shape/bad-value', fields.path, `${quote(name)} is not a name of letters, digits, . _ ~ -`)
  })
  fields.end()
  return query
}

function readCredentialHeader(fields: Fields): string {
  const name = fields.text('credentialHeader').toLowerCase()
  const why = whyNoHeader(name)
  if (why === undefined) return name
  throw new ShapeError('shape/bad-value', fields.at('credentialHeader'), why)
}

function readHeaders(fields: Fields): UpstreamConfig['headers'] {
  const headers = fields.names(MAX_ADDED).map((written) => {
    const name = written.toLowerCase()
    const secret = SECRET_HEADERS.includes(name) ? `${name} carries a secret; say "credential"` : undefined
    const why = whyNoHeader(name) ?? secret
    if (why !== undefined) throw new ShapeError('shape/bad-value', fields.path, why)
    const value = fields.text(written)
    if (/^[!-~]([ -~]*[!-~])?$/.test(value)) return [name, value] as const
    throw new ShapeError('shape/bad-value', fields.at(written), 'expected visible ASCII characters')
  })
  fields.end()
  const names = headers.map(([name]) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice === undefined) return headers
  throw new ShapeError('shape/bad-value', fields.path, `${quote(twice)} stands there twice`)
}

function whyNoHeader(name: string): string | undefined {
  if (!HEADER_NAME.test(name)) return `${quote(name)} is not the name of a header`
  if (OWN_HEADERS.includes(name)) return `${name} is set by the gateway`
  return name.startsWith('countersign-') ? 'names that begin with countersign- are the gateway’s own' : undefined
}
